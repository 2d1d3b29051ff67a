/** The equations of RELIABILITY 3.4: two sides, each counted in its own way, and what is left between them. */
import { records, type TextRecord } from '../billing/bill-document.ts';
import { Rational, trimDecimal } from '../domain/money.ts';
import { type Snapshot, snapshotCommits } from '../ledger/snapshot.ts';
import type { ObjectStore, Warehouse } from '../ports.ts';
import type { Model } from '../warehouse/model.ts';
import { type CheckResult, defineModels, runChecks } from '../warehouse/run.ts';
import type { ClosedBill } from './bill-object.ts';
import type { MonthInputs } from './month-inputs.ts';
import type { RatedMonth } from './rate-month.ts';

export interface Term {
  readonly term: string;
  /** Exact decimal. */
  readonly value: string;
}

/** Sides are sums of their terms, in the order in which people read them; residual = left − right. It holds when the residual is 0. */
export interface Equation {
  /** lines, rows, tokens, control, gpu_time, money, cost, telescoping, chain, twin, checks. */
  readonly name: string;
  /** What it is about: a source, a dataset, a meter, a pool, a tenant, a month. */
  readonly subject: string;
  readonly left: readonly Term[];
  readonly right: readonly Term[];
  readonly residual: string;
}

type Terms = Readonly<Record<string, string | number | bigint>>;

/** An equation of terms with the same unit; `scale` decimals. */
export function equation(name: string, subject: string, left: Terms, right: Terms, scale = 0): Equation {
  const sum = (terms: Terms): Rational =>
    Object.values(terms).reduce((total: Rational, value) => total.add(Rational.of(value)), Rational.of(0n));
  const side = (terms: Terms): Term[] => Object.entries(terms).map(([term, value]) => ({ term, value: Rational.of(value).toFixed(scale) }));
  return { name, subject, left: side(left), right: side(right), residual: sum(left).subtract(sum(right)).toFixed(scale) };
}

export function holds({ residual }: Equation): boolean {
  return Rational.of(residual).compare(Rational.of(0n)) === 0;
}

/** Example: 'rows token_usage: stored 10 = charged 8 + duplicate 2; residual 0'. Terms of zero are left out, save a lone one. */
export function equationText({ name, subject, left, right, residual }: Equation): string {
  const side = (terms: readonly Term[]): string => {
    const shown = terms.filter(({ value }) => /[1-9]/.test(value));
    const text = (shown.length === 0 ? terms.slice(0, 1) : shown).map(({ term, value }) => `${term} ${trimDecimal(value, 0)}`).join(' + ');
    return text === '' ? '0' : text;
  };
  return `${name} ${subject}: ${side(left)} = ${side(right)}; residual ${trimDecimal(residual, 0)}`;
}

export interface MonthAccount {
  readonly equations: readonly Equation[];
  readonly checks: readonly CheckResult[];
  readonly promises: readonly TextRecord[];
}

/** Every equation that one engine can check, and what producers promised. The month's tables must stand on it. */
export async function accountOf(
  store: ObjectStore,
  inputs: MonthInputs,
  rated: RatedMonth,
  warehouse: Warehouse,
  waived: ReadonlySet<string>,
): Promise<MonthAccount> {
  const { models } = inputs.rules;
  await defineModels(warehouse, models, ['rtd_token_account', 'rtd_promise', 'rtd_capacity']);
  const checks = await runChecks(warehouse, models);
  const promises = records(await warehouse.query('select * from rtd_promise order by kind, source, site_id, from_ms, promise_id'));
  const equations = [
    ...(await lineEquations(store, inputs.snapshot)),
    ...(await rowEquations(warehouse, inputs.snapshot)),
    ...(await tokenEquations(warehouse, rated.bill)),
    ...controlEquations(promises, waived),
    ...(await gpuEquations(warehouse)),
    ...(await moneyEquations(warehouse, rated.bill)),
    ...(await costEquations(warehouse, rated.bill)),
    ...rated.telescopes.map(({ period, issued, corrected, recomputed }) =>
      equation('telescoping', period, { issued, corrected }, { recomputed }, 2),
    ),
    ...checkEquations(checks, models),
  ];
  return { equations, checks, promises };
}

