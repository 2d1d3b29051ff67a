/** A closed bill as the tables bill, bill_line and bill_unrated: the columns of the models of these names, and what a correction names. */
import type { BillLine } from '../billing/bill-document.ts';
import type { QueryResult } from '../ports.ts';
import type { ClosedBill } from './bill-object.ts';

type Cells = Readonly<Record<string, string | number | null | undefined>>;

const TEXT = 'VARCHAR';
const COUNT = 'BIGINT';
const RATIO = 'DECIMAL(10,6)';

const BILL = { period: TEXT, tenant_id: TEXT, total: 'DECIMAL(38,2)', currency: TEXT, lines: COUNT };

const LINE = {
  period: TEXT,
  tenant_id: TEXT,
  line_id: TEXT,
  kind: TEXT,
  site_id: TEXT,
  sku: TEXT,
  product: TEXT,
  meter: TEXT,
  workload_id: TEXT,
  image_digest: TEXT,
  band: TEXT,
  price_id: TEXT,
  tier_no: COUNT,
  policy_id: TEXT,
  rule_id: TEXT,
  quantity: 'DECIMAL(20,6)',
  unit: TEXT,
  list_unit_price: 'DECIMAL(18,10)',
  factor: RATIO,
  unit_price: 'DECIMAL(18,10)',
  exact_amount: 'DECIMAL(38,16)',
  amount: 'DECIMAL(38,2)',
  currency: TEXT,
  adjustment: TEXT,
  policy_factor: RATIO,
  hfu: RATIO,
  mfu: RATIO,
  proxy: RATIO,
  coverage: RATIO,
  basis: TEXT,
  formula: TEXT,
  records: COUNT,
};

const CORRECTION = {
  corrects_line_id: TEXT,
  corrects_kind: TEXT,
  corrects_bill: TEXT,
  charge_period: TEXT,
  cause: TEXT,
  part: TEXT,
};

const UNRATED = {
  period: TEXT,
  line_id: TEXT,
  kind: TEXT,
  reason: TEXT,
  tenant_id: TEXT,
  tenant_key: TEXT,
  site_id: TEXT,
  sku: TEXT,
  workload_id: TEXT,
  quantity: 'DECIMAL(20,6)',
  unit: TEXT,
  records: COUNT,
};

/** Tables by name, in the order of the bill. `tenant`: only this tenant's. */
export function closedTables(
  bill: ClosedBill,
  tenant: string | null,
): Readonly<Record<'bill' | 'bill_line' | 'bill_unrated', QueryResult>> {
  const { period, currency } = bill;
  const bills = bill.bills.filter(({ tenant_id }) => tenant === null || tenant_id === tenant);
  const unrated = bill.unrated.filter(({ tenant_id }) => tenant === null || tenant_id === tenant);
  return {
    bill: tableOf(
      BILL,
      bills.map(({ tenant_id, total, lines }) => ({ period, tenant_id, total, currency, lines: lines.length })),
    ),
    bill_line: lineTable(bill, tenant, { ...LINE, ...CORRECTION }),
    bill_unrated: tableOf(
      UNRATED,
      unrated.map((line) => ({ ...line, period })),
    ),
  };
}

/** Lines with the columns of the model bill_line and no other. */
export function closedModelLines(bill: ClosedBill): QueryResult {
  return lineTable(bill, null, LINE);
}

function lineTable({ period, currency, bills }: ClosedBill, tenant: string | null, columns: Readonly<Record<string, string>>): QueryResult {
  const rows = bills
    .filter(({ tenant_id }) => tenant === null || tenant_id === tenant)
    .flatMap(({ tenant_id, lines }) => lines.map((line) => ({ ...line, ...productOf(line), period, tenant_id, currency })));
  return tableOf(columns, rows);
}

/** A token line's SKU is model:meter; a model may have a colon of its own. */
function productOf({ kind, corrects_kind, sku }: BillLine): { product: string; meter: string } {
  if ((corrects_kind ?? kind) !== 'tokens') return { product: sku, meter: 'gpu_hours' };
  const colon = sku.lastIndexOf(':');
  return { product: sku.slice(0, colon), meter: sku.slice(colon + 1) };
}

function tableOf(columns: Readonly<Record<string, string>>, rows: readonly Cells[]): QueryResult {
  const names = Object.keys(columns);
  const cell = (value: Cells[string]): string | null => (value === null || value === undefined ? null : String(value));
  return {
    columns: names.map((name) => ({ name, type: columns[name] ?? TEXT })),
    rows: rows.map((row) => names.map((name) => cell(row[name]))),
  };
}

/** One SELECT that gives the table; values are text literals, cast to the column's type. */
export function tableSql({ columns, rows }: QueryResult): string {
  const literal = (value: string | null): string => (value === null ? 'null' : `'${value.replaceAll("'", "''")}'`);
  const names = columns.map((_, index) => `c${index}`);
  const select = columns.map(({ name, type }, index) => `cast(c${index} as ${type}) as ${name}`).join(', ');
  const values = rows.length === 0 ? [columns.map(() => null)] : rows;
  const text = values.map((row) => `(${row.map(literal).join(', ')})`).join(',\n');
  return `select ${select} from (values ${text}) as stated (${names.join(', ')})${rows.length === 0 ? ' where false' : ''}`;
}
