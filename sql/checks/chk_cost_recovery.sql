-- Pools whose asset cost is not the sum of its parts, or that gave away more time than they have.
-- Kind: equation
-- Grain: one site, accelerator model and period
-- Key: period, site_id, accelerator_model
-- Inputs: ana_pool
-- Columns:
--   period varchar: yyyy-mm
--   site_id varchar: site
--   accelerator_model varchar: catalog model
--   asset_cost decimal(38,2): capacity × cost
--   rounding_cost decimal(38,2): what the parts leave
--   idle_hours decimal(20,6): below zero when more was held or out of service than there is
--   missing_hours decimal(38,6): capacity less charged, own, free, credited, unrated, idle, maintenance and lost hours
--   allowed_cost decimal(38,2): largest rounding: half a cent for each of eight rounded amounts and half a millionth of an hour for each line
-- Rules: only pools with a stated cost and capacity; without them there is no equation.
-- Source: SPEC 9; RELIABILITY 3.4 Cost
with
pools as (
  select
    ana_pool.*,
    cast(capacity_hours - charged_hours - own_hours - free_hours - credited_hours - unrated_hours - idle_hours - maintenance_hours - lost_hours as decimal(38, 6)) as missing_hours,
    cast(lines + 8 as decimal(38, 0)) * cast('0.000001' as decimal(38, 6)) as allowed_hours
  from ana_pool
  where capacity_hours is not null and cost_per_gpu_hour is not null
),
bounded as (
  select
    pools.*,
    cast('0.04' as decimal(38, 2)) + cast(round(allowed_hours * cast(cost_per_gpu_hour as decimal(38, 10)), 2) as decimal(38, 2)) as allowed_cost
  from pools
)
select
  period,
  site_id,
  accelerator_model,
  asset_cost,
  rounding_cost,
  idle_hours,
  missing_hours,
  cast(allowed_cost as decimal(38, 2)) as allowed_cost
from bounded
where idle_hours < cast(0 as decimal(20, 6))
  or abs(missing_hours) > allowed_hours
  or abs(rounding_cost) > allowed_cost
