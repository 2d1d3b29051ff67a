/** What a month would be pinned to now, and whether it is its turn. */
import { sha256Hex } from '../domain/canonical-json.ts';
import { KashiError } from '../domain/errors.ts';
import type { ReferenceRow } from '../domain/reference.ts';
import type { Snapshot } from '../ledger/snapshot.ts';
import type { ObjectStore } from '../ports.ts';
import { monthAfter } from './month-inputs.ts';
import { readOrders } from './order.ts';
import { type GateFacts, type Pin, type PinnedCorrection, readPin } from './pin.ts';
import { bytesOf, type Rules } from './rules.ts';
import type { SignedBill } from './statement.ts';

/** A reviewed file as it lies on disk. */
export interface Document {
  readonly kind: string;
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** The configuration of a close, as it is now. */
export interface MonthPlan {
  readonly period: string;
  readonly rules: Rules;
  /** Rows of ref_promise, values as text. */
  readonly promises: readonly ReferenceRow[];
  readonly documents: readonly Document[];
  readonly engine: Pin['engine'];
  readonly parserVersion: number;
  readonly conflictsAllowed: number;
  /** How many months back corrections reach. */
  readonly correctMonths: number;
}

/**
 * Returns nothing when the month follows the last closed one, or is the first. Errors: KashiError conflict naming the month whose turn it is:
 * a chain has no gaps, and a correction must know in which month it is issued.
 */
export function checkTurn(chain: readonly SignedBill[], period: string): void {
  const last = chain.at(-1);
  if (last === undefined || monthAfter(last.value.period) === period) return;
  throw new KashiError('conflict', 'months are closed one after the other', {
    where: period,
    allowed: `${monthAfter(last.value.period)}, which follows the last closed month`,
    found: period,
    hint: `kashi close ${monthAfter(last.value.period)}`,
  });
}

/** The pin that a close would make. `chain`: all signed bills; the month must follow the last. */
export async function makePin(
  store: ObjectStore,
  plan: MonthPlan,
  snapshot: Pick<Snapshot, 'n' | 'sha256'>,
  chain: readonly SignedBill[],
  gate: GateFacts,
  nowMs: number,
  trusted: string | null,
): Promise<Pin> {
  const last = chain.at(-1);
  return {
    format: 'kashi.pin/1',
    period: plan.period,
    pinned_at_ms: nowMs,
    snapshot: { n: snapshot.n, sha256: snapshot.sha256 },
    rates: plan.rules.ratesSha256,
    sql: plan.rules.sqlSha256,
    promises: sha256Hex(bytesOf(plan.promises)),
    conflicts_allowed: plan.conflictsAllowed,
    documents: plan.documents.map(({ kind, name, bytes }) => ({ kind, name, sha256: sha256Hex(bytes) })),
    engine: plan.engine,
    parser_version: plan.parserVersion,
    previous: last === undefined ? null : { period: last.value.period, sha256: last.sha256 },
    corrections: await correctionsOf(store, plan, chain, trusted),
    waivers: [],
    gate,
  };
}

/** Every closed month that corrections still reach, with the rules in force for it and a pending order. */
async function correctionsOf(
  store: ObjectStore,
  { correctMonths }: MonthPlan,
  chain: readonly SignedBill[],
  trusted: string | null,
): Promise<PinnedCorrection[]> {
  const last = chain.at(-1);
  if (last === undefined) return [];
  const before = await readPin(store, last.value.period);
  if (before === null) return [];
  return await Promise.all(
    pinnedCorrections(before.pin, correctMonths).map(async (one) => {
      const pending = (await readOrders(store, one.period, trusted)).filter(({ number }) => number > one.orders_done).at(-1);
      if (pending === undefined) return one;
      const { number, sha256, cause, rates, sql } = pending;
      return { ...one, order: { number, sha256, cause, rates, sql } };
    }),
  );
}

/** The closed months that the close after this pin may correct, with the rules in force for each when this pin was made. */
export function pinnedCorrections(pin: Pin, correctMonths: number): PinnedCorrection[] {
  const oldest = monthsBefore(monthAfter(pin.period), correctMonths);
  const inForce: PinnedCorrection[] = [
    ...pin.corrections.map((one) =>
      one.order === null ? one : { ...one, rates: one.order.rates, sql: one.order.sql, orders_done: one.order.number, order: null },
    ),
    { period: pin.period, rates: pin.rates, sql: pin.sql, orders_done: 0, order: null },
  ];
  return inForce.filter((one) => one.period >= oldest);
}

/** Example: ('2027-01', 13) → '2025-12'. */
export function monthsBefore(period: string, months: number): string {
  const [year = 0, month = 0] = period.split('-').map(Number);
  const index = year * 12 + month - 1 - months;
  return `${Math.floor(index / 12)}-${String((index % 12) + 1).padStart(2, '0')}`;
}
