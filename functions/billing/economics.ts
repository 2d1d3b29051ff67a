/**
 * What a model version earned and what it cost: training, build, distribution and serving, over the tokens that its image served. Everything
 * that no version earned stands beside it, so that the whole is the sum of the bills.
 */
import { Rational, sumDecimals } from '../domain/money.ts';
import type { Warehouse } from '../ports.ts';
import { records, type TextRecord } from './bill-document.ts';

/** Amounts with 2 decimals; null where a cost is unknown. */
export interface VersionEconomics {
  readonly model: string;
  /** Empty for tokens of the model whose image nothing tells. */
  readonly model_version: string;
  readonly image_digests: readonly string[];
  readonly million_tokens: string;
  readonly income: string;
  readonly training_cost: string | null;
  readonly training_hours: string;
  readonly build_cost: string | null;
  readonly build_hours: string;
  readonly bytes_moved: string;
  /** null when no price of a GiB is stated. */
  readonly distribution_cost: string | null;
  readonly serving_cost: string | null;
  /** Of all four that are known. */
  readonly total_cost: string;
  /** total_cost ÷ million_tokens; null without tokens. */
  readonly cost_per_million: string | null;
  /** income − total_cost. */
  readonly margin: string;
  readonly payback: Payback;
}

export interface Payback {
  /** Training and build. */
  readonly to_recover: string;
  /** income − serving − distribution. */
  readonly recovered: string;
  /** recovered ÷ to_recover; null when nothing is to be recovered. */
  readonly share: string | null;
  /** First month by whose end it was paid back; null when it is not. */
  readonly paid_back_in: string | null;
}

/** Money that somebody should look at. */
export interface Doubtful {
  readonly period: string;
  readonly tenant_id: string;
  readonly site_id: string;
  readonly model: string;
  readonly image_digest: string;
  readonly model_version: string;
  readonly million_tokens: string;
  readonly amount: string;
}

export interface Economics {
  readonly periods: readonly string[];
  readonly versions: readonly VersionEconomics[];
  /** Lines without tokens: GPU-hours, credits, corrections. */
  readonly without_tokens: string;
  readonly bill_total: string;
  /** bill_total less every income above; 0.00. */
  readonly difference: string;
  /** Serving cost of models that sold no tokens where and when it arose. */
  readonly idle_serving_cost: string | null;
  /** Billed for an image that was not live there then. */
  readonly never_live: readonly Doubtful[];
  /** Served by an image that was taken back: what could be credited, or was. */
  readonly rolled_back: readonly Doubtful[];
  /** Given back by orders of the price book; amounts are negative. */
  readonly credited: readonly Doubtful[];
  /** Spans of images that were taken back: orders (kind token_credit) that would give their tokens back, less those that stand. */
  readonly credit_orders: readonly CreditOrder[];
}

/** As an entry of kind token_credit says it. */
export interface CreditOrder {
  readonly model: string;
  readonly model_version: string;
  readonly site: string;
  readonly image_digest: string;
  /** RFC 3339, UTC. */
  readonly effective_from: string;
  readonly effective_to: string;
}

const GIB = Rational.of(1024 ** 3);

/** Reads ana_release_income, ana_version_cost, ana_serving, ref_edge_rollout and bill, which must be defined. `transferPerGib`: decimal text, or null. */
export async function readEconomics(warehouse: Warehouse, transferPerGib: string | null): Promise<Economics> {
  const rows = async (sql: string): Promise<TextRecord[]> => records(await warehouse.query(sql));
  const income = await rows('select * from ana_release_income order by period, tenant_id, site_id, model, image_digest, basis, standing');
  const costs = await rows('select * from ana_version_cost order by period, model, model_version, role, workload_id');
  const serving = await rows(
    'select period, site_id, model, serving_cost from ana_serving where serving_hours > 0 order by period, site_id, model, release_id',
  );
  const moved = await rows(
    'select model, model_version, image_digest, cast(sum(bytes_moved) as bigint) as bytes_moved from ref_edge_rollout group by model, model_version, image_digest order by model, model_version, image_digest',
  );
  const [total = {}] = await rows('select cast(coalesce(sum(total), 0) as decimal(38, 2)) as total from bill');
  const periods = (await rows('select period from ref_period order by period')).map((row) => row['period'] ?? '');
  const shares = shareServing(serving, income);
  const versions = namesOf(income, moved).map(([model, version]) =>
    versionOf({ model, version, periods, income, costs, moved, shares, transferPerGib }),
  );
  const withoutTokens = add(
    income.filter(({ model }) => model === ''),
    'amount',
  );
  const earned = sumDecimals([withoutTokens, ...versions.map((one) => one.income)], 2);
  return {
    periods,
    versions,
    without_tokens: withoutTokens,
    bill_total: total['total'] ?? '0.00',
    difference: Rational.of(total['total'] ?? '0')
      .subtract(Rational.of(earned))
      .toFixed(2),
    idle_serving_cost: shares.idle,
    never_live: doubtful(income, 'never_live'),
    rolled_back: doubtful(income, 'rolled_back'),
    credited: doubtful(income, 'credited'),
    credit_orders: (await rows(OPEN_ORDERS)).map(orderOf),
  };
}

