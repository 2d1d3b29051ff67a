/** One month on two engines, line by line: two SQL engines are to kashi what replicas are to a database. */
import { newestSnapshot } from '../ledger/snapshot.ts';
import type { ObjectStore } from '../ports.ts';
import type { ClosedBill } from './bill-object.ts';
import type { OpenEngine } from './engines.ts';
import { verifyFiles } from './files.ts';
import { type MonthPlan, makePin } from './make-pin.ts';
import { filesOf, type MonthInputs, resolveInputs, resolvePin } from './month-inputs.ts';
import { readPin } from './pin.ts';
import { rateMonth } from './rate-month.ts';
import { readChain } from './statement.ts';

/** A member of a line that the engines say differently; null: the line is missing there. */
export interface TwinDifference {
  readonly tenant_id: string;
  readonly line_id: string;
  readonly member: string;
  readonly left: string | null;
  readonly right: string | null;
}

export interface TwinReport {
  /** pinned: what the close was, or will be, made from; candidate: what a close would pin now. */
  readonly inputs: 'pinned' | 'candidate';
  readonly snapshot: number;
  readonly lines: { readonly left: number; readonly right: number };
  readonly totals: { readonly left: string; readonly right: string };
  readonly differences: readonly TwinDifference[];
}

/**
 * Rates the pinned month, or the one that a close would pin, on both engines. Null when nothing was ingested.
 * Errors: KashiError store_corrupt, and those of the engines.
 */
export async function twinOf(
  store: ObjectStore,
  plan: MonthPlan,
  trusted: string | null,
  left: OpenEngine,
  right: OpenEngine,
): Promise<TwinReport | null> {
  const pinned = await readPin(store, plan.period);
  const inputs = pinned === null ? await candidate(store, plan, trusted) : await resolvePin(store, pinned.pin, trusted);
  if (inputs === null) return null;
  await verifyFiles(store, filesOf(inputs));
  const bill = async (engine: OpenEngine): Promise<ClosedBill> => await rateMonth(inputs, [], engine, async (rated) => rated.bill);
  const [one, other] = [await bill(left), await bill(right)];
  return {
    inputs: pinned === null ? 'candidate' : 'pinned',
    snapshot: inputs.snapshot.n,
    lines: { left: linesOf(one).size, right: linesOf(other).size },
    totals: { left: one.total, right: other.total },
    differences: differencesOf(one, other),
  };
}

async function candidate(store: ObjectStore, plan: MonthPlan, trusted: string | null): Promise<MonthInputs | null> {
  const snapshot = await newestSnapshot(store);
  if (snapshot === null) return null;
  const chain = await readChain(store, trusted);
  const pin = await makePin(store, plan, snapshot, chain, { landed_objects: 0, landed_bytes: 0 }, 0, trusted);
  return await resolveInputs(store, pin, plan.rules, trusted);
}

/** Every member of every charged and every unrated line that is not the same text on both sides, in the order of the lines. */
export function differencesOf(left: ClosedBill, right: ClosedBill): TwinDifference[] {
  const [ours, theirs] = [linesOf(left), linesOf(right)];
  const found: TwinDifference[] = [];
  for (const [place, line] of [...ours, ...[...theirs].filter(([other]) => !ours.has(other))]) {
    const [one, other] = [ours.get(place), theirs.get(place)];
    const [tenant_id = '', line_id = ''] = JSON.parse(place) as string[];
    if (one === undefined || other === undefined) {
      found.push({ tenant_id, line_id, member: 'line', left: textOf(one), right: textOf(other) });
      continue;
    }
    for (const member of new Set([...Object.keys(line), ...Object.keys(other)])) {
      const [mine, yours] = [textOf(one[member]), textOf(other[member])];
      if (mine !== yours) found.push({ tenant_id, line_id, member, left: mine, right: yours });
    }
  }
  return found;
}

type Line = Readonly<Record<string, unknown>>;

/** Lines by tenant, line and how often that pair came before. */
function linesOf({ bills, unrated }: ClosedBill): Map<string, Line> {
  const lines = new Map<string, Line>();
  const add = (tenant: string, line: Line): void => {
    for (let repeat = 0; ; repeat += 1) {
      const place = JSON.stringify([tenant, line['line_id'], repeat]);
      if (lines.has(place)) continue;
      lines.set(place, line);
      return;
    }
  };
  for (const { tenant_id, lines: own } of bills) for (const line of own) add(tenant_id, { ...line });
  for (const line of unrated) add(line.tenant_id ?? '', { ...line });
  return lines;
}

function textOf(value: unknown): string | null {
  return value === undefined ? null : typeof value === 'string' ? value : JSON.stringify(value);
}
