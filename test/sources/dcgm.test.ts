import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KashiError } from '../../functions/domain/errors.ts';
import { hostOfInstance } from '../../functions/sources/dcgm-labels.ts';
import { dcgmText } from '../../functions/sources/dcgm-text.ts';
import { parseLabels, splitSampleLine } from '../../functions/sources/exposition.ts';
import { prometheusJson } from '../../functions/sources/prometheus-json.ts';
import { SampleGroups } from '../../functions/sources/sample-groups.ts';
import type { Row } from '../../functions/sources/source.ts';
import { contextOf, type Parsed, parseWith, RECEIVED_AT_MS, sharedFile } from './parse-with.ts';

const TRACES = 'traces/gpu_metrics/dcgm';

function byDevice(parsed: Parsed, column: string): Record<string, unknown> {
  return Object.fromEntries(parsed.rows.map((row) => [`${row['node']}/${row['device_index']}`, row[column]]));
}

function numbers(values: Record<string, unknown>): Record<string, number> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, Number(value)]));
}

const H100_HOST = 'ip-100-64-171-120.ec2.internal';
function h100(values: readonly number[]): Record<string, number> {
  return Object.fromEntries(values.map((value, index) => [`${H100_HOST}/${index}`, value]));
}

test('a real H100 scrape: eight devices, one of them with a workload', (t) => {
  const bytes = sharedFile(`${TRACES}/aicr_h100_2026-02-19.prom`);
  if (bytes === null) return t.skip('no shared traces');
  const parsed = parseWith(dcgmText, bytes);
  assert.deepEqual(parsed.counts, { physical: 30, valid: 30, quarantined: 0, blank: 0 });
  assert.equal(parsed.rows.length, 8);
  assert.deepEqual(numbers(byDevice(parsed, 'gpu_util')), h100([0, 0, 0, 0, 0, 0, 0, 0]));
  assert.deepEqual(numbers(byDevice(parsed, 'power_watts')), h100([67.268, 67.616, 66.477, 69.523, 66.297, 66.324, 115.22, 69.424]));
  const withPod = parsed.rows.filter((row) => row['pod'] !== null);
  assert.deepEqual(
    withPod.map((row) => [row['device_index'], row['namespace'], row['pod']]),
    [['6', 'dynamo-workload', 'vllm-agg-0-vllmdecodeworker-5fljt']],
  );
  assert.ok(parsed.rows.every((row) => row['sampled_at_ms'] === RECEIVED_AT_MS && row['accelerator_model'] === 'NVIDIA H100 80GB HBM3'));
});

const QUERIES = [
  { file: 'gpu_util', column: 'gpu_util', at: 1771529464570, values: [0, 0, 0, 0, 0, 0, 0, 0] },
  { file: 'fb_used', column: 'memory_used_mib', at: 1771529464895, values: [0, 0, 0, 0, 0, 0, 74198, 0] },
  { file: 'gpu_temp', column: 'temperature_c', at: 1771529465206, values: [26, 27, 27, 28, 28, 26, 31, 27] },
  {
    file: 'power_usage',
    column: 'power_watts',
    at: 1771529465485,
    values: [67.241, 67.576, 66.504, 69.557, 66.273, 66.488, 115.215, 69.376],
  },
];

for (const { file, column, at, values } of QUERIES) {
  test(`a real Prometheus answer (${file}): the workload is exported_pod, never the exporter`, (t) => {
    const bytes = sharedFile(`${TRACES}/aicr_h100_2026-02-19_promquery_${file}.json`);
    if (bytes === null) return t.skip('no shared traces');
    const parsed = parseWith(prometheusJson, bytes, {}, true);
    assert.deepEqual(parsed.counts, { physical: 8, valid: 8, quarantined: 0, blank: 0 });
    assert.deepEqual(numbers(byDevice(parsed, column)), h100(values));
    assert.ok(parsed.rows.every((row) => row['sampled_at_ms'] === at));
    const workloads = parsed.rows.filter((row) => row['pod'] !== null || row['namespace'] !== null);
    assert.deepEqual(
      workloads.map((row) => [row['device_index'], `${row['namespace']}/${row['pod']}`]),
      [['6', 'dynamo-workload/vllm-agg-0-vllmdecodeworker-5fljt']],
    );
  });
}

test('an idle L4 with HELP lines, and a T4 at 91 % GPU_UTIL with 0.6 % tensor activity', (t) => {
  const l4 = sharedFile(`${TRACES}/kops_l4_idle.prom`);
  const t4 = sharedFile(`${TRACES}/ericsson_t4_busy.prom`);
  if (l4 === null || t4 === null) return t.skip('no shared traces');
  const idle = parseWith(dcgmText, l4);
  assert.deepEqual([idle.rows.length, idle.counts.valid, idle.counts.quarantined], [1, 23, 0]);
  const [row] = idle.rows;
  assert.deepEqual(
    [row?.['node'], row?.['power_watts'], row?.['energy_mj'], row?.['pod']],
    ['i-030791dc5a37cd257', '16.365000', 4742776n, null],
  );
  assert.deepEqual([Number(row?.['gpu_util']), Number(row?.['engine_active']), Number(row?.['tensor_active'])], [0, 0, 0]);
  const [busy] = parseWith(dcgmText, t4).rows;
  assert.deepEqual(
    [busy?.['node'], busy?.['gpu_util'], busy?.['power_watts'], busy?.['engine_active'], busy?.['tensor_active'], busy?.['energy_mj']],
    ['cp-bm14r7', '91', '68.244000', '0.156205', '0.005822', 15152422938n],
  );
});

