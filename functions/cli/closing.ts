/** What the commands on closed months share: a month's plan from the configuration, and closed bills as `kashi bill` prints them. */
import type { BillDocument } from '../billing/bill-document.ts';
import { readAdjustments } from '../close/adjustments.ts';
import { readBillObject } from '../close/bill-object.ts';
import { closedModelLines, tableSql } from '../close/closed-tables.ts';
import type { Equation } from '../close/equation.ts';
import { type Evidence, readEvidence } from '../close/evidence.ts';
import { verifyFiles } from '../close/files.ts';
import { type MonthPlan, monthsBefore, pinnedCorrections } from '../close/make-pin.ts';
import { monthAfter, resolvePin } from '../close/month-inputs.ts';
import { readOrders } from '../close/order.ts';
import { readPin } from '../close/pin.ts';
import { type Pending, pendingOf } from '../close/provisional.ts';
import { type Rules, rulesOf } from '../close/rules.ts';
import { closedMonths, readSignedBill, type SignedBill } from '../close/statement.ts';
import type { StoredWaiver } from '../close/waiver.ts';
import { PARSER_VERSION } from '../contract.ts';
import { buildReference } from '../domain/build-reference.ts';
import { assert, KashiError } from '../domain/errors.ts';
import { sumDecimals } from '../domain/money.ts';
import { type Period, periodOf } from '../domain/period.ts';
import { promisesOf } from '../domain/promise.ts';
import type { ObjectStore, Warehouse } from '../ports.ts';
import type { Model } from '../warehouse/model.ts';
import { type Centre, controlFiles, engineVersion, openEngine, openEngineAt, reviewedDocuments, sqlBundle, trustedKey } from './wiring.ts';

/** The rules of a month by the configuration as it is now. */
export function currentRules(centre: Centre, month: Period): Rules {
  const { config, priceBook, tenants, inventory, catalog } = centre;
  const reference = buildReference({ config, priceBook, tenants, inventory, catalog, period: month });
  const correctFrom = periodOf(monthsBefore(month.period, config.close.correctMonths), config.timeZone);
  const settings = reference.ref_setting.map((row) => ({ ...row, correct_from_ms: correctFrom.startMs }));
  return rulesOf(config.centre, month, priceBook?.currency ?? config.currency, { ...reference, ref_setting: settings }, sqlBundle());
}

/** What a close would pin of the configuration. Errors: KashiError usage for a text that is no month, config_invalid for a bad control total. */
export async function planOf(centre: Centre, period: string): Promise<MonthPlan> {
  const month = periodOf(period, centre.config.timeZone);
  return {
    period,
    rules: currentRules(centre, month),
    promises: promisesOf(centre.config.close, controlFiles(centre), month),
    documents: reviewedDocuments(centre),
    engine: { name: centre.engine, version: await engineVersion(centre.engine) },
    parserVersion: PARSER_VERSION,
    conflictsAllowed: centre.config.close.conflictsAllowed,
    correctMonths: centre.config.close.correctMonths,
  };
}

/** open: still running. provisional: over, not closed. closing: pinned, not issued. adjusted: closed, and corrected in a later bill. */
export type MonthState = 'open' | 'provisional' | 'closing' | 'closed' | 'adjusted';

export async function stateOf(centre: Centre, period: string): Promise<MonthState> {
  const { store, clock, config } = centre;
  if ((await readSignedBill(store, period, null)) !== null)
    return (await correctionsIssued(store, period)).length > 0 ? 'adjusted' : 'closed';
  if ((await readPin(store, period)) !== null) return 'closing';
  return clock.now() < periodOf(period, config.timeZone).endMs ? 'open' : 'provisional';
}

/** Later bills that correct a month, and by how much. */
export async function correctionsIssued(
  store: ObjectStore,
  period: string,
): Promise<{ issued_in: string; total: string; lines: number }[]> {
  const statements = await readAdjustments(store, period, null);
  return statements.map(({ value }) => ({ issued_in: value.issued_in, total: value.total, lines: value.lines.length }));
}

export interface ClosedDocument extends Omit<BillDocument, 'equations' | 'state'> {
  readonly state: 'closed' | 'adjusted';
  /** SHA-256 of the bill's bytes: what `kashi verify` recomputes. */
  readonly sha256: string;
  readonly signature: {
    readonly key_id: string;
    readonly algorithm: string;
    readonly record_sha256: string;
    readonly previous: SignedBill['value']['previous'];
  };
  readonly equations: { readonly lines: BillDocument['equations']['lines']; readonly all: readonly Equation[] };
  readonly waivers: readonly StoredWaiver[];
  /** Corrections of this month in later bills. */
  readonly corrected_in: readonly { readonly issued_in: string; readonly total: string; readonly lines: number }[];
}

