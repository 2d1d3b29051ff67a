/**
 * One truth out of several sources. Every folder here is one situation: landing/ and expected.json, whose numbers were computed by hand
 * (its `why` shows how); centre/ is the configuration that all share. A list in expected.json states every row of its view, in order,
 * and of each row the columns it names. Nothing is ever written over expected.json; a mismatch leaves actual.json beside it.
 */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { Session } from '../../functions/cli/session.ts';
import { defineModels } from '../../functions/warehouse/run.ts';
import { type TestCentre, testCentre } from '../support/centre.ts';

type Rows = readonly Readonly<Record<string, string | null>>[];

interface Expected {
  readonly why: string;
  /** Last-modified instant of every landed file: the only clock of sources that print no time. */
  readonly received_at?: string;
  readonly allocations: Rows;
  readonly lines: Rows;
  readonly reservations?: Rows;
  readonly gaps?: Rows;
  readonly findings: readonly string[];
  readonly quarantined?: number;
}

const FOLDER = import.meta.dirname;
const SHARED_CENTRE = 'centre';
const PERIOD = '2026-10';
const SITUATIONS = readdirSync(FOLDER, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== SHARED_CENTRE)
  .map(({ name }) => name)
  .sort();

const VIEWS = {
  allocations: 'select * from fct_allocation order by workload_id, start_at_ms, native_id',
  lines: 'select * from bill_line order by workload_id, kind, line_id',
  reservations: 'select * from fct_reservation order by workload_id, reserved_at_ms',
  gaps: 'select * from fct_source_gap order by from_ms, reason',
} as const;

describe('cross-source', { concurrency: 2 }, () => {
  for (const situation of SITUATIONS) {
    test(situation, async () => {
      const folder = join(FOLDER, situation);
      const expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Expected;
      await withCase(folder, expected, async (centre) => {
        const actual = await observed(centre, expected);
        const { why: _why, received_at: _receivedAt, ...stated } = expected;
        try {
          assert.deepEqual(actual, stated);
          rmSync(join(folder, 'actual.json'), { force: true });
        } catch (error) {
          writeFileSync(join(folder, 'actual.json'), `${JSON.stringify(actual, null, 1)}\n`);
          throw error;
        }
      });
    });
  }
});

/** The shared configuration and the situation's landing folder, as one centre. */
async function withCase(folder: string, expected: Expected, use: (centre: TestCentre) => Promise<void>): Promise<void> {
  const joined = mkdtempSync(join(tmpdir(), 'kashi-cross-'));
  cpSync(join(FOLDER, SHARED_CENTRE), joined, { recursive: true });
  cpSync(folder, joined, { recursive: true });
  const centre = testCentre(joined, expected.received_at === undefined ? undefined : new Date(expected.received_at));
  rmSync(joined, { recursive: true, force: true });
  try {
    await use(centre);
  } finally {
    centre.remove();
  }
}

async function observed(centre: TestCentre, expected: Expected): Promise<Omit<Expected, 'why' | 'received_at'>> {
  await centre.ingest();
  const { checks, document } = await centre.bill(PERIOD);
  assert.deepEqual(
    checks.filter(({ kind, rows }) => kind === 'equation' && rows > 0).map(({ name }) => name),
    [],
    'every equation holds',
  );
  const findings = checks.filter(({ kind, rows }) => kind === 'finding' && rows > 0).map(({ name }) => name);
  return await centre.session(PERIOD, async (session) => ({
    allocations: await rowsOf(session, 'allocations', expected),
    lines: await rowsOf(session, 'lines', expected),
    ...(expected.reservations === undefined ? {} : { reservations: await rowsOf(session, 'reservations', expected) }),
    ...(expected.gaps === undefined ? {} : { gaps: await rowsOf(session, 'gaps', expected) }),
    findings,
    ...(expected.quarantined === undefined ? {} : { quarantined: document.equations.lines.quarantined }),
  }));
}

/** Rows of a view, cut to the columns that the expected row at the same place names (the first row's, beyond the end). */
async function rowsOf(session: Session, view: keyof typeof VIEWS, expected: Expected): Promise<Rows> {
  await defineModels(session.warehouse, session.models, ['fct_allocation', 'fct_reservation', 'fct_source_gap', 'bill_line']);
  const { columns, rows } = await session.warehouse.query(VIEWS[view]);
  return rows.map((row, index) => {
    const wanted = expected[view]?.[index] ?? expected[view]?.[0] ?? { native_id: null };
    const found = new Map(columns.map(({ name }, at) => [name, row[at] ?? null]));
    return Object.fromEntries(Object.keys(wanted).map((name) => [name, found.has(name) ? (found.get(name) ?? null) : 'no such column']));
  });
}

test('there are situations', () => {
  assert.ok(SITUATIONS.length > 0);
});
