/** expected.json against a second, small reading of the raw files that shares no code with the generator, and against amounts worked out by hand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExpectedWorkload } from '../../functions/generate/totals.ts';
import { type Made, make, repeatedFiles } from './memory-sink.ts';

const SHANGHAI_MS = 8 * 3_600_000;
const PERIOD_START = Date.parse('2026-10-01T00:00:00+08:00');
const PERIOD_END = Date.parse('2026-11-01T00:00:00+08:00');

const demo = make();

function parsed(line: string): Record<string, unknown> | null {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return null;
  }
}

function workload(made: Made, id: string): ExpectedWorkload {
  const found = made.expected.workloads.filter(({ workload_id }) => workload_id === id);
  assert.equal(found.length, 1, id);
  return found[0]!;
}

test('LiteLLM rows, read raw and once each, hold the planted requests', async () => {
  const made = await demo;
  const counts = { charged: 0, failure: 0, cache_hit: 0, absent_usage: 0 };
  const seen = new Set<unknown>();
  for (const line of made.sink.lines('litellm/', repeatedFiles(made))) {
    const row = parsed(line);
    // Spoiled rows have ids of their own.
    if (row === null || String(row['litellm_call_id']).startsWith('call-bad-') || seen.has(row['litellm_call_id'])) continue;
    seen.add(row['litellm_call_id']);
    if (row['status'] === 'failure') counts.failure++;
    else if (row['cache_hit'] === true) counts.cache_hit++;
    else counts.charged++;
  }
  assert.deepEqual(counts, made.expected.requests['litellm']);
  assert.ok(counts.failure > 100 && counts.cache_hit > 100);
});

test('a failed attempt and its retry share a trace', async () => {
  const made = await demo;
  const traces = new Map<unknown, unknown[]>();
  for (const line of made.sink.lines('litellm/edge-east', repeatedFiles(made))) {
    const row = parsed(line);
    if (row !== null) traces.set(row['trace_id'], [...(traces.get(row['trace_id']) ?? []), row['status']]);
  }
  const retried = [...traces.values()].filter((statuses) => statuses[0] === 'failure' && statuses[1] === 'success');
  assert.ok(retried.length > 30, `${retried.length} retried`);
});

/** Milliseconds of [start, end) inside the period, for two ISO instants. */
function insidePeriod(start: number, end: number): bigint {
  return BigInt(Math.max(0, Math.min(end, PERIOD_END) - Math.max(start, PERIOD_START)));
}

test('pod events, read raw, hold the planted GPU time', async () => {
  const made = await demo;
  const found = new Map<string, bigint>();
  const seen = new Set<string>();
  for (const line of made.sink.lines('kubernetes-pods/', repeatedFiles(made))) {
    const event = parsed(line) as { type: string; object: PodObject } | null;
    if (event === null || event.type !== 'DELETED' || seen.has(event.object.metadata.uid)) continue;
    const { metadata, status, spec } = event.object;
    if (metadata.uid === undefined || metadata.creationTimestamp === 'soon') continue;
    seen.add(metadata.uid);
    const [resource = '', count = '0'] = Object.entries(spec.containers[0]!.resources.limits)[0]!;
    const millionths = resource.includes('mig-3g') ? 428_571n : BigInt(count) * 1_000_000n;
    const end = status.containerStatuses[0]!.state.terminated?.finishedAt ?? metadata.deletionTimestamp;
    const start = status.conditions[0]!.lastTransitionTime;
    const name = metadata.labels['batch.kubernetes.io/job-name'] ?? metadata.labels['app'];
    const id = `${metadata.namespace}/${name}`;
    found.set(id, (found.get(id) ?? 0n) + (millionths * insidePeriod(Date.parse(start), Date.parse(end))) / 1_000_000n);
  }
  const planted = made.expected.workloads.filter(({ workload_id }) => !workload_id.startsWith('hq-batch/'));
  assert.deepEqual([...found].sort(), planted.map((one): [string, bigint] => [one.workload_id, BigInt(one.gpu_ms_in_period)]).sort());
});

interface PodObject {
  metadata: { uid: string; namespace: string; creationTimestamp: string; deletionTimestamp: string; labels: Record<string, string> };
  spec: { containers: { resources: { limits: Record<string, string> } }[] };
  status: { conditions: { lastTransitionTime: string }[]; containerStatuses: { state: { terminated?: { finishedAt: string } } }[] };
}

