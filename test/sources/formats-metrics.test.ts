/** Samples that others published, for the sources of accelerator metrics that come over a channel of their own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { detectSource } from '../../functions/sources/detect.ts';
import { npuExporter } from '../../functions/sources/npu-exporter.ts';
import { otlpMetrics } from '../../functions/sources/otlp-metrics.ts';
import { headOf } from './frame.ts';
import { parseWith, RECEIVED_AT_MS, sharedFile } from './parse-with.ts';

const NPU = 'formats/ascend-npu-exporter/prometheus_metrics';
const CHIPS = ['0', '1', '2', '3', '4', '5', '6', '7'];
/** 8 chips × clock, HBM, power, temperature, DDR, utilisation. */
const STORED_LINES = 48;

function reasonsOf(parsed: ReturnType<typeof parseWith>): Record<string, number> {
  const reasons: Record<string, number> = {};
  for (const { reason, field } of parsed.quarantined) reasons[`${reason} ${field}`] = (reasons[`${reason} ${field}`] ?? 0) + 1;
  return reasons;
}

test('npu-exporter: without a node, an id and a year nothing is guessed', (t) => {
  const bytes = sharedFile(NPU);
  if (bytes === null) return t.skip('no shared formats');
  assert.equal(detectSource(headOf(Buffer.from(bytes).toString()))?.name, 'npu-exporter');
  const bare = parseWith(npuExporter, bytes);
  assert.deepEqual([bare.rows.length, bare.counts.quarantined], [0, STORED_LINES]);
  assert.deepEqual(reasonsOf(bare), { 'missing_field node': STORED_LINES });
  const named = parseWith(npuExporter, bytes, { options: { node: 'npu-1' } });
  assert.deepEqual(reasonsOf(named), { 'missing_field vdie_id': STORED_LINES });
  const bySlot = parseWith(npuExporter, bytes, { options: { node: 'npu-1', npu_device_from: ['id'] } });
  assert.deepEqual(reasonsOf(bySlot), { 'timestamp_out_of_range timestamp': STORED_LINES });
});

test('npu-exporter: with all three stated, eight idle chips', (t) => {
  const bytes = sharedFile(NPU);
  if (bytes === null) return t.skip('no shared formats');
  const options = { node: 'npu-1', npu_device_from: ['id'], ignore_timestamps: true };
  const { rows, counts } = parseWith(npuExporter, bytes, { options });
  assert.deepEqual(counts, { physical: counts.physical, valid: counts.physical - counts.blank, blank: counts.blank, quarantined: 0 });
  assert.deepEqual(
    rows.map((row) => row['device_index']),
    CHIPS,
  );
  for (const row of rows) {
    assert.deepEqual(
      [row['device_id'], row['accelerator_model'], row['sampled_at_ms'], row['namespace'], row['pod']],
      [`npu-1/npu${row['device_index']}`, '910Awn-Ascend-V1', RECEIVED_AT_MS, null, null],
    );
    const values = ['tensor_active', 'sm_clock_mhz', 'memory_used_mib', 'power_watts', 'temperature_c'].map((column) =>
      Number(row[column]),
    );
    assert.deepEqual(values, [0, 0, 0, 0, 0]);
  }
});

test('otlp-metrics: the specification’s example has no accelerator in it', (t) => {
  const bytes = sharedFile('formats/otlp-json/metrics.json');
  if (bytes === null) return t.skip('no shared formats');
  assert.equal(detectSource(headOf(Buffer.from(bytes).toString()))?.name, 'otlp-metrics');
  const { rows, counts } = parseWith(otlpMetrics, bytes, {}, true);
  // A counter and a gauge of other names; a histogram and an exponential histogram.
  assert.deepEqual([rows.length, counts], [0, { physical: 4, valid: 2, blank: 2, quarantined: 0 }]);
});

test('the other OTLP examples belong to other sources, or to none', (t) => {
  for (const [name, source] of [
    ['trace', 'otel-genai'],
    ['logs', null],
    ['events', null],
  ] as const) {
    const bytes = sharedFile(`formats/otlp-json/${name}.json`);
    if (bytes === null) return t.skip('no shared formats');
    assert.equal(detectSource(headOf(Buffer.from(bytes).toString()))?.name ?? null, source, name);
  }
});
