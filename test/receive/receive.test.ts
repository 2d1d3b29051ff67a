/** The receiver as a process, over real connections: load, kills, and everything a sender can get wrong. */
import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { testCentre } from '../support/centre.ts';
import { gpuReading, message1, message2, otlpReading, snappy } from '../support/remote-write.ts';
import { type Answer, type Post, post, postAll, type ReceiveCentre, type Receiver, readLanding, receiveCentre } from './process.ts';

const AT = Date.UTC(2026, 9, 20, 2);
const V1 = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy', 'x-prometheus-remote-write-version': '0.1.0' };
const V2 = { 'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request', 'content-encoding': 'snappy' };
const JSON_TYPE = { 'content-type': 'application/json' };

/** Every fourth request is 1.0, 2.0, OTLP, gzipped OTLP; each has a reading that no other has. */
function requestOf(index: number): Post {
  const reading = gpuReading(index, AT + index);
  if (index % 4 === 0) return { path: '/api/v1/write', headers: V1, body: snappy(message1([reading])) };
  if (index % 4 === 1) return { path: '/api/v1/write', headers: V2, body: snappy(message2([reading])) };
  const json = Buffer.from(JSON.stringify(otlpReading(index, AT + index), null, index % 8 === 2 ? 2 : 0));
  if (index % 4 === 2) return { path: '/v1/metrics', headers: JSON_TYPE, body: json };
  return { path: '/v1/metrics', headers: { ...JSON_TYPE, 'content-encoding': 'gzip' }, body: gzipSync(json) };
}

function missing(accepted: Iterable<number>, rows: readonly { readonly [column: string]: unknown }[]): number[] {
  const found = new Set(rows.map((row) => `${row['device_id']}|${row['sampled_at_ms']}`));
  return [...accepted].filter((index) => !found.has(`GPU-${index}|${AT + index}`));
}

test('2,000 requests over 8 connections, killed twice in between: everything that was accepted is found', async (t) => {
  const centre = receiveCentre();
  t.after(() => centre.remove());
  const posts = Array.from({ length: 2_000 }, (_item, index) => requestOf(index));
  const accepted = new Set<number>();
  for (const killAt of [400, 1_100]) {
    const receiver = await centre.start();
    const from = accepted.size;
    const left = posts.map((_post, index) => index).filter((index) => !accepted.has(index));
    let dead = false;
    let count = 0;
    const killer = (async () => {
      // The kill comes while requests are under way.
      while (count + from < killAt) await new Promise((resolve) => setTimeout(resolve, 2));
      await receiver.kill('SIGKILL');
      dead = true;
    })();
    const sent = await postAll(
      receiver,
      left.map((index) => posts[index]!),
      8,
      () => {
        count++;
        return dead;
      },
    );
    await killer;
    for (const index of sent) accepted.add(left[index]!);
  }
  assert.ok(accepted.size > 900 && accepted.size < 2_000, `${accepted.size} accepted before the last start`);
  assert.ok(readdirSync(join(centre.landing, '.receive')).length > 0, 'the kills left files behind');
  centre.age();
  const last = await centre.start();
  const left = posts.map((_post, index) => index).filter((index) => !accepted.has(index));
  const sent = await postAll(
    last,
    left.map((index) => posts[index]!),
    8,
  );
  assert.equal(sent.size, left.length);
  for (const index of left) accepted.add(index);
  assert.equal((await post(last, { path: '/healthz', headers: {}, body: new Uint8Array(0) }, undefined, 'GET'))?.status, 200);
  assert.equal(await last.kill('SIGTERM'), 0);
  assert.match(last.output(), /"answers"/);
  assert.deepEqual(readdirSync(join(centre.landing, '.receive')), [], 'everything was handed over');

  const landed = await readLanding(centre.landing);
  assert.deepEqual(missing(accepted, landed.rows), []);
  assert.deepEqual([landed.quarantined, landed.unknown, [...landed.sources].sort()], [0, [], ['otlp-metrics', 'prometheus-remote-write']]);
  assert.ok(landed.objects < 1_030, `${landed.objects} objects: OTLP requests share theirs`);
});

