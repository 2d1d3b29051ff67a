/** The bill of a period as a document: what `kashi bill` prints and every export starts from (SPEC 12). */
import { sumDecimals, trimDecimal } from '../domain/money.ts';
import type { QueryResult, Warehouse } from '../ports.ts';

export interface LineEquation {
  readonly physical: number;
  readonly valid: number;
  readonly quarantined: number;
  readonly blank: number;
  readonly residual: number;
}

/** Decimals are texts; a null ratio is unknown, not zero. */
export interface BillLine {
  readonly line_id: string;
  readonly kind: string;
  readonly site_id: string;
  readonly sku: string;
  readonly workload_id: string;
  readonly image_digest: string;
  readonly band: string;
  readonly price_id: string;
  readonly tier_no: number;
  readonly policy_id: string | null;
  readonly rule_id: string | null;
  readonly quantity: string;
  readonly unit: string;
  readonly list_unit_price: string;
  readonly factor: string;
  readonly unit_price: string;
  readonly exact_amount: string;
  readonly amount: string;
  readonly hfu: string | null;
  readonly mfu: string | null;
  /** Busy time that decided in their place; not an HFU. */
  readonly proxy: string | null;
  readonly coverage: string | null;
  readonly basis: string | null;
  readonly formula: string | null;
  readonly adjustment: string | null;
  readonly policy_factor: string | null;
  readonly records: number;
  // Corrections only.
  /** The line of the closed bill that this repairs. */
  readonly corrects_line_id?: string;
  /** Its kind. */
  readonly corrects_kind?: string;
  /** SHA-256 of that bill. */
  readonly corrects_bill?: string;
  /** The closed month that is repaired, yyyy-mm. */
  readonly charge_period?: string;
  /** late, reparse, rerate, capacity_fix or tenant_fix. */
  readonly cause?: string;
  /** Number of the order behind it; null without one. */
  readonly order?: number | null;
  /** difference; or reversal and restatement, where a price changed or roundings differ. */
  readonly part?: string;
}

export interface TenantBill {
  readonly tenant_id: string;
  readonly total: string;
  readonly lines: readonly BillLine[];
}

export interface UnratedLine {
  readonly line_id: string;
  readonly kind: string;
  readonly reason: string;
  readonly tenant_id: string | null;
  readonly tenant_key: string | null;
  readonly site_id: string;
  readonly sku: string;
  readonly workload_id: string;
  readonly quantity: string;
  readonly unit: string;
  readonly records: number;
}

export interface BillDocument {
  readonly period: string;
  readonly time_zone: string;
  readonly currency: string;
  readonly state: 'provisional' | 'closed' | 'adjusted';
  readonly snapshot: number;
  readonly total: string;
  readonly bills: readonly TenantBill[];
  readonly unrated: readonly UnratedLine[];
  readonly equations: { readonly lines: LineEquation };
}

export interface BillContext {
  readonly period: string;
  readonly timeZone: string;
  readonly currency: string;
  readonly snapshot: number;
  readonly lines: LineEquation;
  /** Only this tenant's bill; unrated lines of others are left out too. */
  readonly tenant: string | null;
}

const ORDER = 'tenant_id, kind, site_id, sku, workload_id, image_digest, price_id, band, tier_no, line_id';

/** Reads bill_line and bill_unrated, which must be defined. Lines in a total order, so that equal bills are equal bytes. */
export async function readBill(warehouse: Warehouse, context: BillContext): Promise<BillDocument> {
  const { period, tenant } = context;
  const lines = records(
    await warehouse.query(`select * from bill_line where period = ? and (? is null or tenant_id = ?) order by ${ORDER}`, [
      period,
      tenant,
      tenant,
    ]),
  );
  const unrated = records(
    await warehouse.query(
      `select * from bill_unrated where period = ? and (? is null or tenant_id = ?) order by reason, kind, tenant_id, tenant_key, site_id, sku, workload_id, line_id`,
      [period, tenant, tenant],
    ),
  );
  const byTenant = new Map<string, BillLine[]>();
  for (const row of lines) {
    const tenantId = row['tenant_id'] ?? '';
    byTenant.set(tenantId, [...(byTenant.get(tenantId) ?? []), lineOf(row)]);
  }
  const bills = [...byTenant].map(([tenant_id, own]) => ({
    tenant_id,
    total: sumDecimals(
      own.map((line) => line.amount),
      2,
    ),
    lines: own,
  }));
  return {
    period,
    time_zone: context.timeZone,
    currency: context.currency,
    state: 'provisional',
    snapshot: context.snapshot,
    total: sumDecimals(
      bills.map((bill) => bill.total),
      2,
    ),
    bills,
    unrated: unrated.map(unratedOf),
    equations: { lines: context.lines },
  };
}

export type TextRecord = Readonly<Record<string, string | null>>;

/** Rows as records by column name. */
export function records(result: QueryResult): TextRecord[] {
  return result.rows.map((row) => Object.fromEntries(result.columns.map((column, index) => [column.name, row[index] ?? null])));
}

function ratio(text: string | null | undefined): string | null {
  return text === null || text === undefined ? null : trimDecimal(text, 4);
}

function factor(text: string | null | undefined): string | null {
  return text === null || text === undefined ? null : trimDecimal(text, 2);
}

function lineOf(row: TextRecord): BillLine {
  const text = (name: string): string => row[name] ?? '';
  return {
    line_id: text('line_id'),
    kind: text('kind'),
    site_id: text('site_id'),
    sku: text('sku'),
    workload_id: text('workload_id'),
    image_digest: text('image_digest'),
    band: text('band'),
    price_id: text('price_id'),
    tier_no: Number(row['tier_no']),
    policy_id: row['policy_id'] ?? null,
    rule_id: row['rule_id'] ?? null,
    quantity: text('quantity'),
    unit: text('unit'),
    list_unit_price: text('list_unit_price'),
    factor: factor(row['factor']) ?? '1.00',
    unit_price: text('unit_price'),
    exact_amount: text('exact_amount'),
    amount: text('amount'),
    hfu: ratio(row['hfu']),
    mfu: ratio(row['mfu']),
    proxy: ratio(row['proxy']),
    coverage: ratio(row['coverage']),
    basis: row['basis'] ?? null,
    formula: row['formula'] ?? null,
    adjustment: row['adjustment'] ?? null,
    policy_factor: factor(row['policy_factor']),
    records: Number(row['records']),
  };
}

function unratedOf(row: TextRecord): UnratedLine {
  const text = (name: string): string => row[name] ?? '';
  return {
    line_id: text('line_id'),
    kind: text('kind'),
    reason: text('reason'),
    tenant_id: row['tenant_id'] ?? null,
    tenant_key: row['tenant_key'] ?? null,
    site_id: text('site_id'),
    sku: text('sku'),
    workload_id: text('workload_id'),
    quantity: text('quantity'),
    unit: text('unit'),
    records: Number(row['records']),
  };
}
