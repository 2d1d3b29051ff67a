/** Cost recovery of a period: what the pools cost, where that cost went, and what came back (SPEC 9). */
import { Rational, sumDecimals } from '../domain/money.ts';
import { effectiveText, type Period } from '../domain/period.ts';
import type { Warehouse } from '../ports.ts';
import { records, type TextRecord } from './bill-document.ts';

/** Amounts with 2 decimals, hours with 6, shares with 6; null where cost or capacity is unknown. */
export interface PoolRecovery {
  readonly site_id: string;
  readonly accelerator_model: string;
  readonly pool_id: string | null;
  readonly cost_per_gpu_hour: string | null;
  readonly hours: Readonly<
    Record<
      'capacity' | 'allocated' | 'charged' | 'serving' | 'free' | 'credited' | 'unrated' | 'idle' | 'maintenance' | 'lost',
      string | null
    >
  >;
  readonly cost: Cost | null;
  /** What tenants pay for GPU-hours of the pool, credits taken off. */
  readonly charged_amount: string;
  /** charged_amount less the cost of the hours that were charged. */
  readonly margin: string | null;
  /** allocated ÷ capacity. */
  readonly utilisation: string | null;
  /** charged_amount ÷ asset cost. */
  readonly recovery_rate: string | null;
}

/** asset = recovered + serving + unbilled + idle + maintenance + lost + rounding. */
export interface Cost {
  readonly asset: string;
  /** Cost of the hours that tenants were charged for. */
  readonly recovered: string;
  /** Cost of the hours where tenants pay for tokens instead: the platform's own. */
  readonly serving: string;
  /** Free, credited and unrated hours. */
  readonly unbilled: string;
  readonly idle: string;
  readonly maintenance: string;
  readonly lost: string;
  readonly rounding: string;
}

export interface SiteRecovery {
  readonly site_id: string;
  readonly asset_cost: string | null;
  readonly gpu_income: string;
  readonly token_income: string;
  /** Income less asset cost. */
  readonly margin: string | null;
  /** Income ÷ asset cost. */
  readonly recovery_rate: string | null;
}

export interface ReleaseRecovery {
  /** Empty for what no release of the price book names. */
  readonly release_id: string;
  readonly model: string;
  readonly million_tokens: string;
  readonly income: string;
  readonly serving_hours: string;
  readonly serving_cost: string | null;
  /** income − serving_cost. */
  readonly margin: string | null;
  readonly sites: readonly ServingRow[];
  readonly training: Training | null;
}

export interface ServingRow {
  readonly site_id: string;
  readonly image_digest: string;
  readonly million_tokens: string;
  readonly income: string;
  readonly serving_hours: string;
  readonly serving_cost: string | null;
}

/** Sums over all months up to the period. */
export interface Training {
  readonly hours: string;
  /** Cost of the training runs inside the centre, and what was spent elsewhere. */
  readonly cost: string | null;
  readonly other_cost: string;
  /** Margin of the release up to the period's end. */
  readonly margin_to_date: string | null;
  /** paid_back: on `date`; projected: on `date` if every month earns as this one did; never: this month earned nothing; unknown: a cost is missing. */
  readonly state: 'paid_back' | 'projected' | 'never' | 'unknown';
  readonly date: string | null;
}

export interface Recovery {
  readonly period: string;
  readonly pools: readonly PoolRecovery[];
  /** Sum over the pools whose cost is known. */
  readonly total: Cost & { readonly charged_amount: string; readonly utilisation: string | null; readonly recovery_rate: string | null };
  readonly sites: readonly SiteRecovery[];
  readonly releases: readonly ReleaseRecovery[];
  /** Both sums of the bill: pools and releases on one side, the charge lines on the other. */
  /** `corrections`: of earlier, closed months, on this month's bill. `difference` is 0.00 when nothing else is on it. */
  readonly income: Readonly<Record<'gpu_hours' | 'tokens' | 'corrections' | 'bill_total' | 'difference', string>>;
  /** Pools that were used or owned and whose cost or capacity nobody stated. */
  readonly missing: readonly { readonly site_id: string; readonly accelerator_model: string; readonly what: 'cost' | 'capacity' }[];
}

const PARTS = ['recovered', 'serving', 'unbilled', 'idle', 'maintenance', 'lost', 'rounding'] as const;

/**
 * Reads ana_pool, ana_serving, ana_training and bill_line, which must be defined for `months` (the last is the period asked for; earlier
 * ones serve the payback only). Shape: pools and sites sorted by name, releases by id.
 */
