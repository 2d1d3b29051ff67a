/** A key in an emulated KMS that really signs: the suite of every signer, keys of the wrong kind, and a month closed and verified with it. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { CreateAliasCommand, CreateKeyCommand, type KeySpec, type KeyUsageType, KMSClient } from '@aws-sdk/client-kms';
import { kmsPublicKey, kmsSigner } from '../../functions/adapters/signer-kms.ts';
import { KashiError } from '../../functions/domain/errors.ts';
import { json, kashi } from '../cli/run.ts';
import { signerSuite } from '../ports/signer-suite.ts';
import { startMiniStack } from './emulator.ts';

const emulator = await startMiniStack();
const { client } = emulator;
const kms = new KMSClient(client);
after(async () => {
  kms.destroy();
  await emulator.stop();
});

async function newKey(KeySpec: KeySpec, KeyUsage: KeyUsageType = 'SIGN_VERIFY'): Promise<string> {
  const { KeyMetadata } = await kms.send(new CreateKeyCommand({ KeySpec, KeyUsage }));
  return KeyMetadata?.KeyId ?? '';
}

signerSuite('KMS', async () => {
  const keyId = await newKey('ECC_NIST_P256');
  return kmsSigner(keyId, await kmsPublicKey(keyId, client), client);
});

describe('keys in KMS', () => {
  const hasCode = (code: string) => (error: unknown) => error instanceof KashiError && error.code === code;

  test('another kind of key, and no key, are said so', async () => {
    await assert.rejects(kmsPublicKey(await newKey('RSA_2048'), client), hasCode('config_invalid'));
    await assert.rejects(kmsPublicKey('alias/nobody', client), hasCode('config_missing'));
  });

  test('a signature of another key than the public half says is never handed out', async () => {
    const [mine, other] = [await newKey('ECC_NIST_P256'), await newKey('ECC_NIST_P256')];
    const signer = kmsSigner(other, await kmsPublicKey(mine, client), client);
    await assert.rejects(signer.sign(new Uint8Array(10)), hasCode('config_invalid'));
  });

  test('a month is closed with it and verified to the same SHA-256', async () => {
    const root = mkdtempSync(join(tmpdir(), 'kashi-kms-'));
    await kms.send(new CreateAliasCommand({ AliasName: 'alias/close', TargetKeyId: await newKey('ECC_NIST_P256') }));
    Object.assign(process.env, {
      AWS_ENDPOINT_URL: emulator.endpoint,
      AWS_REGION: client.region,
      AWS_ACCESS_KEY_ID: client.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: client.credentials.secretAccessKey,
    });
    const run = (...args: string[]) => {
      const ran = kashi(args, { cwd: root });
      assert.equal(ran.code, 0, ran.stdout + ran.stderr);
      return ran;
    };
    run('generate', '--out', '.', '--requests', '400', '--days', '3', '--gpus', '24', '--bad-share', '0', '--closable');
    const config = join(root, 'kashi.yaml');
    const text = readFileSync(config, 'utf8');
    if (/^close:/m.test(text))
      writeFileSync(
        config,
        text.replace(/^close:.*$/m, (line) => `${line}\n  signing_key: kms:alias/close`),
      );
    else appendFileSync(config, '\nclose: {signing_key: "kms:alias/close"}\n');
    run('ingest', 'landing');
    run('close', '2026-10');
    assert.match(run('keys', 'show').stdout, /\(ecdsa-p256-sha256\)\nprivate +kms:alias\/close\n/);
    const report = json<{ matches: boolean; trusted_key: boolean }>(run('verify', '2026-10', '--json'));
    assert.deepEqual([report.matches, report.trusted_key], [true, true]);
    rmSync(root, { recursive: true });
  });
});
