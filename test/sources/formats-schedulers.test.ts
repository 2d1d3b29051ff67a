/** The published samples of scheduler formats: every one is read with the right numbers or refused with the right reason. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { detectSource } from '../../functions/sources/detect.ts';
import { kubernetesAudit } from '../../functions/sources/kubernetes-audit.ts';
import { SOURCES } from '../../functions/sources/registry.ts';
import { slurmSacct } from '../../functions/sources/slurm-sacct.ts';
import { volcano } from '../../functions/sources/volcano.ts';
import { yunikorn } from '../../functions/sources/yunikorn.ts';
import { headOf } from './frame.ts';
import { type Parsed, parseWith, sharedFile } from './parse-with.ts';

const NANOSECONDS_IN_DOCS_MS = 1_701_347_180_239;

function text(name: string): string | null {
  const bytes = sharedFile(`formats/${name}`);
  return bytes === null ? null : new TextDecoder().decode(bytes);
}

function reasons(parsed: Parsed): string[] {
  return parsed.quarantined.map(({ reason, field }) => `${reason} ${field}`);
}

test('yunikorn events/batch: the page is kept, two node events say nothing of accelerators', (t) => {
  const input = text('yunikorn/doc-events-batch-response.json');
  if (input === null) return t.skip('no shared formats');
  assert.equal(detectSource(headOf(input))?.name, 'yunikorn');
  const parsed = parseWith(yunikorn, input, {}, true);
  assert.deepEqual(parsed.counts, { physical: 3, valid: 1, blank: 2, quarantined: 0 });
  const [page] = parsed.rows;
  assert.deepEqual([page?.['kind'], page?.['lowest_event'], page?.['highest_event'], page?.['events']], ['page', 0, 7, 2]);
  assert.deepEqual([page?.['first_event_ms'], page?.['observed_at_ms']], [NANOSECONDS_IN_DOCS_MS, NANOSECONDS_IN_DOCS_MS]);
});

test('yunikorn events/stream: an application is accepted', (t) => {
  const input = text('yunikorn/doc-events-stream-response.txt');
  if (input === null) return t.skip('no shared formats');
  assert.equal(detectSource(headOf(input))?.name, 'yunikorn');
  const parsed = parseWith(yunikorn, input, {}, true);
  assert.deepEqual(parsed.counts, { physical: 1, valid: 1, blank: 0, quarantined: 0 });
  const [row] = parsed.rows;
  assert.deepEqual(
    [row?.['kind'], row?.['event'], row?.['name'], row?.['observed_at_ms']],
    ['application', 'accepted', 'app-1', 1_708_465_452_903],
  );
});

test('yunikorn queue applications: two applications of root.default, three allocations without accelerators', (t) => {
  const input = text('yunikorn/doc-queue-applications-response.json');
  if (input === null) return t.skip('no shared formats');
  assert.equal(detectSource(headOf(input))?.name, 'yunikorn');
  const parsed = parseWith(yunikorn, input, {}, true);
  assert.deepEqual(parsed.counts, { physical: 2, valid: 2, blank: 0, quarantined: 0 });
  assert.deepEqual(
    parsed.rows.map((row) => [row['kind'], row['name'], row['queue'], row['observed_at_ms']]),
    [
      ['application', 'application-0001', 'root.default', 1_648_754_032_076],
      ['application', 'application-0002', 'root.default', 1_648_754_032_076],
    ],
  );
});

for (const [name, kinds] of [
  ['job.yaml', ['missing_field metadata.namespace']],
  ['mindspore-gpu.yaml', ['missing_field metadata.namespace']],
  ['queue.yaml', []],
] as const) {
  test(`volcano ${name}: a manifest is no log; applied as JSON without a server it lacks its identity`, (t) => {
    const input = text(`volcano/${name}`);
    if (input === null) return t.skip('no shared formats');
    assert.equal(detectSource(headOf(input)), null);
    const objects = parseAllDocuments(input)
      .map((document) => document.toJS() as unknown)
      .filter((object) => object !== null);
    const lines = objects.map((object) => JSON.stringify(object)).join('\n');
    assert.equal(detectSource(headOf(lines))?.name, 'volcano');
    const parsed = parseWith(volcano, lines);
    assert.deepEqual([parsed.rows.length, reasons(parsed)], [0, kinds]);
  });
}

test('volcano mindspore-gpu.yaml as the server keeps it: two workers with one GPU each', (t) => {
  const input = text('volcano/mindspore-gpu.yaml');
  if (input === null) return t.skip('no shared formats');
  const [document] = parseAllDocuments(input);
  const job = document?.toJS() as { metadata: Record<string, string>; spec: object };
  Object.assign(job.metadata, { namespace: 'default', uid: 'u', creationTimestamp: '2026-10-01T00:00:00Z' });
  const parsed = parseWith(volcano, JSON.stringify(job));
  assert.deepEqual(
    parsed.rows.map((row) => [row['event'], row['accelerator_count'], row['min_available'], row['workload_id']]),
    [['created', '2.000000', 3, 'default/mindspore-gpu']],
  );
});

test('slurm sacct.json is a list of test cases, not sacct output: no source takes it', (t) => {
  const input = text('slurm/sacct.json');
  if (input === null) return t.skip('no shared formats');
  assert.equal(detectSource(headOf(input)), null);
});

for (const [name, blank, refused] of [
  ['accounting-logs.log', 3, []],
  ['accounting-logs-with-job-arrays.log', 6, []],
  ['non-ended-job-state.log', 2, []],
  ['unknown-job-state.log', 0, ['unknown_state state', 'unknown_state state']],
] as const) {
  test(`slurm ${name}`, (t) => {
    const input = text(`slurm/${name}`);
    if (input === null) return t.skip('no shared formats');
    assert.equal(detectSource(headOf(input)), slurmSacct);
    const parsed = parseWith(slurmSacct, input, { zone: 'America/New_York' });
    assert.deepEqual([parsed.counts.blank, reasons(parsed)], [blank, refused]);
    const held = parsed.rows.map((row) => [row['native_id'], row['accelerator_count'], row['start_at_ms'], row['end_at_ms']]);
    const start = Date.UTC(2016, 7, 1, 11, 4, 9);
    assert.deepEqual(
      held,
      name === 'accounting-logs.log' ? [[`ub-hpc|5692623|${Date.UTC(2016, 7, 1, 10, 1, 8)}`, '2.000000', start, start]] : [],
    );
  });
}

test('kubernetes events and resource claims are no audit events and no pods', (t) => {
  for (const name of ['kubernetes/events.k8s.io.v1.Event.json', 'kubernetes/resource.k8s.io.v1.ResourceClaim.json']) {
    const input = text(name);
    if (input === null) return t.skip('no shared formats');
    assert.equal(kubernetesAudit.detect(headOf(input)), false, name);
    assert.deepEqual(
      SOURCES.filter((source) => source.detect(headOf(input))).map((source) => source.name),
      [],
      name,
    );
  }
});
