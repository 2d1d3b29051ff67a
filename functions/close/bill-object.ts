/**
 * The bill as bytes. They hold what is charged to whom, at which prices, by which rules, and nothing of how the rows came in: no file name,
 * object, commit, attempt, snapshot, clock or engine. The same rows in other files, another order or on other threads are the same bytes.
 */
import type { BillDocument, BillLine, TenantBill, UnratedLine } from '../billing/bill-document.ts';
import { sumDecimals } from '../domain/money.ts';
import type { ObjectStore } from '../ports.ts';
import { objectKey } from './keys.ts';
import type { Rules } from './rules.ts';
import { readHashed } from './rules.ts';

export interface ClosedBill {
  readonly format: 'kashi.bill/1';
  readonly centre: string;
  readonly period: string;
  readonly time_zone: string;
  /** Inclusive and exclusive, epoch ms. */
  readonly start_ms: number;
  readonly end_ms: number;
  readonly currency: string;
  /** SHA-256 of the flattened configuration and of the SQL. */
  readonly rules: { readonly rates: string; readonly sql: string };
  readonly total: string;
  readonly bills: readonly TenantBill[];
  /** Usage that a waiver left uncharged. */
  readonly unrated: readonly UnratedLine[];
}

/** A line that was issued for a month: of its bill, or a correction of it in a later one. */
export interface IssuedLine extends BillLine {
  readonly tenant_id: string;
}

/** The bill of a month from its rated lines and the corrections of earlier ones. Lines in a total order. */
export function closedBill(rules: Rules, rated: BillDocument, corrections: readonly IssuedLine[]): ClosedBill {
  const { centre, period, time_zone, start_ms, end_ms, currency } = rules.rates;
  const { bills, total } = withCorrections(rated, corrections);
  return {
    format: 'kashi.bill/1',
    centre,
    period,
    time_zone,
    start_ms,
    end_ms,
    currency,
    rules: { rates: rules.ratesSha256, sql: rules.sqlSha256 },
    total,
    bills,
    unrated: rated.unrated,
  };
}

/** The document with corrections behind each tenant's own lines, and its sums made anew. */
export function withCorrections(rated: BillDocument, corrections: readonly IssuedLine[]): BillDocument {
  const tenants = [...new Set([...rated.bills.map(({ tenant_id }) => tenant_id), ...corrections.map(({ tenant_id }) => tenant_id)])].sort();
  const bills = tenants.map((tenant_id): TenantBill => {
    const own = rated.bills.find((bill) => bill.tenant_id === tenant_id)?.lines ?? [];
    const lines = [...own, ...corrections.filter((line) => line.tenant_id === tenant_id).map(withoutTenant)];
    return { tenant_id, total: sum(lines.map(({ amount }) => amount)), lines };
  });
  return { ...rated, total: sum(bills.map((bill) => bill.total)), bills };
}

function withoutTenant({ tenant_id: _tenant, ...line }: IssuedLine): BillLine {
  return line;
}

function sum(amounts: readonly string[]): string {
  return sumDecimals(amounts, 2);
}

/** What a bill issues for a month: all its own lines when it is that month's, else its corrections of it. */
export function issuedLines(bill: ClosedBill, period: string): IssuedLine[] {
  return bill.bills.flatMap(({ tenant_id, lines }) =>
    lines
      .filter((line) => (line.kind === 'correction' ? line.charge_period === period : bill.period === period))
      .map((line) => ({ ...line, tenant_id })),
  );
}

/** Errors: KashiError store_corrupt when it is missing or any byte differs. */
export async function readBillObject(store: ObjectStore, sha256: string): Promise<ClosedBill> {
  return await readHashed<ClosedBill>(store, objectKey(sha256), sha256);
}
