import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { prometheusRemoteWrite } from '../../functions/sources/prometheus-remote-write.ts';
import { decodeMessage, decodeRemoteWrite, MAX_MESSAGE_BYTES, MAX_SAMPLES } from '../../functions/sources/remote-write-message.ts';
import { snappyHeader, unpackSnappyBlock } from '../../functions/sources/snappy-block.ts';
import { gpuReading, message1, message2, snappy, type TestSeries } from '../support/remote-write.ts';
import { headOf } from './frame.ts';
import { parseWith } from './parse-with.ts';

const AT = Date.UTC(2026, 9, 20, 2);
const STALE = 0x7ff0000000000002n;
const QUIET_NAN = 0x7ff8000000000002n;

function faultOf(body: Uint8Array): string {
  const message = decodeRemoteWrite(body);
  return 'fault' in message ? message.fault : `decoded ${message.samples.length} samples`;
}

/** The fixtures were written by Prometheus' own encoders; here both versions of one list must say the same. */
test('1.0 and 2.0 of the same series are the same rows', () => {
  const [one, two] = ['version-1', 'version-2'].map((name) => {
    const bytes = new Uint8Array(readFileSync(join(import.meta.dirname, 'prometheus-remote-write', name, 'input.snappy')));
    const message = decodeRemoteWrite(bytes);
    assert.ok(!('fault' in message));
    assert.deepEqual([message.samples.length, message.histograms, message.exemplars], [12, 1, 1]);
    return { version: message.version, rows: parseWith(prometheusRemoteWrite, bytes, {}, true).rows };
  });
  assert.deepEqual([one?.version, two?.version], ['1.0', '2.0']);
  assert.deepEqual(one?.rows, two?.rows);
});

test('a stale marker is told from another NaN by its bits', () => {
  const series = {
    ...gpuReading(1, AT),
    samples: [
      [STALE, AT],
      [QUIET_NAN, AT],
      [7, AT],
    ] as const,
  };
  const { counts, quarantined, rows } = parseWith(prometheusRemoteWrite, snappy(message1([series])), {}, true);
  assert.deepEqual([counts.valid, counts.blank, quarantined.map(({ reason, line }) => [line, reason])], [1, 1, [[2, 'sentinel']]]);
  assert.equal(rows[0]?.['gpu_util'], '7');
});

test('an empty message is one blank unit, a message that cannot be read one refused unit', () => {
  assert.deepEqual(parseWith(prometheusRemoteWrite, new Uint8Array([0]), {}, true).counts, {
    physical: 1,
    valid: 0,
    blank: 1,
    quarantined: 0,
  });
  const bad = parseWith(prometheusRemoteWrite, new Uint8Array([5, 0, 0x41]), {}, true);
  assert.deepEqual([bad.counts.physical, bad.quarantined[0]?.reason, bad.quarantined[0]?.found], [1, 'wrong_shape', 'no snappy block']);
});

test('the declared length is judged before memory is taken', () => {
  const declared = (length: number): Uint8Array => {
    const bytes: number[] = [];
    let rest = length;
    for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
    return Uint8Array.from([...bytes, rest, 0, 0x41]);
  };
  assert.match(faultOf(declared(MAX_MESSAGE_BYTES + 1)), /declared 67108865/);
  assert.match(faultOf(declared(MAX_MESSAGE_BYTES)), /more than 6 can make/);
  assert.equal(faultOf(declared(2)), 'no snappy block');
  assert.equal(faultOf(new Uint8Array([255, 255, 255, 255, 255])), 'no snappy length');
  assert.equal(faultOf(new Uint8Array(0)), 'no snappy length');
  assert.equal(snappyHeader(new Uint8Array([255, 255, 255, 255, 127])), null);
  assert.deepEqual(snappyHeader(new Uint8Array([255, 255, 255, 255, 15])), { length: 2 ** 32 - 1, start: 5 });
});

