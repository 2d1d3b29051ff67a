/** A centre that lies in buckets, by the command line alone: ingested, billed, closed and verified like one on a disk. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { json, kashi, type Ran } from '../cli/run.ts';
import { type Emulator, startMoto } from './emulator.ts';

const PERIOD = '2026-10';
const root = mkdtempSync(join(tmpdir(), 'kashi-centre-s3-'));
let emulator: Emulator | null = null;
const local = (...args: string[]): Ran => kashi(args, { cwd: join(root, 'local') });
const remote = (...args: string[]): Ran => kashi(args, { cwd: join(root, 'remote') });

/** Said when it fails: what the command printed. */
function done(ran: Ran): Ran {
  assert.equal(ran.code, 0, ran.stdout + ran.stderr);
  return ran;
}

before(async () => {
  emulator = await startMoto();
  const { endpoint, client } = emulator;
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: client.region,
    AWS_ACCESS_KEY_ID: client.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: client.credentials.secretAccessKey,
    KASHI_WORK: join(root, 'work'),
  });
  for (const place of ['local', 'remote'])
    done(
      kashi(['generate', '--out', place, '--requests', '400', '--days', '3', '--gpus', '24', '--bad-share', '0', '--closable'], {
        cwd: root,
      }),
    );
  const s3 = new S3Client({ ...client, forcePathStyle: true });
  for (const Bucket of ['acme-logs', 'acme-kashi']) await s3.send(new CreateBucketCommand({ Bucket }));
  const landing = join(root, 'remote', 'landing');
  for (const entry of readdirSync(landing, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const Key = `landing/${relative(landing, path)}`;
    await s3.send(new PutObjectCommand({ Bucket: 'acme-logs', Key, Body: readFileSync(path) }));
  }
  s3.destroy();
  rmSync(landing, { recursive: true });
  const config = join(root, 'remote', 'kashi.yaml');
  const text = readFileSync(config, 'utf8');
  const places = { warehouse: 's3://acme-kashi/prod', landing: 's3://acme-logs/landing' };
  writeFileSync(
    config,
    Object.entries(places).reduce((yaml, [name, url]) => `${yaml.replace(new RegExp(`^${name}:.*\n`, 'm'), '')}\n${name}: ${url}\n`, text),
  );
});

after(async () => {
  await emulator?.stop();
  rmSync(root, { recursive: true, force: true });
});

interface Bill {
  readonly total: string;
  readonly bills: unknown;
  readonly sha256?: string;
}

describe('a centre in buckets', () => {
  test('doctor finds the bucket fit', () => {
    const { stdout } = remote('doctor');
    assert.match(stdout, /✓ store +s3:\/\/acme-kashi\/prod: conditional writes hold one winner\n/);
  });

  test('the bill has the lines of a centre on a disk', () => {
    done(local('ingest', 'landing'));
    const report = json<{ total: { residual: number; objects: number } }>(done(remote('ingest', 's3://acme-logs/landing', '--json')));
    assert.ok(report.total.objects > 0);
    assert.equal(report.total.residual, 0);
    const [here, there] = [local('bill', PERIOD, '--json'), remote('bill', PERIOD, '--json')].map((ran) => json<Bill>(done(ran)));
    assert.ok(Number(here?.total) > 0);
    assert.deepEqual(there?.bills, here?.bills);
    const { landed_not_ingested } = json<{ landed_not_ingested: string[] }>(remote('status', '--json'));
    assert.deepEqual(landed_not_ingested, []);
  });

  test('ingested again, nothing counts twice', () => {
    const before = json<Bill>(done(remote('bill', PERIOD, '--json')));
    done(remote('ingest', 's3://acme-logs/landing/'));
    assert.deepEqual(json<Bill>(done(remote('bill', PERIOD, '--json'))).bills, before.bills);
  });

  test('closed once, verified without network, to the same SHA-256', () => {
    done(remote('close', PERIOD));
    const closed = json<Bill>(done(remote('bill', PERIOD, '--json')));
    const report = json<{ matches: boolean; sha256: string; isolation: { network: string } }>(done(remote('verify', PERIOD, '--json')));
    assert.equal(report.matches, true);
    assert.equal(report.sha256, closed.sha256);
    assert.deepEqual(
      readdirSync(join(root, 'work', readdirSync(join(root, 'work'))[0] ?? '')).filter((name) => name.startsWith('verify-')),
      [],
    );
  });

  test('what is wrong is said so that it can be mended', () => {
    const refused = (env: Readonly<Record<string, string>>, ...args: string[]): string => {
      const before = { ...process.env };
      Object.assign(process.env, env);
      const ran = remote(...args);
      for (const name of Object.keys(env)) process.env[name] = before[name];
      assert.equal(ran.code, 2, ran.stdout + ran.stderr);
      return ran.stderr;
    };
    assert.match(refused({}, 'status', '--warehouse', 's3://acme-nowhere'), /there is no such bucket[\s\S]*s3:\/\/acme-nowhere/);
    assert.match(
      refused({}, 'status', '--warehouse', 's3://No_Bucket/x'),
      /not a place in S3[\s\S]*allowed: s3:\/\/bucket or s3:\/\/bucket\/prefix/,
    );
    const noKeys = { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '', AWS_EC2_METADATA_DISABLED: 'true', HOME: root };
    assert.match(refused(noKeys, 'status'), /there are no AWS credentials[\s\S]*AWS_PROFILE/);
    assert.match(refused({ AWS_REGION: '', HOME: root }, 'status'), /no AWS region is set[\s\S]*AWS_REGION/);
  });
});
