/** A month's bill from its inputs and nothing else: earlier months rated again, then the month itself, on one engine. */
import { readBill, records, type TextRecord } from '../billing/bill-document.ts';
import { canonicalJson, sha256Hex } from '../domain/canonical-json.ts';
import { Rational, trimDecimal } from '../domain/money.ts';
import type { ReferenceRow } from '../domain/reference.ts';
import type { Warehouse } from '../ports.ts';
import { defineModels } from '../warehouse/run.ts';
import { type ClosedBill, closedBill, type IssuedLine } from './bill-object.ts';
import { Engines, type OpenEngine } from './engines.ts';
import type { CorrectionInputs, MonthInputs, Stage } from './month-inputs.ts';
import type { Rules } from './rules.ts';

/** A corrected month: what was issued, what is issued now, and what it is rated to. Decimals with two places. */
export interface Telescope {
  readonly period: string;
  readonly issued: string;
  readonly corrected: string;
  readonly recomputed: string;
}

export interface RatedMonth {
  readonly bill: ClosedBill;
  readonly telescopes: readonly Telescope[];
}

/**
 * Rates the month and hands the engine, with its tables still standing, to `use`. `promises`: rows of ref_promise for the checks.
 * Errors: those of the engine; a broken model is a defect, not a value.
 */
export async function rateMonth<T>(
  inputs: MonthInputs,
  promises: readonly ReferenceRow[],
  openEngine: OpenEngine,
  use: (rated: RatedMonth, warehouse: Warehouse) => Promise<T>,
): Promise<T> {
  const engines = new Engines(openEngine);
  try {
    const { lines: corrections, telescopes } = await correctMonths(inputs, engines);
    const { rules } = inputs;
    const warehouse = await engines.over(inputs.files, rules.sql.prelude);
    await loadRules(warehouse, rules, promises, []);
    // The single requests are for the gate, which looks before the month.
    await defineModels(warehouse, rules.models, ['bill_line', 'bill', 'bill_unrated', 'fct_token_usage']);
    const { period, time_zone: timeZone, currency } = rules.rates;
    const lines = { physical: 0, valid: 0, quarantined: 0, blank: 0, residual: 0 };
    const rated = await readBill(warehouse, { period, timeZone, currency, snapshot: inputs.snapshot.n, lines, tenant: null });
    return await use({ bill: closedBill(rules, rated, corrections), telescopes }, warehouse);
  } finally {
    await engines.close();
  }
}

/** The corrections that the inputs lead to, without rating the month itself. */
export async function pendingCorrections(
  inputs: MonthInputs,
  openEngine: OpenEngine,
): Promise<{ readonly lines: readonly IssuedLine[]; readonly telescopes: readonly Telescope[] }> {
  const engines = new Engines(openEngine);
  try {
    return await correctMonths(inputs, engines);
  } finally {
    await engines.close();
  }
}

async function correctMonths(inputs: MonthInputs, engines: Engines): Promise<{ lines: IssuedLine[]; telescopes: Telescope[] }> {
  const lines: IssuedLine[] = [];
  const telescopes: Telescope[] = [];
  for (const earlier of inputs.corrections) {
    const corrected = await correctMonth(earlier, inputs, engines);
    lines.push(...corrected.lines);
    telescopes.push(corrected.telescope);
  }
  return { lines, telescopes };
}

/** The correction lines of one earlier month, cause by cause; together they make issued equal to recomputed. */
async function correctMonth(
  earlier: CorrectionInputs,
  inputs: MonthInputs,
  engines: Engines,
): Promise<{ lines: IssuedLine[]; telescope: Telescope }> {
  const lines: IssuedLine[] = [];
  const issued = sum(earlier.issued);
  let recomputed = issued;
  for (const stage of earlier.stages) {
    const warehouse = await engines.over(stage.files, stage.rules.sql.prelude);
    await loadRules(warehouse, stage.rules, [], [...earlier.issued, ...lines].map(issuedRow));
    // The month's own rules rate it; how corrections are made belongs to the close that makes them.
    const models = [
      ...stage.rules.models.filter(({ name }) => name !== 'bill_correction'),
      ...inputs.rules.models.filter(({ name }) => name === 'bill_correction'),
    ];
    await defineModels(warehouse, models, ['bill', 'bill_correction']);
    const found = records(await warehouse.query(CORRECTIONS));
    lines.push(...found.map((row) => correctionLine(row, stage, earlier, inputs.period)));
    const totals = await warehouse.query('select coalesce(cast(sum(total) as decimal(38, 2)), cast(0 as decimal(38, 2))) from bill');
    recomputed = Rational.of(totals.rows[0]?.[0] ?? '0');
  }
  const telescope = {
    period: earlier.period,
    issued: issued.toFixed(2),
    corrected: sum(lines).toFixed(2),
    recomputed: recomputed.toFixed(2),
  };
  return { lines, telescope };
}

const CORRECTIONS = `select * from bill_correction
  order by tenant_id, kind, site_id, sku, workload_id, image_digest, price_id, band, tier_no, line_id, quantity, list_unit_price, factor, part`;

/** Loads a month's rules into an engine; every model is computed anew after it. */
async function loadRules(
  warehouse: Warehouse,
  { rates }: Rules,
  promises: readonly ReferenceRow[],
  issued: readonly ReferenceRow[],
): Promise<void> {
  await warehouse.loadReference({ ...rates.reference, ref_promise: promises, ref_issued_line: issued });
}

function issuedRow(line: IssuedLine): ReferenceRow {
  return {
    line_id: line.corrects_line_id ?? line.line_id,
    tenant_id: line.tenant_id,
    kind: line.corrects_kind ?? line.kind,
    site_id: line.site_id,
    sku: line.sku,
    workload_id: line.workload_id,
    image_digest: line.image_digest,
    band: line.band,
    price_id: line.price_id,
    tier_no: line.tier_no,
    policy_id: line.policy_id,
    rule_id: line.rule_id,
    unit: line.unit,
    quantity: line.quantity,
    list_unit_price: line.list_unit_price,
    factor: line.factor,
    unit_price: line.unit_price,
    amount: line.amount,
  };
}

function correctionLine(row: TextRecord, stage: Stage, earlier: CorrectionInputs, period: string): IssuedLine {
  const text = (name: string): string => row[name] ?? '';
  const identity = [period, earlier.period, text('line_id'), text('list_unit_price'), text('factor'), text('part'), stage.cause];
  const ratio = (name: string): string | null => (row[name] === null ? null : trimDecimal(text(name), 4));
  return {
    tenant_id: text('tenant_id'),
    line_id: sha256Hex(canonicalJson(['correction', ...identity])).slice(0, 16),
    kind: 'correction',
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
    factor: trimDecimal(text('factor'), 2),
    unit_price: text('unit_price'),
    exact_amount: text('exact_amount'),
    amount: text('amount'),
    hfu: ratio('hfu'),
    mfu: ratio('mfu'),
    proxy: null,
    coverage: null,
    basis: null,
    formula: null,
    adjustment: row['adjustment'] ?? null,
    policy_factor: null,
    records: Number(row['records']),
    corrects_line_id: text('line_id'),
    corrects_kind: text('kind'),
    corrects_bill: earlier.bill,
    charge_period: earlier.period,
    cause: stage.cause,
    order: stage.order,
    part: text('part'),
  };
}

function sum(lines: readonly IssuedLine[]): Rational {
  return lines.reduce((total, { amount }) => total.add(Rational.of(amount)), Rational.of(0n));
}
