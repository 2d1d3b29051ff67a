/** What keeps a month from being closed. Each hindrance has a name; the ones that a person may answer for can be waived by it. */
import { records } from '../billing/bill-document.ts';
import { type Snapshot, snapshotCommits } from '../ledger/snapshot.ts';
import type { ObjectStore, Warehouse } from '../ports.ts';
import type { ClosedBill } from './bill-object.ts';
import { type Equation, equationText, holds } from './equation.ts';
import type { MonthAccount } from './equations.ts';

export interface Hindrance {
  /** Its name: what a waiver is written for. */
  readonly subject: string;
  readonly problem: string;
  /** False: it must be mended. */
  readonly waivable: boolean;
}

/** Hindrances that the warehouse shows: held files, unrated usage, broken promises, lost events, conflicts. In a fixed order. */
export async function hindrances(
  store: ObjectStore,
  snapshot: Snapshot,
  bill: ClosedBill,
  account: MonthAccount,
  warehouse: Warehouse,
  conflictsAllowed: number,
): Promise<Hindrance[]> {
  return [
    ...(await heldFiles(store, snapshot)),
    ...bill.unrated.map(({ line_id, reason, tenant_id, tenant_key, sku, quantity, unit }) => ({
      subject: `unrated:${line_id}`,
      problem: `${reason}: ${tenant_id ?? tenant_key ?? 'nobody'}, ${sku}, ${quantity} ${unit}`,
      waivable: true,
    })),
    ...brokenPromises(account),
    ...(await rowsAsHindrances(warehouse, account, bill.period)),
    ...conflicts(account, conflictsAllowed),
  ];
}

/** A chain begins once: usage before its first month would never be on a bill. Nothing when a month is closed already. */
export async function usageBefore(
  warehouse: Warehouse,
  month: Pick<ClosedBill, 'period' | 'start_ms'>,
  isFirst: boolean,
): Promise<Hindrance[]> {
  if (!isFirst) return [];
  const { rows } = await warehouse.query(
    `select min(at_ms) from (
      select min(event_at_ms) as at_ms from fct_token_usage union all select min(start_at_ms) as at_ms from fct_allocation
    ) as firsts`,
  );
  const first = rows[0]?.[0] ?? null;
  if (first === null || Number(first) >= month.start_ms) return [];
  const problem = `usage from ${iso(first)} on lies before ${month.period}, the first month to be closed; no bill will charge it. Close the earlier month first`;
  return [{ subject: `earlier:${month.period}`, problem, waivable: true }];
}

/** Equations that do not hold; none can be waived. */
export function brokenEquations(equations: readonly Equation[]): Hindrance[] {
  return equations
    .filter((one) => !holds(one))
    .map((one) => ({ subject: `equation:${one.name}`, problem: equationText(one), waivable: false }));
}

async function heldFiles(store: ObjectStore, snapshot: Snapshot): Promise<Hindrance[]> {
  if (Object.values(snapshot.totals).every(({ held }) => held === 0)) return [];
  const found: Hindrance[] = [];
  for await (const { hold, object, cid } of snapshotCommits(store, snapshot)) {
    if (hold !== null)
      found.push({
        subject: `held:${object.name}`,
        problem: `${hold.reason}: ${hold.detail} (content ${cid.slice(0, 16)})`,
        waivable: true,
      });
  }
  return found.sort((left, right) => (left.subject < right.subject ? -1 : 1));
}

function brokenPromises({ promises }: MonthAccount): Hindrance[] {
  return promises
    .filter((promise) => promise['is_kept'] === 'false')
    .map((promise) => {
      const parts = ['requests', 'input_tokens', 'output_tokens']
        .filter((measure) => promise[measure] !== null && promise[measure] !== promise[`found_${measure}`])
        .map((measure) => `${promise[measure]} ${measure.replace('_', ' ')} promised, ${promise[`found_${measure}`]} found`);
      const problem = promise['kind'] === 'hourly' ? 'no data in this hour' : parts.join('; ');
      return { subject: promise['promise_id'] ?? '', problem, waivable: true };
    });
}

/** Spans of lost events, and allocations that cannot be billed because something was never told. */
async function rowsAsHindrances(warehouse: Warehouse, { checks }: MonthAccount, period: string): Promise<Hindrance[]> {
  const found: Hindrance[] = [];
  if (checks.some(({ name, rows }) => name === 'chk_source_gap' && rows > 0)) {
    const gaps = records(await warehouse.query('select * from chk_source_gap order by source, site_id, from_ms, to_ms, reason'));
    for (const gap of gaps) {
      const span = `${iso(gap['from_ms'])} to ${iso(gap['to_ms'])}`;
      found.push({
        subject: `gap:${gap['source']}/${gap['site_id'] ?? ''}/${iso(gap['from_ms'])}`,
        problem: `${gap['reason']}, ${span}${gap['lost_events'] === null ? '' : `, at least ${gap['lost_events']} events`}`,
        waivable: true,
      });
    }
  }
  if (checks.some(({ name, rows }) => name === 'chk_allocation_incomplete' && rows > 0)) {
    const rows = records(await warehouse.query('select * from chk_allocation_incomplete order by site_id, source, problem'));
    for (const row of rows)
      found.push({
        subject: `incomplete:${row['source']}/${row['site_id']}/${row['problem']}`,
        problem: `${row['allocations']} allocations known up to ${period}, the first from ${iso(row['first_ms'])}`,
        waivable: true,
      });
  }
  return found;
}

function conflicts({ checks }: MonthAccount, allowed: number): Hindrance[] {
  const found = checks.find(({ name }) => name === 'chk_token_conflict')?.rows ?? 0;
  if (found <= allowed) return [];
  const problem = `${found} rows lost a conflict, ${allowed} are allowed: select * from chk_token_conflict`;
  // The number is part of the name: a waiver for three does not cover a fourth.
  return [{ subject: `conflicts:${found}`, problem, waivable: true }];
}

function iso(ms: string | null | undefined): string {
  return ms === null || ms === undefined ? '' : new Date(Number(ms)).toISOString().replace('.000Z', 'Z');
}