/** Lines of each source: what the snapshot says was landed, against the lines of its commits by outcome. */
async function lineEquations(store: ObjectStore, snapshot: Snapshot): Promise<Equation[]> {
  const sums = new Map<string, { valid: number; quarantined: number; blank: number }>();
  for await (const commit of snapshotCommits(store, snapshot)) {
    const sum = sums.get(commit.source) ?? { valid: 0, quarantined: 0, blank: 0 };
    if (commit.kind === 'data') {
      sum.valid += commit.lines.valid;
      sum.quarantined += commit.lines.quarantined;
      sum.blank += commit.lines.blank;
    }
    sums.set(commit.source, sum);
  }
  const names = [...new Set([...sums.keys(), ...Object.keys(snapshot.totals)])].sort();
  return names.map((source) => {
    const { valid = 0, quarantined = 0, blank = 0 } = sums.get(source) ?? {};
    return equation('lines', source, { physical: snapshot.totals[source]?.physical ?? 0 }, { valid, quarantined, blank });
  });
}

const OTHER_DATASETS = ['gpu_sample', 'allocation_event', 'training_progress', 'scheduler_event', 'pod_device', 'quarantine'] as const;

/** Stored rows as commits counted them, against the rows that rating saw, by what became of them. */
async function rowEquations(warehouse: Warehouse, snapshot: Snapshot): Promise<Equation[]> {
  const stored = (dataset: keyof Snapshot['datasets']): number => snapshot.datasets[dataset]?.rows ?? 0;
  const classes = records(
    await warehouse.query('select class, cast(usage_rows as bigint) as usage_rows from rtd_token_account order by class'),
  );
  const right = Object.fromEntries(classes.map((row) => [row['class'] ?? '', row['usage_rows'] ?? '0']));
  const equations = [equation('rows', 'token_usage', { stored: stored('token_usage') }, { charged: 0, ...right })];
  for (const dataset of OTHER_DATASETS) {
    if (stored(dataset) === 0) continue;
    const { rows } = await warehouse.query(`select count(*) from raw_${dataset}`);
    equations.push(equation('rows', dataset, { stored: stored(dataset) }, { read: rows[0]?.[0] ?? '0' }));
  }
  return equations;
}

const METERS = {
  input_uncached: 'input_uncached',
  input_cache_read: 'input_cache_read',
  input_cache_write: 'input_cache_write',
  output: 'output_total',
};

/** Tokens in stored rows, against tokens on lines, on the list of unrated usage, and in rows that are not this month's to charge. */
async function tokenEquations(warehouse: Warehouse, bill: ClosedBill): Promise<Equation[]> {
  const raw = records(
    await warehouse.query(`select
      cast(coalesce(sum(input_uncached_tokens), 0) as bigint) as input_uncached,
      cast(coalesce(sum(input_cache_read_tokens), 0) as bigint) as input_cache_read,
      cast(coalesce(sum(input_cache_write_tokens), 0) as bigint) as input_cache_write,
      cast(coalesce(sum(output_tokens), 0) as bigint) as output from raw_token_usage`),
  )[0];
  const classes = records(await warehouse.query(`select * from rtd_token_account where class <> 'charged' order by class`));
  const million = Rational.of(1_000_000n);
  const onLines = (lines: readonly { kind: string; sku: string; unit: string; quantity: string }[], meter: string): string =>
    lines
      .filter(({ kind, sku, unit }) => kind === 'tokens' && unit !== 'Requests' && sku.endsWith(`:${meter}`))
      .reduce((total, { quantity }) => total.add(Rational.of(quantity).multiply(million)), Rational.of(0n))
      .toFixed(0);
  const lines = bill.bills.flatMap((one) => one.lines);
  return Object.entries(METERS).map(([meter, column]) =>
    equation(
      'tokens',
      meter,
      { valid: raw?.[meter] ?? '0' },
      {
        billed: onLines(lines, meter),
        unrated: onLines(bill.unrated, meter),
        ...Object.fromEntries(classes.map((row) => [row['class'] ?? '', row[column] ?? '0'])),
      },
    ),
  );
}