/** Spans in which no order stands that takes all of them. */
const OPEN_ORDERS = `
  select spans.model, spans.model_version, spans.site_id, spans.image_digest, spans.live_ms, spans.until_ms
  from ref_edge_rollout as spans
  where spans.rolled_back and spans.live_ms is not null and not exists (
    select 1 from ref_token_credit as orders
    where orders.model = spans.model and orders.tenant_id = '' and (orders.site_id = '' or orders.site_id = spans.site_id)
      and (orders.image_digest = '' or orders.image_digest = spans.image_digest) and orders.from_ms <= spans.live_ms and orders.to_ms >= spans.until_ms
  )
  order by spans.live_ms, spans.site_id, spans.model`;

function orderOf(row: TextRecord): CreditOrder {
  const instant = (name: string): string => new Date(Number(row[name])).toISOString();
  return {
    ...{ model: row['model'] ?? '', model_version: row['model_version'] ?? '', site: row['site_id'] ?? '' },
    ...{ image_digest: row['image_digest'] ?? '', effective_from: instant('live_ms'), effective_to: instant('until_ms') },
  };
}

function add(rows: readonly TextRecord[], name: string, scale = 2): string {
  return sumDecimals(
    rows.map((row) => row[name] ?? '0'),
    scale,
  );
}

/** Null as soon as one is unknown. */
function addKnown(rows: readonly TextRecord[], name: string): string | null {
  return rows.some((row) => row[name] === null) ? null : add(rows, name);
}

function namesOf(income: readonly TextRecord[], moved: readonly TextRecord[]): [string, string][] {
  const names = new Map<string, [string, string]>();
  for (const { model, model_version } of [...moved, ...income])
    if (model) names.set(JSON.stringify([model, model_version]), [model, model_version ?? '']);
  return [...names.values()].sort(([a, b], [c, d]) => (a === c ? (b < d ? -1 : 1) : a < c ? -1 : 1));
}

function doubtful(income: readonly TextRecord[], standing: string): Doubtful[] {
  return income
    .filter((row) => row['standing'] === standing)
    .map((row) => ({
      ...{ period: row['period'] ?? '', tenant_id: row['tenant_id'] ?? '', site_id: row['site_id'] ?? '', model: row['model'] ?? '' },
      ...{
        image_digest: row['image_digest'] ?? '',
        model_version: row['model_version'] ?? '',
        million_tokens: row['million_tokens'] ?? '',
        amount: row['amount'] ?? '',
      },
    }));
}

interface Shares {
  /** Serving cost of a version in a period; null when it is unknown. */
  readonly of: (model: string, version: string, period: string) => string | null;
  readonly idle: string | null;
}

