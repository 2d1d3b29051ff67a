/**
 * The SQL behind each figure of the report: what `kashi query` would be asked, in the subset of sql/README.md. A figure's numbers are in its
 * answer, or sums and quotients of them: the subset has no division.
 */

import type { Period } from '../domain/period.ts';
import type { FigureName } from '../domain/wording-report.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Days are spans of 24 hours from the first instant of the month. */
export function daysOf({ startMs, endMs }: Period): number {
  return Math.ceil((endMs - startMs) / DAY_MS);
}

/** Figures that look back over several months, so that they are asked without --period. */
export const OVER_MONTHS: ReadonlySet<FigureName> = new Set(['tenant_months', 'product_months']);

/** One statement a figure. Only periods, which are checked yyyy-mm, and the month's instants are put into the text. `first`: where the months begin. */
export function questionsOf(month: Period, first: string): Readonly<Record<FigureName, string>> {
  const { period, startMs, endMs } = month;
  const inMonth = `event_at_ms >= ${startMs} and event_at_ms < ${endMs}`;
  const held = (slotMs: number): string =>
    `least(allocations.end_at_ms, ${startMs} + (slots.slot + 1) * ${slotMs}) - greatest(allocations.start_at_ms, ${startMs} + slots.slot * ${slotMs})`;
  const slots = (count: number): string => `(select slot from unnest(sequence(0, ${count - 1})) as numbers(slot)) as slots`;
  const overlapping = (slotMs: number): string =>
    `allocations.start_at_ms < ${startMs} + (slots.slot + 1) * ${slotMs} and allocations.end_at_ms > ${startMs} + slots.slot * ${slotMs}`;
  const dayMs = `event_at_ms - ${startMs} - mod(event_at_ms - ${startMs}, ${DAY_MS})`;
  const usage = `
select 'gpu' as what, allocations.tenant_id, allocations.accelerator_model as product, allocations.site_id, slots.slot * ${DAY_MS} as day_ms,
  sum(allocations.accelerator_count * (${held(DAY_MS)})) as used
from fct_allocation as allocations
join ${slots(daysOf(month))}
  on ${overlapping(DAY_MS)}
where allocations.start_at_ms < ${endMs} and allocations.end_at_ms > ${startMs}
group by allocations.tenant_id, allocations.accelerator_model, allocations.site_id, slots.slot
union all
select 'tokens' as what, tenant_id, model as product, site_id, ${dayMs} as day_ms,
  sum(coalesce(input_uncached_tokens, 0) + coalesce(input_cache_read_tokens, 0) + coalesce(input_cache_write_tokens, 0) + coalesce(output_tokens, 0)) as used
from fct_token_usage
where ${inMonth} and status = 'success'
group by tenant_id, model, site_id, ${dayMs}`;
  /** Each line's amount beside what was used of it that day and in the month. */
  const days = `
with used as (${usage}
),
charged as (
  select case when meter = 'gpu_hours' then 'gpu' else 'tokens' end as what, tenant_id, product, site_id, sum(amount) as amount
  from bill_line
  where period = '${period}'
  group by case when meter = 'gpu_hours' then 'gpu' else 'tokens' end, tenant_id, product, site_id
),
totals as (
  select what, tenant_id, product, site_id, sum(used) as used from used group by what, tenant_id, product, site_id
)
select charged.tenant_id, charged.product, charged.site_id, used.day_ms, charged.amount, used.used as used_that_day, totals.used as used_in_month
from charged
join totals on totals.what = charged.what and totals.tenant_id = charged.tenant_id and totals.product = charged.product and totals.site_id = charged.site_id
join used on used.what = charged.what and used.tenant_id = charged.tenant_id and used.product = charged.product and used.site_id = charged.site_id
where totals.used > 0
order by charged.tenant_id, charged.product, charged.site_id, used.day_ms`;
  const months = (by: string): string => `
select period, ${by}, sum(amount) as amount, count(*) as lines
from bill_line
where period >= '${first}' and period <= '${period}'
group by period, ${by}
order by period, ${by}`;
  const texts: Readonly<Record<FigureName, string>> = {
    recovery: `
select site_id, accelerator_model, capacity_hours, allocated_hours, asset_cost, charged_cost, own_cost, unbilled_cost, idle_cost, maintenance_cost, lost_cost,
  rounding_cost, charged_amount
from ana_pool
where period = '${period}'
order by site_id, accelerator_model`,
    tenants: `
select tenant_id, sum(amount) as amount, count(*) as lines
from bill_line
where period = '${period}'
group by tenant_id
order by amount desc, tenant_id`,
    products: `
select product, sum(amount) as amount, count(*) as lines
from bill_line
where period = '${period}'
group by product
order by amount desc, product`,
    tenant_months: months('tenant_id'),
    product_months: months('product'),
    tenant_days: days,
    product_days: days,
    efficiency: `
select site_id, workload_id, hfu, mfu, coverage, basis, device_ms
from fct_workload_efficiency
where period = '${period}'
order by site_id, workload_id`,
    idle: `
select allocations.site_id, allocations.node, slots.slot as hour, sum(allocations.accelerator_count * (${held(HOUR_MS)})) as held_ms,
  max(capacity.accelerator_count) as accelerators
from fct_allocation as allocations
join ${slots(Math.ceil((endMs - startMs) / HOUR_MS))}
  on ${overlapping(HOUR_MS)}
join ref_capacity as capacity
  on capacity.site_id = allocations.site_id and capacity.node = allocations.node and capacity.from_ms < ${endMs} and capacity.to_ms > ${startMs}
where allocations.start_at_ms < ${endMs} and allocations.end_at_ms > ${startMs}
group by allocations.site_id, allocations.node, slots.slot
order by allocations.site_id, allocations.node, slots.slot`,
    tokens: `
select model, sum(input_uncached_tokens) as input_uncached, sum(input_cache_read_tokens) as input_cache_read,
  sum(input_cache_write_tokens) as input_cache_write, sum(output_tokens) as output
from fct_token_usage
where ${inMonth} and status = 'success'
group by model
order by model`,
    adjustment: `
select tenant_id, adjustment, sum(quantity) as gpu_hours,
  sum(exact_amount - cast(cast(quantity as decimal(38, 6)) * cast(list_unit_price as decimal(38, 10)) as decimal(38, 16))) as effect
from bill_line
where period = '${period}' and kind in ('gpu_hours', 'gang_wait')
group by tenant_id, adjustment
order by tenant_id, adjustment`,
    advice: ['idle', 'failed_run', 'low_hfu', 'wrong_hour', 'dear_power', 'gang_wait', 'cache_miss', 'reserved_idle']
      .map(
        (name) =>
          `select '${name}' as advice, basis, sum(amount) as amount, count(*) as rows_total from ana_${name} where period = '${period}' and amount > 0 group by basis`,
      )
      .join('\nunion all\n')
      .concat('\norder by amount desc, advice, basis'),
    releases: `
select site_id, release_id, model, million_tokens, income, serving_hours, serving_cost
from ana_serving
where period = '${period}'
order by release_id, model, site_id`,
    versions: `
with earned as (
  select model, model_version, sum(million_tokens) as million_tokens, sum(amount) as income
  from ana_release_income
  where period = '${period}' and model <> ''
  group by model, model_version
),
made as (
  select model, model_version, sum(case when role = 'training' then cost end) as training_cost, sum(case when role = 'build' then cost end) as build_cost
  from ana_version_cost
  where period = '${period}'
  group by model, model_version
)
select coalesce(earned.model, made.model) as model, coalesce(earned.model_version, made.model_version) as model_version, earned.million_tokens, earned.income,
  made.training_cost, made.build_cost
from earned
full join made on made.model = earned.model and made.model_version = earned.model_version
order by coalesce(earned.model, made.model), coalesce(earned.model_version, made.model_version)`,
    lead_time: `
select service, generation, kind, model, model_version, wave, edge_id, site_id, promoted_ms, replicated_ms, verified_ms, committed_ms, live_ms, bytes_moved
from ref_edge_rollout
where promoted_ms < ${endMs} and (live_ms is null or live_ms >= ${startMs})
order by promoted_ms, service, generation, wave, edge_id`,
  };
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, text.trim()])) as unknown as Readonly<
    Record<FigureName, string>
  >;
}
