/** The largest avoidable costs of a period, each with the rows it rests on and the query that shows them (SPEC 10). */
import { Rational, sumDecimals } from '../domain/money.ts';
import type { Warehouse } from '../ports.ts';
import { records, type TextRecord } from './bill-document.ts';

/** One model of sql/analyses each; they share their columns. */
export const ADVICES = {
  idle: {
    model: 'ana_idle',
    title: 'Idle capacity',
    formula: 'idle GPU-hours × value of an hour',
    remedy: 'sell it, lend it between sites, or own less',
  },
  failed_run: {
    model: 'ana_failed_run',
    title: 'Runs that failed and are computed again',
    formula: 'GPU-hours of failed allocations × value of an hour',
    remedy: 'checkpoint more often; find the node or the code that fails',
  },
  low_hfu: {
    model: 'ana_low_hfu',
    title: 'Low HFU',
    formula: 'GPU-hours × (1 − HFU ÷ target) × value of an hour',
    remedy: 'larger batches, faster input, fewer accelerators for the same work',
  },
  wrong_hour: {
    model: 'ana_wrong_hour',
    title: 'Work in a dear hour',
    formula: 'GPU-hours × (price of the band − price of the cheapest band)',
    remedy: 'start work that can wait in the cheapest band',
  },
  dear_power: {
    model: 'ana_dear_power',
    title: 'Electricity in a dear hour',
    formula: 'GPU-hours × (electricity of the band − of the cheapest band)',
    remedy: 'start work that can wait when electricity is cheap',
  },
  gang_wait: {
    model: 'ana_gang_wait',
    title: 'Gangs that wait for their members',
    formula: 'GPU-hours waited × value of an hour',
    remedy: 'admit gangs whole (Kueue, Volcano) and pull images before',
  },
  cache_miss: {
    model: 'ana_cache_miss',
    title: 'Prompts that miss the cache',
    formula: '(input × cache share of all tenants − cached input) × (price uncached − price cached)',
    remedy: 'keep the common part of a prompt first and unchanged',
  },
  reserved_idle: {
    model: 'ana_reserved_idle',
    title: 'Reserved and not held',
    formula: 'GPU-hours reserved and not held × lowest value of an hour at the site',
    remedy: 'reserve later, or give the quota back earlier',
  },
} as const;
export type AdviceName = keyof typeof ADVICES;

/** cost: what the centre pays; list_price: the same where no cost is stated; price: what a tenant pays. They are never added up. */
export const BASES = ['cost', 'list_price', 'price'] as const;
export type Basis = (typeof BASES)[number];

export interface AdviceRow {
  readonly tenant_id: string;
  readonly site_id: string;
  readonly product: string;
  readonly workload_id: string;
  readonly quantity: string;
  readonly unit: string;
  readonly unit_value: string;
  readonly amount: string;
  readonly basis: Basis;
  readonly evidence: string;
}

/** Another advice that is about the same hours. */
export interface Overlap {
  readonly with: AdviceName;
  /** Part of this advice's amount that may be in the other one too: at most. */
  readonly amount: string;
  readonly why: string;
}

export interface Advice {
  readonly advice: AdviceName;
  readonly title: string;
  readonly remedy: string;
  readonly formula: string;
  /** Sum of all rows, by basis; bases without rows are left out. */
  readonly amounts: Readonly<Partial<Record<Basis, string>>>;
  readonly amount: string;
  readonly rows_total: number;
  /** The largest ones. */
  readonly rows: readonly AdviceRow[];
  /** Runs with `kashi query`. */
  readonly query: string;
  readonly overlaps: readonly Overlap[];
}

export interface AdviceReport {
  readonly period: string;
  /** Largest amount first; advices without rows are left out. */
  readonly advices: readonly Advice[];
  /** What could be saved at most, by basis, overlaps taken off. */
  readonly totals: Readonly<Partial<Record<Basis, string>>>;
  /** Pools whose time has neither cost nor list price. */
  readonly not_valued: readonly { readonly site_id: string; readonly accelerator_model: string }[];
}

const NAMES = Object.keys(ADVICES) as AdviceName[];

/** Reads the models of ADVICES and ana_hour_value, which must be defined. `tenant`: only its rows (idle capacity is nobody's). */
export async function readAdvice(warehouse: Warehouse, period: string, tenant: string | null, top: number): Promise<AdviceReport> {
  const found = new Map<AdviceName, AdviceRow[]>();
  for (const name of NAMES) {
    const sql = `select * from ${ADVICES[name].model} where period = ? and amount > 0 and (? is null or tenant_id = ?) order by amount desc, tenant_id, site_id, product, workload_id, evidence`;
    found.set(name, records(await warehouse.query(sql, [period, tenant, tenant])).map(rowOf));
  }
  const missing = records(
    await warehouse.query(
      'select site_id, accelerator_model from ana_hour_value where period = ? and hour_value is null order by site_id, accelerator_model',
      [period],
    ),
  );
  return adviceReport(
    { period, tenant },
    found,
    top,
    missing.map((row) => ({ site_id: row['site_id'] ?? '', accelerator_model: row['accelerator_model'] ?? '' })),
  );
}