/** A model's serving cost at a site and in a month goes to its versions by their tokens there; the last takes what rounding leaves. */
function shareServing(serving: readonly TextRecord[], income: readonly TextRecord[]): Shares {
  const costs = new Map<string, string | null>();
  const idle: (string | null)[] = [];
  const put = (key: string, cost: string | null): void => {
    const before = costs.get(key);
    costs.set(key, before === undefined ? cost : before === null || cost === null ? null : sumDecimals([before, cost], 2));
  };
  for (const { period, site_id, model, serving_cost: cost } of serving) {
    const here = income.filter((row) => row['period'] === period && row['site_id'] === site_id && row['model'] === model && model !== '');
    const versions = [...new Set(here.map((row) => row['model_version'] ?? ''))].sort();
    const tokens = (rows: readonly TextRecord[]): Rational => Rational.of(add(rows, 'million_tokens', 6));
    const all = tokens(here);
    if (all.n === 0n) {
      idle.push(cost ?? null);
      continue;
    }
    let left = Rational.of(cost ?? '0');
    for (const [index, version] of versions.entries()) {
      const exact = Rational.of(cost ?? '0')
        .multiply(tokens(here.filter((row) => row['model_version'] === version)))
        .divide(all);
      const part = index === versions.length - 1 ? left : Rational.of(exact.toFixed(2));
      left = left.subtract(part);
      put(JSON.stringify([model, version, period]), cost === null || cost === undefined ? null : part.toFixed(2));
    }
  }
  return {
    of: (model, version, period) => {
      const cost = costs.get(JSON.stringify([model, version, period]));
      return cost === undefined ? '0.00' : cost;
    },
    idle: idle.some((cost) => cost === null)
      ? null
      : sumDecimals(
          idle.map((cost) => cost ?? '0'),
          2,
        ),
  };
}

interface VersionFacts {
  readonly model: string;
  readonly version: string;
  readonly periods: readonly string[];
  readonly income: readonly TextRecord[];
  readonly costs: readonly TextRecord[];
  readonly moved: readonly TextRecord[];
  readonly shares: Shares;
  readonly transferPerGib: string | null;
}

function versionOf(facts: VersionFacts): VersionEconomics {
  const { model, version, periods, shares, transferPerGib } = facts;
  const own = (rows: readonly TextRecord[]): TextRecord[] =>
    rows.filter((row) => row['model'] === model && row['model_version'] === version);
  const [income, costs, moved] = [own(facts.income), own(facts.costs), own(facts.moved)];
  const role = (name: string): TextRecord[] => costs.filter((row) => row['role'] === name);
  const [training, build] = [addKnown(role('training'), 'cost'), addKnown(role('build'), 'cost')];
  const bytes = add(moved, 'bytes_moved', 0);
  const distribution = transferPerGib === null ? null : Rational.of(bytes).multiply(Rational.of(transferPerGib)).divide(GIB).toFixed(2);
  const byMonth = periods.map((period) => shares.of(model, version, period));
  const serving = byMonth.some((cost) => cost === null)
    ? null
    : sumDecimals(
        byMonth.map((cost) => cost ?? '0'),
        2,
      );
  const earned = add(income, 'amount');
  const tokens = add(income, 'million_tokens', 6);
  const totalCost = sumDecimals([training ?? '0', build ?? '0', distribution ?? '0', serving ?? '0'], 2);
  return {
    model,
    model_version: version,
    image_digests: [...new Set([...moved, ...income].map((row) => row['image_digest'] ?? '').filter((digest) => digest !== ''))].sort(),
    million_tokens: tokens,
    income: earned,
    training_cost: training,
    training_hours: add(role('training'), 'hours', 6),
    build_cost: build,
    build_hours: add(role('build'), 'hours', 6),
    bytes_moved: bytes,
    distribution_cost: distribution,
    serving_cost: serving,
    total_cost: totalCost,
    cost_per_million: Rational.of(tokens).n === 0n ? null : Rational.of(totalCost).divide(Rational.of(tokens)).toFixed(4),
    margin: Rational.of(earned).subtract(Rational.of(totalCost)).toFixed(2),
    payback: paybackOf(facts, income, { toRecover: sumDecimals([training ?? '0', build ?? '0'], 2), distribution: distribution ?? '0' }),
  };
}

/** Distribution is paid once, before the first token. */
function paybackOf(
  { model, version, periods, shares }: VersionFacts,
  income: readonly TextRecord[],
  { toRecover, distribution }: { readonly toRecover: string; readonly distribution: string },
): Payback {
  let recovered = Rational.of(0).subtract(Rational.of(distribution));
  let paidBackIn: string | null = null;
  const goal = Rational.of(toRecover);
  for (const period of periods) {
    const earned = add(
      income.filter((row) => row['period'] === period),
      'amount',
    );
    recovered = recovered.add(Rational.of(earned)).subtract(Rational.of(shares.of(model, version, period) ?? '0'));
    if (paidBackIn === null && goal.n > 0n && recovered.compare(goal) >= 0) paidBackIn = period;
  }
  return {
    to_recover: toRecover,
    recovered: recovered.toFixed(2),
    share: goal.n === 0n ? null : recovered.divide(goal).toFixed(6),
    paid_back_in: paidBackIn,
  };
}
