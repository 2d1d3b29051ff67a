/** What a deploy adds to the stages, as plain functions: messages, requests, listings, the month that is next. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isRecent } from '../../functions/adapters/landing-days-s3.ts';
import { memoryStore } from '../../functions/adapters/store-memory.ts';
import type { Preview } from '../../functions/close/close.ts';
import { closeMessage } from '../../functions/cloud/close-message.ts';
import { lastDays } from '../../functions/cloud/days.ts';
import { answerGateway, type GatewayRequest } from '../../functions/cloud/gateway.ts';
import { announcedObject, announcement } from '../../functions/cloud/landed-message.ts';
import { missingObjects } from '../../functions/cloud/missing.ts';
import { routedStore } from '../../functions/cloud/routed-store.ts';
import { BILLS_PREFIXES } from '../../functions/contract.ts';
import { markSeen } from '../../functions/ledger/commit.ts';
import type { HttpService } from '../../functions/ports.ts';

describe('an announcement', () => {
  test('of S3 names key and version as they are', () => {
    const body = JSON.stringify({ detail: { bucket: { name: 'b' }, object: { key: 'gw/日志 1+2.jsonl', 'version-id': 'v7' } } });
    assert.deepEqual(announcedObject(body), { key: 'gw/日志 1+2.jsonl', versionId: 'v7' });
  });
  test('of the reconciler names the newest version', () => assert.deepEqual(announcedObject(announcement('a/b')), { key: 'a/b' }));
  for (const body of ['', 'no json', 'null', '[]', '{}', '{"detail":{"object":{"key":7}}}', '{"detail":{"object":{"key":""}}}'])
    test(`is refused: ${body || 'nothing'}`, () => assert.throws(() => announcedObject(body), /not an announcement/));
});

describe('folders of days', () => {
  const cases: readonly (readonly [string, string | null, boolean])[] = [
    ['gw/2026/10/05/', '2026-10-05', true],
    ['gw/2026/10/04/', '2026-10-05', false],
    ['gw/2026/10/', '2026-10-05', true],
    ['gw/2026/09/', '2026-10-05', false],
    ['gw/2025/', '2026-01-01', false],
    ['gw/2026/', '2026-12-31', true],
    ['gw/', '2026-10-05', true],
    ['gw/model-2025/', '2026-10-05', true],
    ['gw/2025/10/05/', null, true],
  ];
  for (const [folder, since, expected] of cases)
    test(`${folder} since ${since}: ${expected ? 'looked at' : 'passed over'}`, () => assert.equal(isRecent(folder, since), expected));
  test('of a run are whole UTC days', () => assert.deepEqual(lastDays(Date.UTC(2026, 2, 1, 0, 30), 2), ['2026-02-28', '2026-03-01']));
});

test('what landed and is not in is found, what is on its way is counted only', async () => {
  const store = memoryStore();
  const nowMs = Date.UTC(2026, 9, 5, 12);
  const object = (name: string, ageS: number) => ({ name, bytes: 1, lastModifiedMs: nowMs - ageS * 1000 });
  const [done, lost, fresh] = [object('done', 3600), object('lost', 1800), object('fresh', 5)];
  await markSeen(store, done!, 'c'.repeat(64));
  async function* landed() {
    yield* [done!, lost!, fresh!];
  }
  assert.deepEqual(await missingObjects(store, landed(), nowMs, 600_000), { names: ['lost'], all: 2, oldestSeconds: 1800 });
});

test('bills lie in one store and everything else in the other', async () => {
  const [warehouse, bills] = [memoryStore(), memoryStore()];
  const store = routedStore(warehouse, bills, BILLS_PREFIXES);
  for (const key of ['data/x', '_snap/1', 'bills/2026-10/000.json', 'closes/2026-10.json', 'objects/ab'])
    await store.putIfAbsent(key, Buffer.from(key));
  const keys = async (one: typeof store, prefix = ''): Promise<string[]> => {
    const found: string[] = [];
    for await (const { key } of one.list(prefix)) found.push(key);
    return found;
  };
  assert.deepEqual(await keys(warehouse), ['_snap/1', 'data/x']);
  assert.deepEqual(await keys(bills), ['bills/2026-10/000.json', 'closes/2026-10.json', 'objects/ab']);
  assert.deepEqual(await keys(store, 'bills/'), ['bills/2026-10/000.json']);
  assert.equal(Buffer.from((await store.get('objects/ab')) ?? []).toString(), 'objects/ab');
});

describe('a request of the gateway', () => {
  const service: HttpService = {
    admit: ({ method, path, header }) =>
      path === '/closed'
        ? { status: 404, headers: {}, body: 'no' }
        : {
            maxBodyBytes: 4,
            accept: async (body) => ({
              status: 200,
              headers: { 'x-method': method },
              body: `${Buffer.from(body).toString()} ${header('x-one')}`,
            }),
            refuse: (status, body) => ({ status, headers: {}, body }),
          },
  };
  const request = (more: Partial<GatewayRequest>): GatewayRequest => ({
    rawPath: '/open',
    headers: { 'x-one': '1' },
    requestContext: { http: { method: 'POST' } },
    isBase64Encoded: false,
    ...more,
  });
  test('is answered', async () =>
    assert.deepEqual(await answerGateway(service, request({ body: 'body' })), {
      statusCode: 200,
      headers: { 'x-method': 'POST' },
      body: 'body 1',
    }));
  test('in base64 is what it was', async () =>
    assert.equal(
      (await answerGateway(service, request({ body: Buffer.from('日').toString('base64'), isBase64Encoded: true }))).body,
      '日 1',
    ));
  test('that is too large is refused', async () =>
    assert.equal((await answerGateway(service, request({ body: '12345' }))).statusCode, 413));
  test('that is not admitted is not read', async () =>
    assert.equal((await answerGateway(service, request({ rawPath: '/closed' }))).statusCode, 404));
});

test('a message about a month has a title that fits a subject, and stays short however much is in the way', () => {
  const hindrances = Array.from({ length: 1000 }, (_, index) => ({
    subject: `held:${index}`,
    problem: 'x'.repeat(300),
    waivable: index > 0,
  }));
  const bill = { total: '99999999999999999999999999999999999.99', currency: 'CNY', bills: [] };
  const preview = { state: 'refused', sha256: 'a'.repeat(64), bill, hindrances, equations: [] } as unknown as Preview;
  const message = closeMessage('2026-10', preview);
  assert.match(message, /^Bill 2026-10: cannot be closed yet\n/);
  assert.match(message, /held:0: x+ \(must be mended\)\n/);
  assert.match(message, /… and 960 more$/);
  assert.ok(Buffer.byteLength(message) < 200 * 1024);
  assert.ok((closeMessage('2026-10', { ...preview, state: 'ready' }).split('\n')[0] ?? '').length <= 100);
});