test('faults of the message', () => {
  const one = message1([gpuReading(1, AT)]);
  const two = message2([gpuReading(1, AT)]);
  assert.equal(faultOf(snappy(one.subarray(0, one.length - 1))), 'no protobuf message');
  assert.equal(faultOf(snappy(Uint8Array.from([...one, ...two]))), 'fields of both versions');
  assert.equal(faultOf(snappy(Uint8Array.from([0x22, 0, 0x2a, 4, 0x0a, 2, 0, 9]))), 'a label refers to no symbol');
  assert.equal(faultOf(snappy(Uint8Array.from([0x22, 0, 0x2a, 3, 0x0a, 1, 0]))), 'a label refers to no symbol');
  // A group (wire type 3) and field number 0 do not exist in proto3.
  assert.equal(faultOf(snappy(Uint8Array.from([...one, 0x0b, 0x0c]))), 'no protobuf message');
  assert.equal(faultOf(snappy(Uint8Array.from([...one, 0, 1]))), 'no protobuf message');
  // Unknown fields of every wire type are passed over.
  assert.equal(
    faultOf(snappy(Uint8Array.from([...one, 0x48, 200, 1, 0x51, 1, 2, 3, 4, 5, 6, 7, 8, 0x5a, 1, 9, 0x65, 1, 2, 3, 4]))),
    'decoded 1 samples',
  );
});

test('more samples than a message may have', () => {
  const samples = new Uint8Array(2 * (MAX_SAMPLES + 1)).map((_byte, index) => (index % 2 === 0 ? 0x12 : 0));
  const wrap = (inner: Uint8Array): Uint8Array => {
    const length: number[] = [];
    let rest = inner.length;
    for (; rest > 127; rest = Math.floor(rest / 128)) length.push((rest % 128) | 128);
    return Buffer.concat([Uint8Array.from([0x0a, ...length, rest]), inner]);
  };
  const over = decodeMessage(wrap(samples));
  assert.ok('fault' in over && /allowed 1000000 samples/.test(over.fault));
  const at = decodeMessage(wrap(samples.subarray(2)));
  assert.ok(!('fault' in at) && at.samples.length === MAX_SAMPLES);
});

test('labels: a name twice, bytes that are no UTF-8, no name', () => {
  const twice = Uint8Array.from([...message1([gpuReading(1, AT)])]);
  const label = [0x0a, 13, 0x0a, 4, ...Buffer.from('UUID'), 0x12, 5, ...Buffer.from('GPU-2')];
  const series = [...twice.subarray(twice.indexOf(0x0a, 1)), ...label];
  const of = (inner: readonly number[]): unknown => {
    const bytes = Uint8Array.from([
      0x0a,
      ...(inner.length < 128 ? [inner.length] : [(inner.length % 128) | 128, Math.floor(inner.length / 128)]),
      ...inner,
    ]);
    return parseWith(prometheusRemoteWrite, snappy(bytes), {}, true).quarantined.map(({ reason, field }) => [reason, field]);
  };
  assert.deepEqual(of(series), [['wrong_shape', 'labels']]);
  assert.deepEqual(of([...series.slice(0, -1), 0xff].map((byte, index, all) => (index === all.length - 9 ? 0x56 : byte))), [
    ['wrong_shape', 'labels'],
  ]);
  assert.deepEqual(of([0x12, 2, 0x10, 1]), [['missing_field', '__name__']]);
});

type Seed = readonly [name: string, put: string, ends: string | readonly string[]];

/** The seeds of every format (test/fuzz/seeds), as this one holds them: doubles, int64 milliseconds, UTF-8 labels. */
const SEEDS = JSON.parse(readFileSync(join(import.meta.dirname, '..', 'fuzz', 'seeds', 'situations.json'), 'utf8')) as {
  readonly count: { readonly percent: readonly Seed[] };
  readonly time: { readonly ms: readonly Seed[] };
  readonly text: readonly Seed[];
};

