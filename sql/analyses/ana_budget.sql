-- How much of each budget or quota the period has used.
-- Grain: one budget and period
-- Key: period, budget_id
-- Inputs: ref_budget, ref_period, bill_line, rtd_quantity, rtd_credit, bill_unrated
-- Columns:
--   period varchar: yyyy-mm
--   budget_id varchar: budget of the price book
--   tenant_id varchar: tenant; empty for the whole centre
--   site_id varchar: site; empty for all
--   product varchar: accelerator model or model name; empty for all
--   measure varchar: amount, gpu_hours or million_tokens
--   limit_value decimal(20,6): of a month, in the measure
--   used decimal(38,6): in the measure
--   unrated_lines bigint: lines of the tenant (or centre) without a price; an amount that is used lacks them
-- Rules: amounts are those of the bill, credits taken off; quantities are what was used, priced or not, credited hours taken off. Event time decides, so late rows count where they belong and nothing is ever reset.
-- Source: SPEC 2, 6.3
with
limits as (
  select
    periods.period,
    budgets.budget_id,
    budgets.tenant_id,
    budgets.site_id,
    budgets.product,
    budgets.measure,
    budgets.limit_value
  from ref_budget as budgets
  inner join ref_period as periods
    on periods.start_ms >= budgets.from_ms
    and periods.start_ms < budgets.to_ms
),
entries as (
  select period, tenant_id, site_id, product, 'amount' as measure, cast(amount as decimal(38, 6)) as used
  from bill_line
  union all
  select
    period, tenant_id, site_id, product,
    case when kind = 'tokens' then 'million_tokens' else 'gpu_hours' end as measure,
    cast(quantity as decimal(38, 6)) as used
  from rtd_quantity
  where meter <> 'usage_absent'
  union all
  select period, tenant_id, site_id, product, 'gpu_hours' as measure, cast(-quantity as decimal(38, 6)) as used
  from rtd_credit
),
summed as (
  select limits.period, limits.budget_id, cast(sum(entries.used) as decimal(38, 6)) as used
  from limits
  inner join entries
    on entries.period = limits.period
    and entries.measure = limits.measure
    and (limits.tenant_id = '' or limits.tenant_id = entries.tenant_id)
    and (limits.site_id = '' or limits.site_id = entries.site_id)
    and (limits.product = '' or limits.product = entries.product)
  group by limits.period, limits.budget_id
),
unrated as (
  select limits.period, limits.budget_id, count(*) as unrated_lines
  from limits
  inner join bill_unrated
    on bill_unrated.period = limits.period
    and (limits.tenant_id = '' or limits.tenant_id = bill_unrated.tenant_id)
    and (limits.site_id = '' or limits.site_id = bill_unrated.site_id)
  group by limits.period, limits.budget_id
)
select
  limits.period,
  limits.budget_id,
  limits.tenant_id,
  limits.site_id,
  limits.product,
  limits.measure,
  limits.limit_value,
  coalesce(summed.used, cast(0 as decimal(38, 6))) as used,
  coalesce(unrated.unrated_lines, 0) as unrated_lines
from limits
left join summed
  on summed.period = limits.period
  and summed.budget_id = limits.budget_id
left join unrated
  on unrated.period = limits.period
  and unrated.budget_id = limits.budget_id