test('what lands is ingested and held as documented', async (t) => {
  const centre = receiveCentre();
  t.after(() => centre.remove());
  const receiver = await centre.start();
  for (const index of [0, 1, 2, 3, 0]) assert.ok((await post(receiver, requestOf(index))) !== null);
  const span = {
    traceId: 'a'.repeat(32),
    spanId: 'b'.repeat(16),
    startTimeUnixNano: `${AT}000000`,
    attributes: [
      { key: 'gen_ai.operation.name', value: { stringValue: 'chat' } },
      { key: 'gen_ai.usage.input_tokens', value: { intValue: '7' } },
      { key: 'gen_ai.usage.output_tokens', value: { intValue: '3' } },
    ],
  };
  const traces = { resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] };
  const logs = { resourceLogs: [{ scopeLogs: [{ logRecords: [{ body: { stringValue: 'x' } }] }] }] };
  for (const [path, body] of [
    ['/v1/traces', traces],
    ['/v1/logs', logs],
    ['/v1/metrics', {}],
  ] as const) {
    const answer = await post(receiver, { path, headers: JSON_TYPE, body: Buffer.from(JSON.stringify(body)) });
    assert.deepEqual([answer?.status, answer?.body], [200, '{}']);
  }
  assert.equal(await receiver.kill('SIGTERM'), 0);

  const ingested = testCentre(centre.directory, new Date(AT + 3_600_000));
  t.after(() => ingested.remove());
  const report = await ingested.ingest();
  assert.deepEqual(
    report.sources.map(({ source, objects, known, held, physical, valid, rows }) => [source, objects, known, held, physical, valid, rows]),
    [
      ['otel-genai', 1, 0, 0, 1, 1, 1],
      ['otlp-metrics', 1, 0, 0, 2, 2, 2],
      // The repeated request is a third object with known content.
      ['prometheus-remote-write', 3, 1, 0, 2, 2, 2],
      ['unknown', 1, 0, 1, 0, 0, 0],
    ],
  );
  assert.equal(report.held[0]?.reason, 'source_unknown');
  assert.match(report.held[0]?.name ?? '', /^otlp-logs\/edge-1\/\d{4}\/\d\d\/\d\d\/\d+-[0-9a-f-]+\.jsonl$/);
});

describe('requests', () => {
  const TOKEN = 'a-token-of-edge-a-1234';
  let centre: ReceiveCentre;
  let receiver: Receiver;

  before(async () => {
    centre = receiveCentre();
    const tokens = join(centre.directory, 'tokens');
    writeFileSync(tokens, `# site token\nedge-a ${TOKEN}\nedge-a the-next-token-of-edge-a\nedge-b a-token-of-edge-b-1234 # b\n`);
    receiver = await centre.start('--token-file', tokens);
  });
  after(async () => {
    await receiver.kill('SIGTERM');
    const { unknown, quarantined } = await readLanding(centre.landing);
    centre.remove();
    assert.deepEqual([unknown, quarantined], [[], 0], 'only what was accepted has landed');
  });

  const send = async (
    path: string,
    headers: Record<string, string>,
    body: Uint8Array | string,
    method = 'POST',
    token = TOKEN,
  ): Promise<Answer | null> =>
    await post(receiver, { path, headers: { authorization: `Bearer ${token}`, ...headers }, body: Buffer.from(body) }, undefined, method);
  const good = snappy(message1([gpuReading(1, AT)]));
  const metrics = JSON.stringify(otlpReading(1, AT));

  test('tokens: none, wrong, almost right, of the other scheme; each good one lands at its own site', async () => {
    for (const authorization of [
      '',
      'Bearer',
      'Bearer wrong-token-0123456789',
      `Bearer ${TOKEN}x`,
      `Bearer ${TOKEN.slice(1)}`,
      `Basic ${TOKEN}`,
      `Bearer ${TOKEN} ${TOKEN}`,
    ]) {
      const answer = await send('/api/v1/write', { ...V1, authorization }, good);
      assert.deepEqual([answer?.status, answer?.headers['www-authenticate']], [401, 'Bearer'], authorization);
    }
    const refused = await send('/v1/metrics', { ...JSON_TYPE, authorization: '' }, metrics);
    assert.deepEqual(
      [refused?.status, JSON.parse(refused?.body ?? '')],
      [401, { code: 16, message: 'a bearer token of a site is needed' }],
    );
    for (const token of [TOKEN, 'the-next-token-of-edge-a', 'a-token-of-edge-b-1234'])
      assert.equal((await send('/api/v1/write', V1, good, 'POST', token))?.status, 204);
    assert.deepEqual(readdirSync(join(centre.landing, 'prometheus-remote-write')).sort(), ['edge-a', 'edge-b']);
  });

  test('paths and methods', async () => {
    assert.equal((await send('/api/v1/read', V1, good))?.status, 404);
    assert.equal((await send('/api/v1/write', V1, '', 'GET'))?.headers['allow'], 'POST');
    assert.equal((await send('/v1/metrics', JSON_TYPE, metrics, 'PUT'))?.status, 405);
    assert.equal((await send('/healthz', { authorization: '' }, '', 'GET'))?.body, 'ok\n');
    assert.equal((await send('/api/v1/write?x=1', V1, good))?.status, 204);
  });

  test('content types and encodings', async () => {
    const write = async (headers: Record<string, string>, body = good): Promise<number | undefined> =>
      (await send('/api/v1/write', headers, body))?.status;
    assert.equal(await write({ ...V1, 'content-type': 'application/json' }), 415);
    assert.equal(await write({ 'content-encoding': 'snappy' }), 415);
    assert.equal(await write({ ...V1, 'content-type': 'application/x-protobuf;proto=io.prometheus.write.v3.Request' }), 415);
    assert.equal(await write({ ...V1, 'content-encoding': 'gzip' }), 415);
    assert.equal(await write({ 'content-type': 'application/x-protobuf' }), 204);
    assert.equal(await write({ ...V1, 'content-type': 'Application/X-Protobuf; proto=prometheus.WriteRequest' }), 204);
    assert.equal(await write(V2), 400);
    assert.equal(await write(V1, snappy(message2([gpuReading(1, AT)]))), 400);
    const otlp = await send('/v1/metrics', { 'content-type': 'application/x-protobuf' }, good);
    assert.equal(otlp?.status, 415);
    assert.match(JSON.parse(otlp?.body ?? '').message, /protobuf is not read here/);
    assert.equal((await send('/v1/metrics', { 'content-type': 'text/plain' }, metrics))?.status, 415);
    assert.equal((await send('/v1/metrics', { ...JSON_TYPE, 'content-encoding': 'zstd' }, metrics))?.status, 415);
    assert.equal((await send('/v1/metrics', { 'content-type': 'application/json; charset=utf-8' }, metrics))?.status, 200);
  });

  test('2.0 is told how much was stored', async () => {
    const list = [
      gpuReading(1, AT),
      {
        ...gpuReading(2, AT),
        samples: [
          [1, AT],
          [2, AT + 1],
        ] as const,
      },
    ];
    const answer = await send('/api/v1/write', V2, snappy(message2(list)));
    const written = ['samples', 'histograms', 'exemplars'].map((kind) => answer?.headers[`x-prometheus-remote-write-${kind}-written`]);
    assert.deepEqual([answer?.status, ...written], [204, '3', '0', '0']);
    assert.equal((await send('/api/v1/write', V1, new Uint8Array([0])))?.status, 204, 'an empty message is no fault');
  });

  test('bodies that are none are refused for good', async () => {
    for (const body of [
      new Uint8Array(0),
      good.subarray(0, 20),
      Buffer.from('hello'),
      new Uint8Array([255, 255, 255, 255, 15, 0]),
      Buffer.concat([good, good]),
    ]) {
      assert.equal((await send('/api/v1/write', V1, body))?.status, 400);
    }
    for (const body of [
      '',
      '{',
      '[]',
      '7',
      '{"resourceMetrics":{}}',
      '{"resourceSpans":[1]}',
      '\ufeff{}',
      Buffer.from([0x22, 0xff, 0x22]),
    ]) {
      assert.equal((await send('/v1/metrics', JSON_TYPE, body))?.status, 400, String(body));
    }
    const gzip = { ...JSON_TYPE, 'content-encoding': 'gzip' };
    assert.equal((await send('/v1/metrics', gzip, metrics))?.status, 400);
    assert.equal((await send('/v1/metrics', gzip, gzipSync(metrics).subarray(0, -3)))?.status, 400);
  });

  test('bodies at and above the limit, announced, not announced, and after decompression', async () => {
    const limit = 8 * 1024 ** 2 - 1;
    const padded = (bytes: number): string => metrics + ' '.repeat(bytes - metrics.length);
    assert.equal((await send('/v1/metrics', JSON_TYPE, padded(limit)))?.status, 200);
    assert.equal((await send('/v1/metrics', JSON_TYPE, padded(limit + 1)))?.status, 413);
    const gzip = { ...JSON_TYPE, 'content-encoding': 'gzip' };
    assert.equal((await send('/v1/metrics', gzip, gzipSync(padded(limit))))?.status, 200);
    assert.equal((await send('/v1/metrics', gzip, gzipSync(padded(limit + 1))))?.status, 413);
    assert.equal((await send('/v1/metrics', gzip, gzipSync(Buffer.alloc(200 * 1024 ** 2, 0x20))))?.status, 413);
    const chunked = { ...JSON_TYPE, 'transfer-encoding': 'chunked' };
    assert.ok([413, undefined].includes((await send('/v1/metrics', chunked, padded(limit + 2 * 1024 ** 2)))?.status));
    assert.equal((await send('/healthz', {}, '', 'GET'))?.status, 200);
  });
});