/** Producers' own totals and canaries, against what was found; what differs must have been waived by name. */
function controlEquations(promises: readonly TextRecord[], waived: ReadonlySet<string>): Equation[] {
  const groups = new Map<string, TextRecord[]>();
  for (const promise of promises.filter(({ kind }) => kind !== 'hourly')) {
    const subject = `${promise['kind']}:${promise['source'] ?? 'all'}/${promise['site_id']}`;
    groups.set(subject, [...(groups.get(subject) ?? []), promise]);
  }
  return [...groups].flatMap(([subject, own]) =>
    ['requests', 'input_tokens', 'output_tokens'].flatMap((measure) => {
      const stated = own.filter((promise) => promise[measure] !== null);
      if (stated.length === 0) return [];
      return [controlEquation(`${subject} ${measure}`, stated, measure, waived)];
    }),
  );
}

/** Differences of single hours must not make up for each other, so the residual is the sum of their sizes. */
function controlEquation(subject: string, stated: readonly TextRecord[], measure: string, waived: ReadonlySet<string>): Equation {
  let [promised, found, excused, open] = [0n, 0n, 0n, 0n];
  for (const promise of stated) {
    const wanted = BigInt(promise[measure] ?? '0');
    const had = BigInt(promise[`found_${measure}`] ?? '0');
    promised += wanted;
    found += had;
    if (waived.has(promise['promise_id'] ?? '')) excused += wanted - had;
    else open += wanted > had ? wanted - had : had - wanted;
  }
  return { ...equation('control', subject, { promised }, { found, waived: excused }), residual: open.toString() };
}

/** Capacity of each pool; and accelerator hours on lines against rated quantities. */
async function gpuEquations(warehouse: Warehouse): Promise<Equation[]> {
  const pools = records(await warehouse.query('select * from rtd_capacity order by site_id, accelerator_model'));
  const capacity = pools.map((pool) => {
    const term = (name: string): string => pool[`${name}_gpu_ms`] ?? '0';
    // Idle is what is left of capacity, and there is no such thing as less than none.
    const idle = BigInt(term('idle')) < 0n ? 0n : BigInt(term('idle'));
    return equation(
      'gpu_time',
      `${pool['site_id']}/${pool['accelerator_model']} ms`,
      { capacity: term('capacity') },
      { allocated: term('allocated'), idle, maintenance: term('maintenance'), lost: term('lost') },
    );
  });
  const hours = records(
    await warehouse.query(`select
      (select coalesce(cast(sum(quantity) as decimal(38, 6)), cast(0 as decimal(38, 6))) from rtd_quantity where kind <> 'tokens') as used,
      (select coalesce(cast(sum(quantity) as decimal(38, 6)), cast(0 as decimal(38, 6))) from bill_line where kind in ('gpu_hours', 'gang_wait')) as billed,
      (select coalesce(cast(sum(quantity) as decimal(38, 6)), cast(0 as decimal(38, 6))) from bill_unrated where kind <> 'tokens') as unrated`),
  )[0];
  return [
    ...capacity,
    equation(
      'gpu_time',
      'hours',
      { used: hours?.['used'] ?? '0' },
      { billed: hours?.['billed'] ?? '0', unrated: hours?.['unrated'] ?? '0' },
      6,
    ),
  ];
}