export async function readRecovery(warehouse: Warehouse, months: readonly Period[]): Promise<Recovery> {
  const period = months.at(-1)?.period ?? '';
  const rows = async (sql: string): Promise<TextRecord[]> => records(await warehouse.query(sql, [period]));
  const pools = (await rows('select * from ana_pool where period = ? order by site_id, accelerator_model')).map(poolOf);
  const serving = records(await warehouse.query('select * from ana_serving order by period, release_id, model, site_id, image_digest'));
  const trainings = records(
    await warehouse.query(
      'select release_id, cast(sum(hours) as decimal(20, 6)) as hours, count(*) = count(cost) as is_known, sum(cost) as cost from ana_training group by release_id',
    ),
  );
  const others = records(await warehouse.query('select release_id, model, other_training_cost from ref_release order by release_id'));
  const [total = {}] = await rows(
    "select cast(coalesce(sum(amount), 0) as decimal(38, 2)) as total, cast(coalesce(sum(case when kind = 'correction' then amount end), 0) as decimal(38, 2)) as corrections from bill_line where period = ?",
  );
  const now = serving.filter((row) => row['period'] === period);
  const income = {
    gpu_hours: add(pools.map((pool) => pool.charged_amount)),
    tokens: add(now.map((row) => row['income'] ?? '0')),
    corrections: total['corrections'] ?? '0.00',
  };
  const billTotal = total['total'] ?? '0.00';
  return {
    period,
    pools,
    total: totalOf(pools),
    sites: sitesOf(pools, now),
    releases: releasesOf({ months, serving, trainings, others }),
    income: { ...income, bill_total: billTotal, difference: less(billTotal, add([income.gpu_hours, income.tokens, income.corrections])) },
    missing: pools.flatMap(({ site_id, accelerator_model, cost_per_gpu_hour, hours }) => [
      ...(cost_per_gpu_hour === null ? [{ site_id, accelerator_model, what: 'cost' as const }] : []),
      ...(hours.capacity === null ? [{ site_id, accelerator_model, what: 'capacity' as const }] : []),
    ]),
  };
}

function poolOf(row: TextRecord): PoolRecovery {
  const of = (name: string): string | null => row[name] ?? null;
  const asset = of('asset_cost');
  const charged = row['charged_amount'] ?? '0.00';
  const part = (name: string): string => row[name] ?? '0.00';
  const cost: Cost | null =
    asset === null
      ? null
      : {
          asset,
          recovered: part('charged_cost'),
          serving: part('own_cost'),
          unbilled: part('unbilled_cost'),
          idle: part('idle_cost'),
          maintenance: part('maintenance_cost'),
          lost: part('lost_cost'),
          rounding: part('rounding_cost'),
        };
  const hours = Object.fromEntries(
    (['capacity', 'allocated', 'charged', 'own', 'free', 'credited', 'unrated', 'idle', 'maintenance', 'lost'] as const).map((name) => [
      name === 'own' ? 'serving' : name,
      of(`${name}_hours`),
    ]),
  ) as PoolRecovery['hours'];
  return {
    site_id: row['site_id'] ?? '',
    accelerator_model: row['accelerator_model'] ?? '',
    pool_id: of('pool_id'),
    cost_per_gpu_hour: of('cost_per_gpu_hour'),
    hours,
    cost,
    charged_amount: charged,
    margin: of('charged_cost') === null ? null : less(charged, part('charged_cost')),
    utilisation: quotient(hours.allocated, hours.capacity),
    recovery_rate: quotient(charged, asset),
  };
}

function totalOf(pools: readonly PoolRecovery[]): Recovery['total'] {
  const known = pools.filter((pool) => pool.cost !== null);
  const sum = (member: keyof Cost): string => add(known.map(({ cost }) => cost?.[member] ?? '0.00'));
  const parts = Object.fromEntries(PARTS.map((name) => [name, sum(name)])) as unknown as Omit<Cost, 'asset'>;
  const charged = add(known.map((pool) => pool.charged_amount));
  const asset = sum('asset');
  const hours = (name: 'allocated' | 'capacity'): string =>
    sumDecimals(
      known.map((pool) => pool.hours[name] ?? '0'),
      6,
    );
  return {
    asset,
    ...parts,
    charged_amount: charged,
    utilisation: quotient(hours('allocated'), hours('capacity')),
    recovery_rate: quotient(charged, asset),
  };
}

function sitesOf(pools: readonly PoolRecovery[], serving: readonly TextRecord[]): SiteRecovery[] {
  const names = [...new Set([...pools.map((pool) => pool.site_id), ...serving.map((row) => row['site_id'] ?? '')])].sort();
  return names.map((site_id) => {
    const own = pools.filter((pool) => pool.site_id === site_id);
    const known = own.length > 0 && own.every((pool) => pool.cost !== null);
    const asset = known ? add(own.map(({ cost }) => cost?.asset ?? '0.00')) : null;
    const gpu = add(own.map((pool) => pool.charged_amount));
    const tokens = add(serving.filter((row) => row['site_id'] === site_id).map((row) => row['income'] ?? '0.00'));
    const income = add([gpu, tokens]);
    return {
      site_id,
      asset_cost: asset,
      gpu_income: gpu,
      token_income: tokens,
      margin: asset === null ? null : less(income, asset),
      recovery_rate: quotient(income, asset),
    };
  });
}

interface ReleaseFacts {
  readonly months: readonly Period[];
  readonly serving: readonly TextRecord[];
  readonly trainings: readonly TextRecord[];
  readonly others: readonly TextRecord[];
}

