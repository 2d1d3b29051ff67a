/** One suite for every signer: a verifier needs its public key and nothing else. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash, createPublicKey } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { KashiError } from '../../functions/domain/errors.ts';
import { keyIdOf, openRecord, signRecord } from '../../functions/ledger/signed.ts';
import type { Signer } from '../../functions/ports.ts';

const isCorrupt = (error: unknown): boolean => error instanceof KashiError && error.code === 'store_corrupt';
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

export function signerSuite(name: string, open: () => Promise<Signer>): void {
  describe(`signer: ${name}`, () => {
    test('the public key is one text, and names the key', async () => {
      const { publicKey } = await open();
      assert.equal(createPublicKey(publicKey).export({ type: 'spki', format: 'pem' }), publicKey);
      assert.match(keyIdOf(publicKey), /^[0-9a-f]{16}$/);
    });

    test('a signed record opens with its key, short or long, and with no other text', async () => {
      const signer = await open();
      for (const value of [{ total: '1.00' }, { lines: 'x'.repeat(20_000), 千卡: '卡时' }]) {
        const bytes = await signRecord(signer, value);
        const opened = openRecord<object>(bytes, 'here', signer.publicKey);
        assert.deepEqual([opened.value, opened.algorithm, opened.keyId], [value, signer.algorithm, keyIdOf(signer.publicKey)]);
        const text = Buffer.from(bytes).toString('utf8');
        const forged = Buffer.from(
          text.replace(/1\.00|xx/, (found) => (found === 'xx' ? 'xy' : '9.00')),
          'utf8',
        );
        assert.ok(!forged.equals(Buffer.from(bytes)));
        assert.throws(() => openRecord(forged, 'here', signer.publicKey), isCorrupt);
      }
    });

    test('the program that leaves with a bill accepts it, and refuses another bill', async () => {
      const signer = await open();
      const folder = mkdtempSync(join(tmpdir(), 'kashi-signer-'));
      const [bill, evidence] = ['{"total":"1.00"}', '{}'];
      const statement = {
        period: '2026-10',
        bill: sha256(bill),
        evidence: sha256(evidence),
        total: '1.00',
        currency: 'CNY',
        previous: null,
      };
      mkdirSync(join(folder, 'chain'));
      writeFileSync(join(folder, 'chain/2026-10.json'), await signRecord(signer, statement));
      for (const [file, text] of Object.entries({ 'bill.json': bill, 'evidence.json': evidence, 'public-key.pem': signer.publicKey }))
        writeFileSync(join(folder, file), text);
      const verifier = join(import.meta.dirname, '../../functions/close/verify-bill.mjs');
      const run = () => spawnSync(process.execPath, [verifier, folder], { encoding: 'utf8' });
      assert.match(run().stdout, /^OK 2026-10: 1\.00 CNY/);
      writeFileSync(join(folder, 'bill.json'), '{"total":"9.00"}');
      assert.match(run().stderr, /^REFUSED: bill\.json is not the one that was signed/);
      rmSync(folder, { recursive: true });
    });
  });
}