/** Σ lines = each tenant's total, as the engine sums it and as the bill states it; Σ tenants = the bill. */
async function moneyEquations(warehouse: Warehouse, bill: ClosedBill): Promise<Equation[]> {
  const engine = new Map(
    (await warehouse.query('select tenant_id, cast(total as varchar) from bill')).rows.map(([tenant, total]) => [
      tenant ?? '',
      total ?? '0',
    ]),
  );
  const sum = (amounts: readonly string[]): string =>
    amounts.reduce((total, text) => total.add(Rational.of(text)), Rational.of(0n)).toFixed(2);
  const tenants = [...new Set([...engine.keys(), ...bill.bills.map(({ tenant_id }) => tenant_id)])].sort();
  const own = tenants.flatMap((tenant) => {
    const stated = bill.bills.find(({ tenant_id }) => tenant_id === tenant);
    const lines = stated?.lines ?? [];
    const charged = sum(lines.filter(({ kind }) => kind !== 'correction').map(({ amount }) => amount));
    const corrected = sum(lines.filter(({ kind }) => kind === 'correction').map(({ amount }) => amount));
    return [
      equation('money', `${tenant} lines`, { total: stated?.total ?? '0' }, { charged, corrected }, 2),
      equation('money', `${tenant} engine`, { total: engine.get(tenant) ?? '0' }, { charged }, 2),
    ];
  });
  return [...own, equation('money', 'bill', { total: bill.total }, { tenants: sum(bill.bills.map(({ total }) => total)) }, 2)];
}

/**
 * What is charged, from list prices: list value of tiers + HFU/MFU adjustments − credits + rounding. Rounding beyond half a cent a line
 * leaves a residual.
 */
async function costEquations(warehouse: Warehouse, bill: ClosedBill): Promise<Equation[]> {
  const list = await warehouse.query(`select
    (select coalesce(cast(sum(cast(quantity as decimal(38, 6)) * cast(list_unit_price as decimal(38, 10))) as decimal(38, 16)), cast(0 as decimal(38, 16))) from rtd_tier),
    (select coalesce(cast(sum(cast(quantity as decimal(38, 6)) * cast(list_unit_price as decimal(38, 10))) as decimal(38, 16)), cast(0 as decimal(38, 16))) from rtd_credit_tier)`);
  const [tiers, credits] = list.rows[0] ?? [];
  const lines = bill.bills.flatMap((one) => one.lines).filter(({ kind }) => kind !== 'correction');
  const zero = Rational.of(0n);
  const adjustments = lines.reduce((total, { quantity, list_unit_price, exact_amount }) => {
    return total.add(Rational.of(exact_amount).subtract(Rational.of(quantity).multiply(Rational.of(list_unit_price))));
  }, zero);
  const rounding = lines.reduce(
    (total, { amount, exact_amount }) => total.add(Rational.of(amount).subtract(Rational.of(exact_amount))),
    zero,
  );
  const charged = lines.reduce((total, { amount }) => total.add(Rational.of(amount)), zero);
  const limit = Rational.of('0.005').multiply(Rational.of(lines.length));
  const size = rounding.compare(zero) < 0 ? zero.subtract(rounding) : rounding;
  const stated = size.compare(limit) > 0 ? zero : rounding;
  return [
    equation(
      'cost',
      'list prices',
      { charged: charged.toFixed(16) },
      {
        list: tiers ?? '0',
        credits: zero.subtract(Rational.of(credits ?? '0')).toFixed(16),
        adjustments: adjustments.toFixed(16),
        rounding: stated.toFixed(16),
      },
      16,
    ),
  ];
}

/** Checks that must return no row. */
function checkEquations(checks: readonly CheckResult[], models: readonly Model[]): Equation[] {
  const descriptions = new Map(models.map(({ name, description }) => [name, description]));
  return checks
    .filter(({ kind }) => kind === 'equation')
    .map(({ name, rows }) =>
      equation('checks', `${name} (${descriptions.get(name) ?? ''})`, { 'rows that are wrong': rows }, { allowed: 0 }),
    );
}
