-- Where each pool's accelerator time went, at what it costs: asset cost = charged + own use + unbilled + idle + maintenance + lost + rounding.
-- Grain: one site, accelerator model and period that has capacity or was used
-- Key: period, site_id, accelerator_model
-- Inputs: rtd_capacity, rtd_allocation_piece, fct_allocation, bill_line, bill_unrated, ref_site, ref_pool_cost
-- Columns:
--   period varchar: yyyy-mm
--   site_id varchar: site
--   accelerator_model varchar: catalog model; empty when nothing tells
--   pool_id varchar: cost entry of the price book; null when there is none
--   cost_per_gpu_hour decimal(18,10): what a GPU-hour of capacity costs; null when unknown
--   capacity_hours decimal(20,6) [GPU-hours]: inventory × time; null when the inventory has no such pool
--   allocated_hours decimal(20,6) [GPU-hours]: held by allocations
--   charged_hours decimal(20,6) [GPU-hours]: on charge lines with a price, credits taken off
--   own_hours decimal(20,6) [GPU-hours]: held where GPU-hours are not billed: serving, the platform's own cost
--   free_hours decimal(20,6) [GPU-hours]: inside free allowances
--   credited_hours decimal(20,6) [GPU-hours]: given back after provider faults
--   unrated_hours decimal(20,6) [GPU-hours]: without price or tenant
--   idle_hours decimal(20,6) [GPU-hours]: held by nobody; null without capacity
--   maintenance_hours decimal(20,6) [GPU-hours]: planned outage
--   lost_hours decimal(20,6) [GPU-hours]: unplanned outage
--   asset_cost decimal(38,2): capacity × cost; the parts below are each rounded once
--   charged_cost decimal(38,2): cost of charged_hours
--   own_cost decimal(38,2): cost of own_hours
--   unbilled_cost decimal(38,2): cost of free, credited and unrated hours
--   idle_cost decimal(38,2): cost of idle_hours
--   maintenance_cost decimal(38,2): cost of maintenance_hours
--   lost_cost decimal(38,2): cost of lost_hours
--   rounding_cost decimal(38,2): asset_cost less its parts
--   charged_amount decimal(38,2): what tenants pay for GPU-hours, credits taken off
--   lines bigint: charge and unrated lines behind it, each quantised once
-- Rules: charged, free, credited and unrated hours come from the bill, own hours from allocations, capacity from the inventory: three ways that must meet.
-- Source: SPEC 9
with
billed as (
  select
    period,
    site_id,
    product as accelerator_model,
    sum(case when tier_no >= 0 and kind <> 'credit' then quantity else cast(0 as decimal(20, 6)) end) as priced_hours,
    sum(case when tier_no < 0 and kind <> 'credit' then quantity else cast(0 as decimal(20, 6)) end) as free_hours,
    sum(case when tier_no >= 0 and kind = 'credit' then quantity else cast(0 as decimal(20, 6)) end) as credited_hours,
    sum(amount) as charged_amount,
    count(*) as lines
  from bill_line
  where meter = 'gpu_hours'
    and kind in ('gpu_hours', 'gang_wait', 'credit')
  group by period, site_id, product
),
unrated as (
  select period, site_id, sku as accelerator_model, sum(quantity) as unrated_hours, count(*) as lines
  from bill_unrated
  where kind in ('gpu_hours', 'gang_wait')
  group by period, site_id, sku
),
held as (
  select
    pieces.period,
    allocations.site_id,
    coalesce(allocations.accelerator_model, '') as accelerator_model,
    cast(sum(pieces.gpu_ms) as decimal(14, 0)) as allocated_gpu_ms,
    cast(sum(case when coalesce(sites.bills_gpu_hours, true) then 0 else pieces.gpu_ms end) as decimal(14, 0)) as own_gpu_ms
  from rtd_allocation_piece as pieces
  inner join fct_allocation as allocations
    on allocations.allocation_id = pieces.allocation_id
  left join ref_site as sites
    on sites.site_id = allocations.site_id
  group by pieces.period, allocations.site_id, coalesce(allocations.accelerator_model, '')
),
pools as (
  select period, site_id, accelerator_model from rtd_capacity
  union
  select period, site_id, accelerator_model from held
),
costs as (
  select
    pools.period,
    pools.site_id,
    pools.accelerator_model,
    costs.pool_id,
    costs.cost_per_gpu_hour,
    row_number() over (partition by pools.period, pools.site_id, pools.accelerator_model order by costs.site_id desc) as preference
  from pools
  left join ref_pool_cost as costs
    on costs.period = pools.period
    and costs.accelerator_model = pools.accelerator_model
    and (costs.site_id = '' or costs.site_id = pools.site_id)
),
hours as (
  select
    costs.period,
    costs.site_id,
    costs.accelerator_model,
    costs.pool_id,
    costs.cost_per_gpu_hour,
    cast(round(cast(capacity.capacity_gpu_ms as decimal(14, 0)) * cast('0.000000277777777777777778' as decimal(24, 24)), 6) as decimal(20, 6)) as capacity_hours,
    cast(round(coalesce(held.allocated_gpu_ms, cast(0 as decimal(14, 0))) * cast('0.000000277777777777777778' as decimal(24, 24)), 6) as decimal(20, 6)) as allocated_hours,
    cast(coalesce(billed.priced_hours - billed.credited_hours, 0) as decimal(20, 6)) as charged_hours,
    cast(round(coalesce(held.own_gpu_ms, cast(0 as decimal(14, 0))) * cast('0.000000277777777777777778' as decimal(24, 24)), 6) as decimal(20, 6)) as own_hours,
    cast(coalesce(billed.free_hours, 0) as decimal(20, 6)) as free_hours,
    cast(coalesce(billed.credited_hours, 0) as decimal(20, 6)) as credited_hours,
    cast(coalesce(unrated.unrated_hours, 0) as decimal(20, 6)) as unrated_hours,
    cast(round(cast(capacity.idle_gpu_ms as decimal(14, 0)) * cast('0.000000277777777777777778' as decimal(24, 24)), 6) as decimal(20, 6)) as idle_hours,
    cast(round(coalesce(cast(capacity.maintenance_gpu_ms as decimal(14, 0)), cast(0 as decimal(14, 0))) * cast('0.000000277777777777777778' as decimal(24, 24)), 6) as decimal(20, 6)) as maintenance_hours,
    cast(round(coalesce(cast(capacity.lost_gpu_ms as decimal(14, 0)), cast(0 as decimal(14, 0))) * cast('0.000000277777777777777778' as decimal(24, 24)), 6) as decimal(20, 6)) as lost_hours,
    cast(coalesce(billed.charged_amount, 0) as decimal(38, 2)) as charged_amount,
    coalesce(billed.lines, 0) + coalesce(unrated.lines, 0) as lines
  from costs
  left join rtd_capacity as capacity
    on capacity.period = costs.period
    and capacity.site_id = costs.site_id
    and capacity.accelerator_model = costs.accelerator_model
  left join held
    on held.period = costs.period
    and held.site_id = costs.site_id
    and held.accelerator_model = costs.accelerator_model
  left join billed
    on billed.period = costs.period
    and billed.site_id = costs.site_id
    and billed.accelerator_model = costs.accelerator_model
  left join unrated
    on unrated.period = costs.period
    and unrated.site_id = costs.site_id
    and unrated.accelerator_model = costs.accelerator_model
  where costs.preference = 1
),
valued as (
  select
    hours.*,
    cast(round(cast(capacity_hours as decimal(38, 6)) * cast(cost_per_gpu_hour as decimal(38, 10)), 2) as decimal(38, 2)) as asset_cost,
    cast(round(cast(charged_hours as decimal(38, 6)) * cast(cost_per_gpu_hour as decimal(38, 10)), 2) as decimal(38, 2)) as charged_cost,
    cast(round(cast(own_hours as decimal(38, 6)) * cast(cost_per_gpu_hour as decimal(38, 10)), 2) as decimal(38, 2)) as own_cost,
    cast(round(cast(free_hours + credited_hours + unrated_hours as decimal(38, 6)) * cast(cost_per_gpu_hour as decimal(38, 10)), 2) as decimal(38, 2)) as unbilled_cost,
    cast(round(cast(idle_hours as decimal(38, 6)) * cast(cost_per_gpu_hour as decimal(38, 10)), 2) as decimal(38, 2)) as idle_cost,
    cast(round(cast(maintenance_hours as decimal(38, 6)) * cast(cost_per_gpu_hour as decimal(38, 10)), 2) as decimal(38, 2)) as maintenance_cost,
    cast(round(cast(lost_hours as decimal(38, 6)) * cast(cost_per_gpu_hour as decimal(38, 10)), 2) as decimal(38, 2)) as lost_cost
  from hours
)
select
  period,
  site_id,
  accelerator_model,
  pool_id,
  cost_per_gpu_hour,
  capacity_hours,
  allocated_hours,
  charged_hours,
  own_hours,
  free_hours,
  credited_hours,
  unrated_hours,
  idle_hours,
  maintenance_hours,
  lost_hours,
  asset_cost,
  charged_cost,
  own_cost,
  unbilled_cost,
  idle_cost,
  maintenance_cost,
  lost_cost,
  cast(asset_cost - charged_cost - own_cost - unbilled_cost - idle_cost - maintenance_cost - lost_cost as decimal(38, 2)) as rounding_cost,
  charged_amount,
  lines
from valued