function releasesOf(facts: ReleaseFacts): ReleaseRecovery[] {
  const period = facts.months.at(-1)?.period;
  const groups = new Map<string, TextRecord[]>();
  for (const row of facts.serving) {
    if (row['period'] !== period) continue;
    // What no release names stays apart by model; serving cost without a release has neither.
    const key = JSON.stringify([row['release_id'], row['model']]);
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  // A release that neither earned nor cost anything yet is listed for its training.
  for (const { release_id = '', model = '' } of facts.others) {
    const key = JSON.stringify([release_id, model]);
    if (!groups.has(key) && trainingOf(release_id ?? '', facts) !== null) groups.set(key, []);
  }
  return [...groups].map(([key, rows]) => {
    const [release_id = '', model = ''] = JSON.parse(key) as string[];
    return {
      release_id,
      model,
      ...sumsOf(rows),
      sites: sitesOfRelease(rows),
      training: release_id === '' ? null : trainingOf(release_id, facts),
    };
  });
}

function sumsOf(
  rows: readonly TextRecord[],
): Pick<ReleaseRecovery, 'million_tokens' | 'income' | 'serving_hours' | 'serving_cost' | 'margin'> {
  const sum = (name: string, scale: number): string =>
    sumDecimals(
      rows.map((row) => row[name] ?? '0'),
      scale,
    );
  const cost = rows.every((row) => row['serving_cost'] !== null) ? sum('serving_cost', 2) : null;
  const income = sum('income', 2);
  return {
    million_tokens: sum('million_tokens', 6),
    income,
    serving_hours: sum('serving_hours', 6),
    serving_cost: cost,
    margin: cost === null ? null : less(income, cost),
  };
}

function sitesOfRelease(rows: readonly TextRecord[]): ServingRow[] {
  return rows.map((row) => ({
    site_id: row['site_id'] ?? '',
    image_digest: row['image_digest'] ?? '',
    million_tokens: row['million_tokens'] ?? '0.000000',
    income: row['income'] ?? '0.00',
    serving_hours: row['serving_hours'] ?? '0.000000',
    serving_cost: row['serving_cost'] ?? null,
  }));
}

/** Null when the release names no training run with GPU time and no cost elsewhere. */
function trainingOf(releaseId: string, { months, serving, trainings, others }: ReleaseFacts): Training | null {
  const run = trainings.find((row) => row['release_id'] === releaseId);
  const other = others.find((row) => row['release_id'] === releaseId)?.['other_training_cost'] ?? '0.00';
  if (run === undefined && Rational.of(other).n === 0n) return null;
  const cost = run === undefined ? '0.00' : run['is_known'] === 'true' ? (run['cost'] ?? '0.00') : null;
  const margins = months.map((month) => ({
    month,
    margin: sumsOf(serving.filter((row) => row['release_id'] === releaseId && row['period'] === month.period)).margin,
  }));
  const known = cost !== null && margins.every(({ margin }) => margin !== null);
  const toDate = known ? add(margins.map(({ margin }) => margin ?? '0.00')) : null;
  const outcome = known ? paybackOf(add([cost, other]), margins as readonly Month[]) : { state: 'unknown' as const, date: null };
  return { hours: run?.['hours'] ?? '0.000000', cost, other_cost: other, margin_to_date: toDate, ...outcome };
}

interface Month {
  readonly month: Period;
  readonly margin: string;
}

/**
 * When the margins of successive months add up to a cost. Inside a month the margin is spread evenly; after the last month it goes on
 * as in that month. Example: cost 100, months +60 and +80 → paid back in the second, half of it gone.
 */
export function paybackOf(cost: string, months: readonly Month[]): Pick<Training, 'state' | 'date'> {
  let open = Rational.of(cost);
  for (const { month, margin } of months) {
    const earned = Rational.of(margin);
    if (open.n > 0n && earned.compare(open) >= 0) return { state: 'paid_back', date: dateAt(month, month.startMs, open.divide(earned)) };
    open = open.subtract(earned);
  }
  const last = months.at(-1);
  const rate = Rational.of(last?.margin ?? 0);
  if (last === undefined || rate.n <= 0n) return { state: 'never', date: null };
  const share = open.divide(rate);
  // A hundred years of months are no forecast.
  if (share.compare(Rational.of(1200n)) > 0) return { state: 'never', date: null };
  return { state: 'projected', date: dateAt(last.month, last.month.endMs, share) };
}

/** Local date a share of the month's length after an instant. */
function dateAt({ startMs, endMs, timeZone }: Period, fromMs: number, share: Rational): string {
  const ms = fromMs + Number(share.multiply(Rational.of(endMs - startMs)).toFixed(0));
  return effectiveText(ms, timeZone).slice(0, 10);
}

function add(amounts: readonly string[]): string {
  return sumDecimals(amounts, 2);
}

function less(from: string, amount: string): string {
  return Rational.of(from).subtract(Rational.of(amount)).toFixed(2);
}

/** 6 decimals; null when either is unknown or nothing is there to divide by. */
function quotient(part: string | null, whole: string | null): string | null {
  if (part === null || whole === null || Rational.of(whole).n === 0n) return null;
  return Rational.of(part).divide(Rational.of(whole)).toFixed(6);
}