test('lines without labels: refused when the metric is stored, read and not needed otherwise', (t) => {
  const bytes = sharedFile('formats/dcgm-exporter/datadog-metrics.txt');
  if (bytes === null) return t.skip('no shared formats');
  const parsed = parseWith(dcgmText, bytes);
  assert.deepEqual(parsed.counts, { physical: 116, valid: 35, quarantined: 3, blank: 78 });
  assert.deepEqual(
    parsed.quarantined.map(({ reason, field }) => `${reason} ${field}`),
    Array(3).fill('missing_field UUID'),
  );
  const device = 'GPU-20c56d28-0da5-6d26-a36a-e7af1ce2586e';
  assert.deepEqual(
    parsed.rows.map((row) => [row['device_id'], row['pod'], row['power_watts'], row['energy_mj'], row['xid']]),
    [[device, null, '8.969000', 128996013n, 0]],
  );
  const labelled = sharedFile('formats/dcgm-exporter/datadog-label_remap.txt');
  assert.ok(labelled !== null);
  assert.deepEqual(
    parseWith(dcgmText, labelled).rows.map((row) => [row['device_id'], row['namespace'], row['pod']]),
    [[device, 'foo', 'bar']],
  );
});

test('an answer of another metric is refused, not read as nothing', (t) => {
  const bytes = sharedFile('formats/prometheus/doc-query_range-up.json');
  if (bytes === null) return t.skip('no shared formats');
  const parsed = parseWith(prometheusJson, bytes, {}, true);
  assert.deepEqual(parsed.counts, { physical: 1, valid: 0, quarantined: 1, blank: 0 });
  assert.equal(parsed.quarantined[0]?.reason, 'wrong_shape');
});

test('a row carries the first line of its readings', () => {
  const labels = (gpu: number) => `{gpu="${gpu}",UUID="GPU-${gpu}",Hostname="n"}`;
  const text = [0, 1]
    .flatMap((gpu) => [`DCGM_FI_DEV_GPU_UTIL${labels(gpu)} 1`])
    .concat([0, 1].map((gpu) => `DCGM_FI_DEV_SM_CLOCK${labels(gpu)} 2`));
  assert.deepEqual(
    parseWith(dcgmText, text.join('\n')).rows.map((row) => row.line),
    [1, 2],
  );
});

test('too many open groups: the older half is written early, and nothing is lost', () => {
  const groups = new SampleGroups('hq', 4);
  const identity = {
    key: 'k',
    node: 'n',
    deviceId: 'd',
    deviceIndex: null,
    acceleratorModel: null,
    namespace: null,
    pod: null,
    jobId: null,
  };
  const early: Row[] = [];
  for (let at = 1; at <= 5; at++) {
    assert.equal(groups.add(identity, at, 'gpu_util', '1', at), true);
    groups.relieve((row) => early.push(row));
  }
  assert.deepEqual(
    early.map((row) => row['sampled_at_ms']),
    [1, 2, 3],
  );
  const late: [unknown, number][] = [];
  groups.drain((row, line) => late.push([row['sampled_at_ms'], line]));
  assert.deepEqual(late, [
    [4, 4],
    [5, 5],
  ]);
});

test('label text: every value comes back as it was escaped', () => {
  const escaped = (value: string) => value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
  const name = fc.stringMatching(/^[a-zA-Z_][a-zA-Z0-9_]{0,8}$/);
  fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(name, fc.string()), { selector: ([key]) => key, maxLength: 6 }), (pairs) => {
      const text = pairs.map(([key, value]) => `${key}="${escaped(value)}"`).join(',');
      assert.deepEqual([...(parseLabels(text) ?? [])], pairs);
      assert.equal(splitSampleLine(`m{${text}} 1`)?.labelText, text);
    }),
  );
});

test('a hostile line is refused without harm', () => {
  for (const body of ['a="'.repeat(300_000), `${'\\"'.repeat(300_000)}`, '{'.repeat(300_000), ' '.repeat(300_000)]) {
    assert.equal(parseWith(dcgmText, `DCGM_FI_DEV_GPU_UTIL{${body}`).counts.quarantined, 1);
    assert.equal(parseWith(dcgmText, `DCGM_FI_DEV_GPU_UTIL ${body} 1 2 3`).counts.quarantined, 1);
  }
});

test('host part of an instance', () => {
  assert.deepEqual(['100.65.85.64:9400', 'gpu-7', '[fd00::1]:9400', 'fd00::1'].map(hostOfInstance), [
    '100.65.85.64',
    'gpu-7',
    'fd00::1',
    'fd00::1',
  ]);
});

test('options are checked before the first line', () => {
  for (const options of [{ nodes: 'x' }, { node: 7 }, { node: '' }]) {
    assert.throws(
      () => dcgmText.open(contextOf({ options })),
      (error) => error instanceof KashiError && error.code === 'config_invalid',
    );
  }
  assert.throws(() => prometheusJson.open(contextOf({ options: { metric: 'up' } })), KashiError);
});

test('detection tells a scrape from a counters file', () => {
  const says = (text: string) => dcgmText.detect({ text, json: undefined, bytes: new TextEncoder().encode(text) });
  assert.equal(says('# HELP DCGM_FI_DEV_SM_CLOCK SM clock frequency (in MHz).\n'), true);
  assert.equal(says('go_goroutines 3\nDCGM_FI_DEV_GPU_UTIL{gpu="0"} 3\n'), true);
  assert.equal(says('DCGM_FI_DEV_SM_CLOCK,  gauge, SM clock frequency (in MHz).\n'), false);
  assert.equal(says('{"metric":{"DCGM_FI_DRIVER_VERSION":"580"}}'), false);
});
