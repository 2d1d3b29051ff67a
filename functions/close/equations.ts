/** The equations of RELIABILITY 3.4: two sides, each counted in its own way, and what is left between them. */
import { records, type TextRecord } from '../billing/bill-document.ts';
import { Rational } from '../domain/money.ts';
import { type Snapshot, snapshotCommits } from '../ledger/snapshot.ts';
import type { ObjectStore, Warehouse } from '../ports.ts';
import type { Model } from '../warehouse/model.ts';
import { type CheckResult, defineModels, runChecks } from '../warehouse/run.ts';
import type { ClosedBill } from './bill-object.ts';
import { type Equation, equation } from './equation.ts';
import { costEquations, gpuEquations, moneyEquations, poolEquations } from './equations-of-money.ts';
import type { MonthInputs } from './month-inputs.ts';
import type { RatedMonth } from './rate-month.ts';

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
    ...(await poolEquations(warehouse, checks)),
    ...telescopeEquations(rated.telescopes),
    ...checkEquations(checks, models),
  ];
  return { equations, checks, promises };
}

/** Lines of each source and of all: what the snapshot says was landed, against the lines of its commits by outcome. */
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
  const all = { physical: 0, valid: 0, quarantined: 0, blank: 0 };
  const equations = names.map((source) => {
    const { valid = 0, quarantined = 0, blank = 0 } = sums.get(source) ?? {};
    const physical = snapshot.totals[source]?.physical ?? 0;
    all.physical += physical;
    all.valid += valid;
    all.quarantined += quarantined;
    all.blank += blank;
    return equation('lines', source, { physical }, { valid, quarantined, blank });
  });
  const { physical, ...outcomes } = all;
  return [...equations, equation('lines', 'of all sources', { physical }, outcomes)];
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

/** One for each closed month within reach; a sum of none where there is no such month, so that every bill states it. */
function telescopeEquations(telescopes: RatedMonth['telescopes']): Equation[] {
  if (telescopes.length === 0) return [equation('telescoping', 'no closed month before', { issued: 0 }, { recomputed: 0 })];
  return telescopes.map(({ period, issued, corrected, recomputed }) =>
    equation('telescoping', period, { issued, corrected }, { recomputed }, 2),
  );
}

/** Producers' own totals and canaries, against what was found; what differs must have been waived by name. */
function controlEquations(promises: readonly TextRecord[], waived: ReadonlySet<string>): Equation[] {
  const groups = new Map<string, TextRecord[]>();
  for (const promise of promises.filter(({ kind }) => kind !== 'hourly')) {
    const subject = `${promise['kind']}:${promise['source'] ?? 'all'}/${promise['site_id']}`;
    groups.set(subject, [...(groups.get(subject) ?? []), promise]);
  }
  if (groups.size === 0) return [equation('control', 'no producer stated totals', { promised: 0 }, { found: 0 })];
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

/** Checks that must return no row. */
function checkEquations(checks: readonly CheckResult[], models: readonly Model[]): Equation[] {
  const descriptions = new Map(models.map(({ name, description }) => [name, description]));
  return checks
    .filter(({ kind }) => kind === 'equation')
    .map(({ name, rows }) =>
      equation('checks', `${name} (${descriptions.get(name) ?? ''})`, { 'rows that are wrong': rows }, { allowed: 0 }),
    );
}