test('configurations that cannot work are refused before anything listens', async (t) => {
  const centre = receiveCentre();
  t.after(() => centre.remove());
  const tokens = join(centre.directory, 'tokens');
  const refused = async (...options: string[]): Promise<string> =>
    await centre.start(...options).then(
      () => 'started',
      (error: Error) => error.message,
    );
  assert.match(await refused('--listen', '0.0.0.0:0'), /exit 2: .*"code": "usage".*needs tokens/s);
  assert.match(await refused('--listen', 'nowhere'), /not an address/);
  assert.match(await refused('--site', '../up'), /cannot be part of a landed name/);
  assert.match(await refused('--batch-seconds', '0'), /not a number of seconds/);
  assert.match(await refused('--token-file', tokens), /config_missing/);
  for (const [text, message] of [
    ['', 'no token'],
    ['edge-a sh0rt-secret', 'too short'],
    ['edge-a', 'not a site and its token'],
    ['../x 0123456789abcdef', 'not a site'],
    ['a 0123456789abcdef\nb 0123456789abcdef', 'one token for two sites'],
  ] as const) {
    writeFileSync(tokens, text);
    const answer = await refused('--token-file', tokens);
    assert.match(answer, new RegExp(message));
    assert.doesNotMatch(answer, /0123456789abcdef|sh0rt-secret/);
  }
});