/** The report of rows that were found; pure, so that amounts and overlaps can be checked by hand. */
export function adviceReport(
  { period, tenant }: { readonly period: string; readonly tenant: string | null },
  found: ReadonlyMap<AdviceName, readonly AdviceRow[]>,
  top: number,
  notValued: AdviceReport['not_valued'],
): AdviceReport {
  const only = tenant === null ? '' : ` and tenant_id = '${tenant.replaceAll("'", "''")}'`;
  const advices = NAMES.flatMap((name): Advice[] => {
    const rows = found.get(name) ?? [];
    if (rows.length === 0) return [];
    const { model, title, remedy, formula } = ADVICES[name];
    return [
      {
        advice: name,
        title,
        remedy,
        formula,
        amounts: byBasis(rows),
        amount: sum(rows),
        rows_total: rows.length,
        rows: rows.slice(0, top),
        query: `select * from ${model} where period = '${period}'${only} order by amount desc`,
        overlaps: overlapsOf(name, rows, found),
      },
    ];
  });
  advices.sort((left, right) => Rational.of(right.amount).compare(Rational.of(left.amount)) || (left.advice < right.advice ? -1 : 1));
  return { period, advices, totals: totalsOf(found), not_valued: notValued };
}

/**
 * Failed runs, low HFU, gang wait and idle time are different hours by construction. The hours of a dear band may be those of a failed or
 * slow run, at price and at cost, and reserved time that nobody held is idle time.
 */
function overlapsOf(name: AdviceName, rows: readonly AdviceRow[], found: ReadonlyMap<AdviceName, readonly AdviceRow[]>): Overlap[] {
  const shared = (other: AdviceName, same: (row: AdviceRow, one: AdviceRow) => boolean, why: string): Overlap[] => {
    const others = found.get(other) ?? [];
    const both = rows.filter((row) => others.some((one) => same(row, one)));
    return both.length === 0 ? [] : [{ with: other, amount: sum(both), why }];
  };
  const workload = (row: AdviceRow, one: AdviceRow): boolean => row.site_id === one.site_id && row.workload_id === one.workload_id;
  const site = (row: AdviceRow, one: AdviceRow): boolean => row.site_id === one.site_id;
  if (name === 'wrong_hour' || name === 'dear_power')
    return [
      ...shared('failed_run', workload, 'hours of failed runs would have been saved anyway'),
      ...shared('low_hfu', workload, 'hours of slow runs would partly have been saved anyway'),
      ...shared(name === 'wrong_hour' ? 'dear_power' : 'wrong_hour', workload, 'the same hours, once at price and once at cost'),
    ];
  if (name === 'failed_run' || name === 'low_hfu')
    return [
      ...shared('wrong_hour', workload, 'the same hours in a dear band'),
      ...shared('dear_power', workload, 'the same hours in a dear band'),
    ];
  if (name === 'reserved_idle') return shared('idle', site, 'what is reserved and not held is idle');
  return name === 'idle' ? idleOverlap(found) : [];
}

/** The other side of reserved_idle: no more than what was reserved. */
function idleOverlap(found: ReadonlyMap<AdviceName, readonly AdviceRow[]>): Overlap[] {
  const sites = new Set((found.get('idle') ?? []).map((row) => row.site_id));
  const reserved = (found.get('reserved_idle') ?? []).filter((row) => sites.has(row.site_id));
  return reserved.length === 0 ? [] : [{ with: 'reserved_idle', amount: sum(reserved), why: 'part of it was reserved' }];
}

/**
 * Reserved time counts where its site has no idle row, and electricity of a workload whose hours are not counted already. A dear band is a
 * price to a tenant: it adds to no cost.
 */
function totalsOf(found: ReadonlyMap<AdviceName, readonly AdviceRow[]>): AdviceReport['totals'] {
  const place = ({ site_id, workload_id }: AdviceRow): string => JSON.stringify([site_id, workload_id]);
  const idleSites = new Set((found.get('idle') ?? []).map((row) => row.site_id));
  const counted = new Set([...(found.get('failed_run') ?? []), ...(found.get('low_hfu') ?? [])].map(place));
  const rows = [...found].flatMap(([name, own]) => {
    if (name === 'reserved_idle') return own.filter((row) => !idleSites.has(row.site_id));
    return name === 'dear_power' ? own.filter((row) => !counted.has(place(row))) : own;
  });
  return byBasis(rows);
}

function byBasis(rows: readonly AdviceRow[]): Partial<Record<Basis, string>> {
  return Object.fromEntries(
    BASES.flatMap((basis) => {
      const own = rows.filter((row) => row.basis === basis);
      return own.length === 0 ? [] : [[basis, sum(own)]];
    }),
  );
}

function sum(rows: readonly AdviceRow[]): string {
  return sumDecimals(
    rows.map(({ amount }) => amount),
    2,
  );
}

function rowOf(row: TextRecord): AdviceRow {
  const text = (name: string): string => row[name] ?? '';
  return {
    tenant_id: text('tenant_id'),
    site_id: text('site_id'),
    product: text('product'),
    workload_id: text('workload_id'),
    quantity: text('quantity'),
    unit: text('unit'),
    unit_value: text('unit_value'),
    amount: text('amount'),
    basis: text('basis') as Basis,
    evidence: text('evidence'),
  };
}