for (const [encoding, message] of [
  ['1.0', message1],
  ['2.0', message2],
] as const) {
  const endOf = (series: TestSeries) => {
    const { counts, quarantined, rows } = parseWith(prometheusRemoteWrite, snappy(message([series])), {}, true);
    assert.equal(counts.physical, 1);
    return { end: quarantined[0]?.reason ?? 'valid', row: rows[0] };
  };
  const expectEnd = (found: string, ends: Seed[2]): void => assert.ok([ends].flat().includes(found), `${found}, expected ${ends}`);

  for (const [name, put, ends] of SEEDS.count.percent)
    test(`${encoding}, value: ${name}`, () => {
      const value = put === '+Inf' ? Number.POSITIVE_INFINITY : Number(put);
      const { end, row } = endOf(gpuReading(1, AT, value));
      expectEnd(end, ends);
      if (ends === 'valid') assert.equal(row?.['gpu_util'], String(Math.abs(value)));
    });

  for (const [name, put, ends] of SEEDS.time.ms)
    test(`${encoding}, timestamp: ${name}`, () => expectEnd(endOf(gpuReading(1, Number(put))).end, ends));

  for (const [name, put, ends] of SEEDS.text)
    test(`${encoding}, label: ${name}`, () => {
      const text = put.replace(/^\((.)\*(\d+)\)$/, (_, letter: string, times: string) => letter.repeat(Number(times)));
      const reading = gpuReading(1, AT);
      const { end, row } = endOf({ ...reading, labels: { ...reading.labels, namespace: text, pod: 'p' } });
      expectEnd(end, ends);
      if (ends === 'valid') assert.equal(row?.['namespace'], text);
    });
}

test('whatever the encoder writes, the decoder reads', () => {
  const name = fc.string({ minLength: 1, maxLength: 12, unit: 'grapheme' });
  const series = fc.record({
    labels: fc.dictionary(name, name, { maxKeys: 5 }),
    samples: fc.array(fc.tuple(fc.double(), fc.integer({ min: -(2 ** 45), max: 2 ** 45 })), { minLength: 1, maxLength: 4 }),
  });
  fc.assert(
    fc.property(fc.array(series, { minLength: 1, maxLength: 5 }), (list) => {
      for (const message of [message1(list), message2(list)]) {
        const read = decodeRemoteWrite(snappy(message));
        assert.ok(!('fault' in read));
        assert.deepEqual(
          read.samples.map(({ value, timestampMs }) => [value, timestampMs]),
          list.flatMap((one) => one.samples.map(([value, at]) => [value, at])),
        );
        const labels = read.samples.map((sample) => Object.fromEntries(sample.series.labels() ?? []));
        assert.deepEqual(
          labels,
          list.flatMap((one) => one.samples.map(() => ({ ...one.labels }))),
        );
      }
    }),
    { numRuns: 200 },
  );
});

test('no bytes make it throw, and a block that is cut is never read', () => {
  const body = snappy(message1([gpuReading(1, AT), gpuReading(2, AT)]));
  for (let cut = 0; cut < body.length; cut++)
    assert.ok('fault' in unpackSnappyBlock(body.subarray(0, cut), MAX_MESSAGE_BYTES), `cut at ${cut}`);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(), fc.nat(255), (noise, at, byte) => {
      const bent = body.slice();
      bent[at % bent.length] = byte;
      for (const bytes of [noise, bent]) {
        faultOf(bytes);
        decodeMessage(bytes);
        prometheusRemoteWrite.detect({ text: '', json: undefined, bytes });
        parseWith(prometheusRemoteWrite, bytes, {}, true);
      }
    }),
    { numRuns: 500 },
  );
});

test('detection: every message, long first labels too; never text', () => {
  const long = { labels: { __name__: 'm'.repeat(300), a: 'b'.repeat(20_000) }, samples: [[1, AT]] as const };
  for (const list of [[gpuReading(1, AT)], [long], Array.from({ length: 3_000 }, (_item, index) => gpuReading(index, AT))]) {
    for (const message of [message1(list), message2(list)]) assert.ok(prometheusRemoteWrite.detect(headOf(snappy(message))));
  }
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', maxLength: 200 }),
      (text) => !prometheusRemoteWrite.detect(headOf(new TextEncoder().encode(text))),
    ),
    { numRuns: 2_000 },
  );
});
