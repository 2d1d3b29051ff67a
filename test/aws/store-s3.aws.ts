/** The S3 store with the SDK's real client against an emulator over HTTP: the suite of every store, and what only S3 can get wrong. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, type TestContext, test } from 'node:test';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { s3Landing } from '../../functions/adapters/landing-s3.ts';
import { type S3Store, s3Store } from '../../functions/adapters/store-s3.ts';
import { KashiError } from '../../functions/domain/errors.ts';
import { fold } from '../../functions/ledger/fold.ts';
import { putAnyhow } from '../../functions/ledger/patient.ts';
import { type LandedObject, TransientStoreError } from '../../functions/ports.ts';
import { objectStoreSuite } from '../ports/store-suite.ts';
import { startMoto } from './emulator.ts';
import { type FaultyProxy, faultyProxy } from './faulty-proxy.ts';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

const emulator = await startMoto();
const folder = await mkdtemp(join(tmpdir(), 'kashi-s3-'));
const client = { ...emulator.client, forcePathStyle: true };
const admin = new S3Client(client);
const opened: S3Store[] = [];
after(async () => {
  for (const store of opened) store.close();
  admin.destroy();
  await emulator.stop();
  await rm(folder, { recursive: true, force: true });
});

async function newStore(prefix = ''): Promise<S3Store> {
  const bucket = `store-${opened.length}`;
  await admin.send(new CreateBucketCommand({ Bucket: bucket }));
  const store = s3Store({ bucket, prefix, workDirectory: join(folder, bucket), client, pageKeys: 3 });
  opened.push(store);
  return store;
}

objectStoreSuite({ name: 'S3', open: () => newStore(), flat: true, listings: 15 });

describe('what S3 may answer', () => {
  /** A new store whose requests pass the proxy, and the same without it. */
  async function faulty(context: TestContext): Promise<{ store: S3Store; plain: S3Store; proxy: FaultyProxy; bucket: string }> {
    const plain = await newStore();
    const bucket = `store-${opened.length - 1}`;
    const proxy = await faultyProxy(emulator.endpoint);
    const store = s3Store({
      bucket,
      prefix: '',
      workDirectory: join(folder, `${bucket}-faulty`),
      client: { ...client, endpoint: proxy.endpoint },
    });
    context.after(async () => {
      store.close();
      await proxy.stop();
    });
    return { store, plain, proxy, bucket };
  }
  const isUnknown = (error: unknown): boolean => error instanceof TransientStoreError;

  test('an answer that is lost is an unknown outcome: said once, never tried again behind the caller’s back', async (context) => {
    const { store, plain, proxy } = await faulty(context);
    for (const [fault, stands] of [
      ['dropAfter', true],
      ['dropBefore', false],
      [500, false],
      [503, false],
    ] as const) {
      const key = `_commits/${fault}`;
      const before = proxy.seen('PUT');
      proxy.plan('PUT', fault);
      await assert.rejects(store.putIfAbsent(key, text('mine')), isUnknown);
      assert.equal(proxy.seen('PUT') - before, 1);
      assert.equal((await plain.get(key)) !== null, stands, String(fault));
    }
  });

  test('the commit log reads an unknown outcome back: one record stands, by whichever try', async (context) => {
    const { store, plain, proxy } = await faulty(context);
    proxy.plan('PUT', 'dropAfter', 'dropBefore', 503, 'dropAfter');
    assert.equal(await fold(store, { now: () => Date.UTC(2026, 9, 1) }), null);
    for (let round = 0; round < 4; round += 1) {
      proxy.plan('PUT', round % 2 === 0 ? 'dropAfter' : 'dropBefore');
      assert.match(await putAnyhow(store, `_segments/${round}`, text(`segment ${round}`)), /^(created|exists)$/);
      assert.deepEqual(await plain.get(`_segments/${round}`), text(`segment ${round}`));
    }
  });

  test('409 decides nothing and is asked again', async (context) => {
    const { store, proxy } = await faulty(context);
    proxy.plan('PUT', 409, 409, 409);
    assert.equal(await store.putIfAbsent('closes/2026-10.json', text('pin')), 'created');
    assert.equal(proxy.seen('PUT'), 4);
    proxy.plan('PUT', 409);
    assert.equal(await store.putIfAbsent('closes/2026-10.json', text('other')), 'exists');
  });

  test('reads go on after faults; half an object is never taken for a whole one', async (context) => {
    const { store, plain, proxy } = await faulty(context);
    const bytes = new Uint8Array(300_000).fill(7);
    await plain.putIfAbsent('data/x', bytes);
    proxy.plan('GET', 503, 'dropBefore');
    const keys: string[] = [];
    for await (const { key } of store.list('')) keys.push(key);
    assert.deepEqual(keys, ['data/x']);
    proxy.plan('GET', 'cut');
    await assert.rejects(store.localFile('data/x'), isUnknown);
    assert.deepEqual(new Uint8Array(await readFile(await store.localFile('data/x'))), bytes);
  });

  test('a copy on the disk that was changed is fetched again', async (context) => {
    const { store, plain, proxy } = await faulty(context);
    await plain.putIfAbsent('data/x', text('parquet'));
    const file = await store.localFile('data/x');
    const fetched = proxy.seen('GET');
    assert.equal(await store.localFile('data/x'), file);
    assert.equal(proxy.seen('GET'), fetched);
    await writeFile(file, 'PARQUET');
    assert.equal(await readFile(await store.localFile('data/x'), 'utf8'), 'parquet');
  });

  test('a landed object is read on from where a connection broke, and refused when it changed', async (context) => {
    const { proxy, bucket } = await faulty(context);
    const body = Buffer.from(Array.from({ length: 200_000 }, (_, place) => place % 251));
    const put = (Key: string, Body: Uint8Array) => admin.send(new PutObjectCommand({ Bucket: bucket, Key, Body }));
    for (const key of ['in/gw/a.jsonl', 'in/.hidden', 'in/part.tmp', 'in/folder/', 'out/b']) await put(key, body);
    const landing = s3Landing({ bucket, root: 'in/', client: { ...client, endpoint: proxy.endpoint } });
    context.after(() => landing.close());
    const found: LandedObject[] = [];
    for await (const object of landing.list('in/')) found.push(object);
    assert.deepEqual(
      found.map(({ name, bytes }) => [name, bytes]),
      [['gw/a.jsonl', body.length]],
    );
    const [object] = found as [LandedObject];
    assert.deepEqual(await landing.object('in/gw/a.jsonl').then((one) => one?.lastModifiedMs), object.lastModifiedMs);
    assert.equal(await landing.object('in/nothing'), null);
    const read = async (): Promise<Buffer> => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of object.open()) chunks.push(chunk.slice());
      return Buffer.concat(chunks);
    };
    proxy.plan('GET', 'cut', 'dropBefore');
    assert.ok((await read()).equals(body));
    await put('in/gw/a.jsonl', body.subarray(1));
    await assert.rejects(read(), (error: unknown) => error instanceof KashiError && ['conflict', 'gone'].includes(error.code));
  });
});
