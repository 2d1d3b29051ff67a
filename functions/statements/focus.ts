/** The lines of a statement as the table that the FOCUS models read (sql/exports). */
import type { BillLine } from '../billing/bill-document.ts';
import { tableSql } from '../close/closed-tables.ts';
import { periodOf } from '../domain/period.ts';
import type { QueryResult } from '../ports.ts';
import type { StatementSource } from './statement.ts';
import { isTokenLine } from './summary.ts';

export const FOCUS_VERSIONS = ['1.2', '1.4'] as const;
export type FocusVersion = (typeof FOCUS_VERSIONS)[number];

/** Model that gives the columns of a version. Example: '1.2' → 'exp_focus_1_2'. */
export function focusModel(version: FocusVersion): string {
  return `exp_focus_${version.replace('.', '_')}`;
}

const TEXT = 'VARCHAR';
const MS = 'BIGINT';
const RATIO = 'DECIMAL(10,6)';
const PRICE = 'DECIMAL(18,10)';

/** Columns of doc_line: of the bill, of the line, and of what a correction repairs. */
export const DOC_LINE: Readonly<Record<string, string>> = {
  centre: TEXT,
  centre_name: TEXT,
  period: TEXT,
  state: TEXT,
  bill_sha256: TEXT,
  currency: TEXT,
  billing_start_ms: MS,
  billing_end_ms: MS,
  charge_start_ms: MS,
  charge_end_ms: MS,
  tenant_id: TEXT,
  tenant_name: TEXT,
  tenant_ascii: TEXT,
  line_id: TEXT,
  kind: TEXT,
  corrects_kind: TEXT,
  site_id: TEXT,
  sku: TEXT,
  meter: TEXT,
  workload_id: TEXT,
  image_digest: TEXT,
  band: TEXT,
  price_id: TEXT,
  tier_no: MS,
  quantity: 'DECIMAL(20,6)',
  unit: TEXT,
  list_unit_price: PRICE,
  factor: RATIO,
  unit_price: PRICE,
  exact_amount: 'DECIMAL(38,16)',
  amount: 'DECIMAL(38,2)',
  adjustment: TEXT,
  hfu: RATIO,
  mfu: RATIO,
  coverage: RATIO,
  cause: TEXT,
  corrects_line_id: TEXT,
  corrects_bill: TEXT,
  sku_price_details: TEXT,
  tags: TEXT,
};

/** The select that is doc_line: the lines of all tenants, or of one. */
export function docLineSql(source: StatementSource, tenant: string | null): string {
  const bills = source.bills.filter(({ tenant_id }) => tenant === null || tenant_id === tenant);
  const rows = bills.flatMap(({ tenant_id, lines }) => lines.map((line) => docLine(source, tenant_id, line)));
  const names = Object.keys(DOC_LINE);
  const table: QueryResult = {
    columns: names.map((name) => ({ name, type: DOC_LINE[name] ?? TEXT })),
    rows: rows.map((row) => names.map((name) => asText(row[name]))),
  };
  return tableSql(table);
}

type Cells = Readonly<Record<string, string | number | null | undefined>>;

function docLine(source: StatementSource, tenantId: string, line: BillLine): Cells {
  const { centre, period, timeZone, startMs, endMs, currency, closed, names } = source;
  const charge = line.charge_period === undefined ? { startMs, endMs } : periodOf(line.charge_period, timeZone);
  const isToken = isTokenLine(line);
  return {
    ...line,
    sku: asciiText(line.sku),
    workload_id: asciiText(line.workload_id),
    site_id: asciiText(line.site_id),
    price_id: asciiText(line.price_id),
    centre: asciiText(centre),
    centre_name: centre,
    period,
    state: closed === null ? 'estimate' : 'bill',
    bill_sha256: closed?.bill ?? null,
    currency,
    billing_start_ms: startMs,
    billing_end_ms: endMs,
    charge_start_ms: charge.startMs,
    charge_end_ms: charge.endMs,
    tenant_id: asciiText(tenantId),
    tenant_name: names.get(tenantId) ?? tenantId,
    tenant_ascii: asciiText(names.get(tenantId) ?? tenantId),
    meter: isToken ? line.sku.slice(line.sku.lastIndexOf(':') + 1) : 'gpu_hours',
    sku_price_details: asciiText(JSON.stringify({ x_Tier: line.tier_no, ...(line.band === '' ? {} : { x_TariffBand: line.band }) })),
    tags: asciiText(JSON.stringify(tagsOf(line))),
  };
}

/** ASCII, as the official validator wants every text: other characters as \uXXXX, which in JSON is the same text. */
function asciiText(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Provider-defined tags, all with kashi's prefix. */
function tagsOf({ kind, site_id, workload_id, image_digest, policy_id, rule_id }: BillLine): Readonly<Record<string, string>> {
  const tags: readonly (readonly [string, string | null])[] = [
    ['kind', kind],
    ['site', site_id],
    ['workload', workload_id],
    ['image', image_digest],
    ['policy', policy_id],
    ['credit-rule', rule_id],
  ];
  return Object.fromEntries(tags.flatMap(([name, value]) => (value === null || value === '' ? [] : [[`kashi:${name}`, value]])));
}

function asText(value: Cells[string]): string | null {
  return value === null || value === undefined ? null : String(value);
}
