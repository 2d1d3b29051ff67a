/**
 * Bills from raw landed files to the last digit. Every folder here is one situation: kashi.yaml and what it names, landing/, and
 * expected.json, whose numbers were computed by hand (its `why` shows how). Nothing is ever written over expected.json; a mismatch
 * leaves actual.json beside it.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { sumDecimals } from '../../functions/domain/money.ts';
import { defineModels } from '../../functions/warehouse/run.ts';
import { type TestCentre, testCentre } from '../support/centre.ts';
import { type PlainLine, type PlainUnrated, plainLines, plainUnrated } from '../support/plain-bill.ts';

interface ExpectedBill {
  readonly period: string;
  readonly total: string;
  readonly lines: readonly PlainLine[];
  readonly unrated: readonly PlainUnrated[];
  /** Findings with rows; every equation must have none. */
  readonly findings: readonly string[];
}

interface Expected {
  readonly why: string;
  /** Last-modified instant of every landed file: the only clock of sources that print no time. */
  readonly received_at?: string;
  /** Paths below landing/ in the order in which they are ingested, where the order matters. Default: all at once. */
  readonly ingest?: readonly string[];
  readonly equation: { readonly physical: number; readonly valid: number; readonly quarantined: number; readonly blank: number };
  /** Whole GPU time of a workload; the pieces of all its months must add up to it. */
  readonly gpu_ms?: Readonly<Record<string, string>>;
  readonly bills: readonly ExpectedBill[];
}

const FOLDER = import.meta.dirname;
const SITUATIONS = readdirSync(FOLDER, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
  .sort();

describe('bills', { concurrency: 2 }, () => {
  for (const situation of SITUATIONS) {
    test(situation, async () => {
      const folder = join(FOLDER, situation);
      const expected = readExpected(folder);
      const centre = testCentre(folder, expected?.received_at === undefined ? undefined : new Date(expected.received_at));
      try {
        const actual = await billed(centre, expected);
        compare(folder, expected, actual);
      } finally {
        centre.remove();
      }
    });
  }
});

function readExpected(folder: string): Expected | null {
  const file = join(folder, 'expected.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Expected) : null;
}

async function billed(centre: TestCentre, expected: Expected | null): Promise<Omit<Expected, 'why'>> {
  for (const path of expected?.ingest ?? ['.']) await centre.ingest([join(centre.directory, 'landing', path)]);
  const bills: ExpectedBill[] = [];
  let equation: Expected['equation'] = { physical: 0, valid: 0, quarantined: 0, blank: 0 };
  for (const { period } of expected?.bills ?? []) {
    const { document, checks } = await centre.bill(period);
    const lines = document.bills.flatMap((bill) => bill.lines.map((line) => ({ ...line, tenant_id: bill.tenant_id })));
    const broken = checks.filter(({ kind, rows }) => kind === 'equation' && rows > 0).map(({ name }) => name);
    assert.deepEqual(broken, [], 'every equation holds');
    assert.equal(
      new Set([...lines, ...document.unrated].map(({ line_id }) => line_id)).size,
      lines.length + document.unrated.length,
      'line ids are unique',
    );
    assert.equal(
      document.total,
      sumDecimals(
        lines.map(({ amount }) => amount),
        2,
      ),
      'the bill is the sum of its rounded lines',
    );
    const { residual, ...counted } = document.equations.lines;
    assert.equal(residual, 0, 'no landed line is lost');
    equation = counted;
    bills.push({
      period,
      total: document.total,
      lines: lines.map(plainLines),
      unrated: document.unrated.map(plainUnrated),
      findings: checks
        .filter(({ kind, rows }) => kind === 'finding' && rows > 0)
        .map(({ name }) => name)
        .sort(),
    });
  }
  const given = Object.fromEntries(
    Object.entries({ received_at: expected?.received_at, ingest: expected?.ingest }).filter(([, value]) => value !== undefined),
  );
  return { ...given, equation, ...(expected?.gpu_ms === undefined ? {} : { gpu_ms: await wholeGpuMs(centre) }), bills };
}

/** Workload → gpu_ms of its whole allocations, after checking that the pieces of every month add up to it. */
async function wholeGpuMs(centre: TestCentre): Promise<Record<string, string>> {
  return await centre.session(null, async ({ warehouse, models }) => {
    await defineModels(warehouse, models, ['rtd_allocation_piece']);
    const { rows } = await warehouse.query(`
      select wholes.workload_id, cast(sum(wholes.gpu_ms) as varchar), cast(sum(pieces.gpu_ms) as varchar)
      from fct_allocation as wholes
      inner join (select allocation_id, sum(gpu_ms) as gpu_ms from rtd_allocation_piece group by allocation_id) as pieces
        on pieces.allocation_id = wholes.allocation_id
      group by wholes.workload_id order by wholes.workload_id`);
    for (const [workload, whole, pieces] of rows) assert.equal(pieces, whole, `pieces of ${workload} add up`);
    return Object.fromEntries(rows.map(([workload, whole]) => [String(workload), String(whole)]));
  });
}

function compare(folder: string, expected: Expected | null, actual: Omit<Expected, 'why'>): void {
  const actualFile = join(folder, 'actual.json');
  rmSync(actualFile, { force: true });
  try {
    assert.ok(expected !== null, 'expected.json is missing: compute it by hand');
    assert.ok(expected.why.length > 0, 'expected.json says why');
    const { why: _why, ...numbers } = expected;
    assert.deepEqual(actual, numbers);
  } catch (error) {
    writeFileSync(actualFile, `${JSON.stringify(actual, null, 1)}\n`);
    throw error;
  }
}
