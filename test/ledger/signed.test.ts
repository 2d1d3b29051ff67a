/** Signed records by both kinds of key: the local one, and the kind that key services offer. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, test } from 'node:test';
import { openRecord, signRecord } from '../../functions/ledger/signed.ts';
import type { Signer } from '../../functions/ports.ts';

function edSigner(): Signer {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return {
    algorithm: 'ed25519',
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    sign: async (bytes) => sign(null, bytes, privateKey),
  };
}

function ecSigner(): Signer {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    algorithm: 'ecdsa-p256-sha256',
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    sign: async (bytes) => sign('sha256', bytes, privateKey),
  };
}

for (const [name, make] of [
  ['ed25519', edSigner],
  ['ecdsa-p256-sha256', ecSigner],
] as const) {
  describe(name, () => {
    test('what was signed is opened, with and without a trusted key', async () => {
      const signer = make();
      const bytes = await signRecord(signer, { total: '1.00', centre: '卡时' });
      for (const trusted of [null, signer.publicKey])
        assert.deepEqual(openRecord(bytes, 'k', trusted).value, { total: '1.00', centre: '卡时' });
      assert.throws(() => openRecord(bytes, 'k', make().publicKey), /another key/);
    });

    test('any flipped bit of any byte is refused', async () => {
      const signer = make();
      const bytes = Buffer.from(await signRecord(signer, { total: '1.00' }));
      for (const [place, byte] of bytes.entries()) {
        for (const bit of [1, 0x20, 0x80]) {
          const changed = Buffer.from(bytes);
          changed[place] = byte ^ bit;
          assert.throws(() => openRecord(changed, 'k', signer.publicKey), { name: 'KashiError' }, `byte ${place}, bit ${bit}`);
        }
      }
    });

    test('a key whose text differs only in bits that base64 leaves open is refused', async () => {
      // '0', '4' and '8' become the next digit, which decodes to the same key where two bits are open.
      let signer = make();
      const lastDigit = (pem: string): string => /(\w)=?=?\n-----END/.exec(pem)?.[1] ?? '';
      for (let tries = 0; tries < 500 && !'048'.includes(lastDigit(signer.publicKey)); tries++) signer = make();
      const text = Buffer.from(await signRecord(signer, { total: '1.00' })).toString('utf8');
      const digit = lastDigit(signer.publicKey);
      const other = text.replace(new RegExp(`${digit}(=?=?\\\\n-----END)`), `${Number(digit) + 1}$1`);
      assert.notEqual(other, text);
      assert.throws(() => openRecord(Buffer.from(other), 'k', signer.publicKey), { name: 'KashiError' });
    });

    test('white space, another order or a further member is no signed record', async () => {
      const signer = make();
      const text = Buffer.from(await signRecord(signer, { total: '1.00' })).toString('utf8');
      const { text: inner, ...rest } = JSON.parse(text) as Record<string, string>;
      for (const other of [
        `${text}\n`,
        ` ${text}`,
        JSON.stringify({ text: inner, ...rest }),
        text.replace(/\}$/, ',"z":1}'),
        text.slice(0, -1),
        '',
      ])
        assert.throws(() => openRecord(Buffer.from(other), 'k', null), { name: 'KashiError' });
    });
  });
}