test('sacct lines, read raw, hold the planted GPU time', async () => {
  const made = await demo;
  const found = new Map<string, bigint>();
  for (const line of made.sink.lines('slurm-sacct/')) {
    const cells = line.split('|');
    const [id = '', state = ''] = [cells[0], cells[16]];
    if (!/^\d+(_\d+)?$/.test(id) || !/^(COMPLETED|FAILED|TIMEOUT|NODE_FAIL|CANCELLED by \d+)$/.test(state)) continue;
    const gpus = BigInt(/gres\/gpu=(\d+)/.exec(line)?.[1] ?? '0');
    const [start = 0, end = 0] = [cells[12], cells[13]].map((text) => Date.parse(`${text}Z`) - SHANGHAI_MS);
    // A repeated line says the same again.
    found.set(`hq-batch/${id}`, gpus * insidePeriod(start, end));
  }
  const planted = made.expected.workloads.filter(({ workload_id }) => workload_id.startsWith('hq-batch/'));
  assert.deepEqual([...found].sort(), planted.map((one): [string, bigint] => [one.workload_id, BigInt(one.gpu_ms_in_period)]).sort());
});

test('the mean of the raw readings is the planted HFU', async () => {
  const made = await demo;
  const boost = { h800: 1830, a100: 1410 } as const;
  const checked = ['research/bert-sweep', 'research/llama-pretrain', 'search/vision-eval', 'robotics/notebook', 'ads/ranking-gang'];
  for (const id of checked) {
    const [namespace, name] = id.split('/');
    const reading = new RegExp(`UUID="([^"]+)".*namespace="${namespace}",pod="${name}-[^"]+"} (\\S+) (\\d+)$`);
    const values = new Map<string, { tensor?: number; clock?: number }>();
    for (const line of made.sink.lines('dcgm-text/', repeatedFiles(made))) {
      const match = reading.exec(line);
      if (match === null) continue;
      const key = `${match[1]} ${match[3]}`;
      const known = values.get(key) ?? {};
      values.set(key, known);
      // The first reading of a device and instant counts; a spoiled one follows it.
      if (line.startsWith('DCGM_FI_PROF_PIPE')) known.tensor ??= Number(match[2]);
      if (line.startsWith('DCGM_FI_DEV_SM_CLOCK')) known.clock ??= Number(match[2]);
    }
    const products = [...values.values()]
      .filter(({ tensor }) => tensor !== undefined)
      .map(({ tensor = 0, clock = 0 }) => (tensor * clock) / boost.h800);
    const mean = products.reduce((sum, value) => sum + value, 0) / products.length;
    assert.ok(Math.abs(mean - Number(workload(made, id).hfu)) < 0.005, `${id}: ${mean} for ${workload(made, id).hfu}`);
  }
});

test('the planted situations are judged as planted', async () => {
  const made = await demo;
  const judged = (id: string): string => workload(made, id).adjustment;
  assert.equal(judged('research/bert-sweep'), 'penalty');
  assert.equal(judged('research/llama-pretrain'), 'reward');
  assert.equal(judged('search/vision-eval'), 'unrated');
  assert.equal(judged('ads/ranking-gang'), 'none');
  // 27.9 million tokens in ten minutes on four devices: tokens × 46 872 944 640 FLOP ÷ (4 × seconds × 989.4e12).
  const progress = made.sink.lines('training-progress/').filter((line) => /^research\/llama-pretrain,[^,]+Z,[^,]+Z,\d{5,12}$/.test(line));
  const tokens = [...new Set(progress)].reduce((sum, line) => sum + Number(line.split(',')[3]), 0);
  const { mfu, gpu_ms_in_period: gpuMs } = workload(made, 'research/llama-pretrain');
  assert.ok(Math.abs((tokens * 46_872_944_640) / ((Number(gpuMs) / 1000) * 989.4e12) - Number(mfu)) < 1e-6);
  // Thresholds are far away, so that no sampling edge can flip a judgement.
  for (const { hfu, mfu: declared } of made.expected.workloads) {
    if (hfu !== null) assert.ok(Math.abs(Number(hfu) - 0.2) > 0.03, hfu);
    if (declared !== null) assert.ok(Math.abs(Number(declared) - 0.5) > 0.03 && Number(declared) < Number(hfu), declared);
  }
});
