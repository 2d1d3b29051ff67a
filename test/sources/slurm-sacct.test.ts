import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KashiError } from '../../functions/domain/errors.ts';
import { Rational } from '../../functions/domain/money.ts';
import { slurmSacct } from '../../functions/sources/slurm-sacct.ts';
import { tresAccelerators } from '../../functions/sources/slurm-tres.ts';
import { contextOf, type Parsed, parseWith, sharedFile } from './parse-with.ts';

/** Σ accelerators × held time of closed rows in hours, 6 decimals. */
function gpuHours(rows: Parsed['rows']): string {
  let total = Rational.of(0);
  for (const row of rows) {
    const heldMs = Number(row['end_at_ms']) - Number(row['start_at_ms']);
    total = total.add(Rational.of(String(row['accelerator_count'])).multiply(Rational.of(heldMs)));
  }
  return total.divide(Rational.of(3_600_000)).toFixed(6);
}

test('a real accounting log: 4,285 jobs, two of them with GPUs', (t) => {
  const bytes = sharedFile('traces/jobs/slurm_sacct_phillips.log.gz');
  if (bytes === null) return t.skip('no shared traces');
  const { rows, counts, quarantined } = parseWith(slurmSacct, bytes, { zone: 'UTC' });
  assert.deepEqual(counts, { physical: 4285, valid: 2, quarantined: 0, blank: 4283 });
  assert.deepEqual(quarantined, []);
  assert.equal(gpuHours(rows), '506.912778');
  assert.deepEqual([...new Set(rows.map((row) => row['tenant_key']))], ['chaff']);
  assert.deepEqual(
    rows.map((row) => row['state']),
    ['CANCELLED', 'COMPLETED'],
  );
  const byUser = parseWith(slurmSacct, bytes, { zone: 'UTC', options: { tenant_from: 'user' } });
  assert.deepEqual([...new Set(byUser.rows.map((row) => row['tenant_key']))], ['noror']);
});

test('real edge cases: a GPU job of no length, cancelled by somebody, no partition', (t) => {
  const bytes = sharedFile('traces/jobs/slurm_sacct_edge_cases.log');
  if (bytes === null) return t.skip('no shared traces');
  const { rows, counts } = parseWith(slurmSacct, bytes, { zone: 'UTC' });
  assert.deepEqual([counts.valid, counts.quarantined], [1, 0]);
  assert.equal(gpuHours(rows), '0.000000');
  assert.deepEqual([rows[0]?.['accelerator_count'], rows[0]?.['queue'], rows[0]?.['tenant_key']], ['2.000000', null, 'ccr']);
});

test('real logs with unknown and unfinished states', (t) => {
  const unknown = sharedFile('formats/slurm/unknown-job-state.log');
  const unfinished = sharedFile('formats/slurm/non-ended-job-state.log');
  if (unknown === null || unfinished === null) return t.skip('no shared formats');
  assert.deepEqual(
    parseWith(slurmSacct, unknown, { zone: 'UTC' }).quarantined.map(({ reason }) => reason),
    ['unknown_state', 'unknown_state'],
  );
  assert.deepEqual(parseWith(slurmSacct, unfinished, { zone: 'UTC' }).counts, { physical: 2, valid: 0, quarantined: 0, blank: 2 });
  // The same job with GPUs: RUNNING with End = Start holds its devices still.
  const withGpus = new TextDecoder().decode(unfinished).replaceAll('node=1|3-00', 'node=1,gres/gpu=4|3-00');
  const [running] = parseWith(slurmSacct, withGpus, { zone: 'UTC' }).rows;
  assert.deepEqual([running?.['state'], running?.['end_at_ms'], running?.['accelerator_count']], ['RUNNING', null, '4.000000']);
});

test("Open XDMoD's vectors for the GPU count of AllocTRES", (t) => {
  const bytes = sharedFile('traces/jobs/slurm_alloctres_gpu_count_vectors.json');
  if (bytes === null) return t.skip('no shared traces');
  const vectors = JSON.parse(new TextDecoder().decode(bytes)) as [string, number][];
  assert.equal(vectors.length, 9);
  let sum = 0;
  for (const [tres, expected] of vectors) {
    const found = tresAccelerators(tres, ['gpu'], new Map());
    assert.ok(found === null || !('reason' in found));
    assert.equal(Number(found?.count ?? 0), expected, tres);
    sum += Number(found?.count ?? 0);
  }
  assert.equal(sum, 18);
});

test('without a zone the object is held, unless times are epoch seconds', () => {
  const held = slurmSacct.open(contextOf());
  assert.ok('hold' in held && held.hold === 'zone_missing');
  assert.ok(!('hold' in slurmSacct.open(contextOf({ options: { epoch_times: true } }))));
  assert.ok(!('hold' in slurmSacct.open(contextOf({ zone: 'Asia/Shanghai' }))));
});

test('options are checked before the first line', () => {
  for (const options of [
    { tenant_from: 'gid' },
    { epoch_times: 'yes' },
    { gres: [] },
    { columns: 'JobID' },
    { zone: 'UTC' },
    { resources: { 'gres/shard': {} } },
  ]) {
    assert.throws(
      () => slurmSacct.open(contextOf({ zone: 'UTC', options })),
      (error) => error instanceof KashiError && error.code === 'config_invalid',
      JSON.stringify(options),
    );
  }
});

test('detection tells accounting lines from other tables', () => {
  const says = (text: string) => slurmSacct.detect({ text, json: undefined, bytes: new TextEncoder().encode(text) });
  assert.equal(says('JobID|State|AllocTRES|\n'), true);
  assert.equal(
    says(`7_[1-3]|7|c|p|q|a|g|1|u|2|2026-10-01T08:00:00|Unknown|Unknown|Unknown|1-00:00:00|0:0|PENDING${'|'.repeat(9)}\n`),
    true,
  );
  assert.equal(says('JobID,State\n'), false);
  assert.equal(says('a|b|c\n1|2|3\n'), false);
});