/** The closed bill of a month as it was issued, or null. Nothing is rated. Errors: KashiError store_corrupt. */
export async function closedDocument(
  store: ObjectStore,
  period: string,
  tenant: string | null,
  trusted: string | null,
): Promise<ClosedDocument | null> {
  const signed = await readSignedBill(store, period, trusted);
  if (signed === null) return null;
  const bill = await readBillObject(store, signed.value.bill);
  const evidence: Evidence = await readEvidence(store, signed.value.evidence);
  const corrected_in = await correctionsIssued(store, period);
  const bills = bill.bills.filter(({ tenant_id }) => tenant === null || tenant_id === tenant);
  return {
    period,
    time_zone: bill.time_zone,
    currency: bill.currency,
    state: corrected_in.length > 0 ? 'adjusted' : 'closed',
    snapshot: evidence.pin.pin.snapshot.n,
    total: sumDecimals(
      bills.map(({ total }) => total),
      2,
    ),
    bills,
    unrated: bill.unrated.filter(({ tenant_id }) => tenant === null || tenant_id === tenant),
    sha256: signed.value.bill,
    signature: { key_id: signed.keyId, algorithm: signed.algorithm, record_sha256: signed.sha256, previous: signed.value.previous },
    equations: { lines: evidence.lines, all: evidence.equations },
    waivers: evidence.waivers,
    corrected_in,
  };
}

/** The corrections of closed months that the bill of this month would issue if it were closed now; none unless it is next. */
export async function pendingIn(centre: Centre, period: string): Promise<Pending> {
  const last = await lastClosed(centre.store);
  if (last === null || monthAfter(last) !== period) return { lines: [], telescopes: [] };
  return await pendingOf(centre.store, await planOf(centre, period), trustedKey(centre, null), (files, prelude) =>
    openEngine(centre, files, prelude),
  );
}

/** The rules by which the next close would rate a closed month, by hash: of its close, or of its last order. Errors: KashiError conflict when it is out of reach. */
export async function inForce(centre: Centre, period: string): Promise<{ rates: string; sql: string }> {
  const { store, config } = centre;
  const last = await lastClosed(store);
  const pin = last === null ? null : ((await readPin(store, last))?.pin ?? null);
  const known = pin === null ? [] : pinnedCorrections(pin, config.close.correctMonths);
  const own = known.find((one) => one.period === period);
  if (own === undefined)
    throw new KashiError('conflict', 'corrections do not reach back to this month', {
      where: period,
      allowed: known.map((one) => one.period).join(', '),
      hint: 'close.correct_months in kashi.yaml says how far they reach',
    });
  const pending = (await readOrders(store, period, null)).filter(({ number }) => number > own.orders_done).at(-1);
  return pending ?? own;
}

/**
 * The engine as it stood when a bill was made: its snapshot and rules; for a month that the bill corrects, what that month is rated to since.
 * Errors: KashiError store_corrupt.
 */
export async function withPinned<T>(
  centre: Centre,
  period: string,
  corrected: string | null,
  use: (warehouse: Warehouse, models: readonly Model[]) => Promise<T>,
): Promise<T> {
  const stored = await readPin(centre.store, period);
  assert(stored !== null, `${period} has a bill and no pin`);
  const inputs = await resolvePin(centre.store, stored.pin, null);
  const stage = inputs.corrections.find((one) => one.period === corrected)?.stages.at(-1);
  const { files, rules } = stage ?? inputs;
  await verifyFiles(centre.store, files);
  const warehouse = await openEngineAt(centre, files, { prelude: rules.sql.prelude });
  try {
    await warehouse.loadReference(rules.rates.reference);
    return await use(warehouse, rules.models);
  } finally {
    await warehouse.close();
  }
}

/** The models with bill_line as it was issued for closed months, corrections included, and as it is rated for the others. */
export async function issuedModels({ store }: Centre, models: readonly Model[]): Promise<readonly Model[]> {
  const months = await closedMonths(store);
  if (months.length === 0) return models;
  const issued: string[] = [];
  for (const month of months) {
    const signed = await readSignedBill(store, month, null);
    if (signed !== null) issued.push(tableSql(closedModelLines(await readBillObject(store, signed.value.bill))));
  }
  return models.map((model) => {
    if (model.name !== 'bill_line') return model;
    const columns = model.columns.map(({ name }) => name).join(', ');
    const names = months.map((month) => `'${month}'`).join(', ');
    const rated = `select ${columns} from (${model.sql}) as rated where period not in (${names})`;
    return { ...model, sql: [rated, ...issued.map((table) => `select ${columns} from (${table}) as issued`)].join('\nunion all\n') };
  });
}

/** The last closed month, or null. */
export async function lastClosed(store: ObjectStore): Promise<string | null> {
  return (await closedMonths(store)).at(-1) ?? null;
}
