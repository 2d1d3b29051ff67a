/**
 * A collector's load on a receiver: every request carries one reading of each series, every tenth request is sent twice. What was accepted is
 * ingested and counted in the facts. The test runs a small one; `node test/receive/load.ts 10000 1000` runs any size and says how long it took.
 */
import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { json, kashi } from '../cli/run.ts';
import { message1, snappy } from '../support/remote-write.ts';
import { type Post, postAll, receiveCentre } from './process.ts';

const AT = Date.UTC(2026, 9, 20, 2);
/** Stored metrics, one series of each per device. */
const METRICS = [
  'DCGM_FI_DEV_GPU_UTIL',
  'DCGM_FI_DEV_SM_CLOCK',
  'DCGM_FI_DEV_POWER_USAGE',
  'DCGM_FI_DEV_FB_USED',
  'DCGM_FI_DEV_GPU_TEMP',
  'DCGM_FI_PROF_PIPE_TENSOR_ACTIVE',
  'DCGM_FI_PROF_SM_ACTIVE',
  'DCGM_FI_PROF_GR_ENGINE_ACTIVE',
] as const;
const REPEAT_EVERY = 10;
/** Posts made ahead of sending, so that memory stays small. */
const PORTION = 200;

export interface LoadResult {
  readonly requests: number;
  readonly accepted: number;
  readonly readings: number;
  readonly sendSeconds: number;
  readonly ingestSeconds: number;
}

/** Percentages, so that every metric can take it. */
function percentOf(index: number, device: number): number {
  return ((index * 7 + device) % 100) / 100;
}

/** Encodes requests of one set of series; the labels are encoded once. */
function remoteWriteOf(devices: number): (index: number) => Post {
  const labels = Array.from({ length: devices }, (_item, device) =>
    METRICS.map((metric) => {
      const encoded = message1([{ labels: { __name__: metric, Hostname: 'n1', UUID: `GPU-${device}`, gpu: String(device) }, samples: [] }]);
      return Buffer.from(encoded.subarray(2));
    }),
  ).flat();
  return (index) => {
    const body = labels.flatMap((inner, place) => {
      const sample = sampleBytes(percentOf(index, Math.floor(place / METRICS.length)), AT + index * 1000);
      const length = inner.length + sample.length;
      assert.ok(inner.length < 128);
      return [Buffer.from(length < 128 ? [10, length] : [10, (length & 127) | 128, length >> 7]), inner, sample];
    });
    return {
      path: '/api/v1/write',
      headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy', 'x-prometheus-remote-write-version': '0.1.0' },
      body: snappy(Buffer.concat(body)),
    };
  };
}

/** prometheus.Sample as field 2: a double, and a timestamp of six bytes. */
function sampleBytes(value: number, timestampMs: number): Buffer {
  const bytes = Buffer.alloc(18);
  bytes.set([18, 16, 9]);
  bytes.writeDoubleLE(value, 3);
  bytes[11] = 16;
  let rest = timestampMs;
  for (let at = 12; at < 18; at++) {
    bytes[at] = (rest % 128) | (at < 17 ? 128 : 0);
    rest = Math.floor(rest / 128);
  }
  assert.equal(rest, 0);
  return bytes;
}

function otlpOf(devices: number): (index: number) => Post {
  return (index) => {
    const metrics = METRICS.map((name) => {
      const dataPoints = Array.from({ length: devices }, (_item, device) => ({
        asDouble: percentOf(index, device),
        timeUnixNano: `${AT + index * 1000}000000`,
        attributes: [
          { key: 'UUID', value: { stringValue: `GPU-${device}` } },
          { key: 'Hostname', value: { stringValue: 'n1' } },
        ],
      }));
      return { name, gauge: { dataPoints } };
    });
    const body = gzipSync(JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics }] }] }), { level: 1 });
    return { path: '/v1/metrics', headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' }, body };
  };
}

/** Even requests are remote write, odd ones OTLP. `series` is a multiple of the metrics. Errors: an assertion when one reading is lost or doubled. */
export async function runLoad(requests: number, series: number, say: (text: string) => void = () => {}): Promise<LoadResult> {
  const devices = series / METRICS.length;
  assert.ok(Number.isInteger(devices), `series: a multiple of ${METRICS.length}`);
  const makers = [remoteWriteOf(devices), otlpOf(devices)];
  const centre = receiveCentre();
  try {
    const receiver = await centre.start();
    let accepted = 0;
    const started = performance.now();
    for (let from = 0; from < requests; from += PORTION) {
      const indices = Array.from({ length: Math.min(PORTION, requests - from) }, (_item, place) => from + place);
      const posts = indices.flatMap((index) => {
        const post = (makers[index % 2] as (index: number) => Post)(index);
        return index % REPEAT_EVERY < 2 ? [post, post] : [post];
      });
      const sent = await postAll(receiver, posts, 8);
      assert.equal(sent.size, posts.length, 'every request is accepted');
      accepted += sent.size;
      say(`${accepted} requests accepted`);
    }
    const sendSeconds = (performance.now() - started) / 1000;
    assert.equal(await receiver.kill('SIGTERM'), 0);
    const ingestStarted = performance.now();
    const at = { cwd: centre.directory };
    const run = kashi(['ingest', centre.landing, '--json'], at);
    assert.equal(run.code, 0, run.stderr + JSON.stringify(json<{ held: unknown }>(run).held).slice(0, 1000));
    const { total } = json<{ total: { residual: string | number; quarantined: string | number } }>(run);
    assert.deepEqual([Number(total.residual), Number(total.quarantined)], [0, 0]);
    const ingestSeconds = (performance.now() - ingestStarted) / 1000;
    const sums = METRICS_COLUMNS.map((column) => `sum(${column}) as ${column}, count(${column}) as n_${column}`).join(', ');
    const query = `select count(*) as n, ${sums} from fct_gpu_sample`;
    const answer = kashi(['query', query, '--format', 'json'], at);
    assert.equal(answer.code, 0, answer.stderr);
    const [found = {}] = json<Record<string, string | number>[]>(answer);
    let cents = 0;
    for (let index = 0; index < requests; index++)
      for (let device = 0; device < devices; device++) cents += Math.round(percentOf(index, device) * 100);
    assert.equal(Number(found['n']), devices * requests, 'samples');
    for (const column of METRICS_COLUMNS) {
      assert.equal(Number(found[`n_${column}`]), devices * requests, column);
      assert.equal(Math.round(Number(found[column]) * 100), cents, column);
    }
    return { requests, accepted, readings: series * requests, sendSeconds, ingestSeconds };
  } finally {
    centre.remove();
  }
}

const METRICS_COLUMNS = [
  'gpu_util',
  'sm_clock_mhz',
  'power_watts',
  'memory_used_mib',
  'temperature_c',
  'tensor_active',
  'sm_active',
  'engine_active',
] as const;

if (import.meta.main) {
  const [requests = 10_000, series = 1_000] = process.argv.slice(2).map(Number);
  const result = await runLoad(requests, series, (text) => process.stderr.write(`\r${text} `));
  process.stdout.write(`\n${JSON.stringify(result, null, 1)}\n`);
}
