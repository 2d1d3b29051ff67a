-- Capacity that nobody held.
-- Grain: one site, accelerator model and period
-- Key: period, site_id, product
-- Inputs: ana_pool, ana_hour_value
-- Columns:
--   period varchar: yyyy-mm
--   tenant_id varchar: who holds or pays; empty where nobody does
--   site_id varchar: site
--   product varchar: accelerator model or model name
--   workload_id varchar: job or service; empty for a pool or tokens
--   quantity decimal(20,6): GPU-hours idle
--   unit varchar: GPU-Hours
--   unit_value decimal(18,10): what a GPU-hour of the pool costs, or its list price where no cost is stated
--   amount decimal(38,2): quantity × unit_value, rounded once
--   basis varchar: cost or list_price
--   evidence varchar: what was measured
-- Rules: idle is capacity less allocated, maintenance and lost time.
-- Source: SPEC 10
with
pools as (
  select ana_pool.*, hour_values.hour_value, hour_values.basis
  from ana_pool
  inner join ana_hour_value as hour_values
    on hour_values.period = ana_pool.period
    and hour_values.site_id = ana_pool.site_id
    and hour_values.accelerator_model = ana_pool.accelerator_model
  where ana_pool.idle_hours > cast(0 as decimal(20, 6))
    and hour_values.hour_value is not null
)
select
  period,
  '' as tenant_id,
  site_id,
  accelerator_model as product,
  '' as workload_id,
  idle_hours as quantity,
  'GPU-Hours' as unit,
  cast(hour_value as decimal(18, 10)) as unit_value,
  cast(round(cast(idle_hours as decimal(38, 6)) * cast(hour_value as decimal(38, 10)), 2) as decimal(38, 2)) as amount,
  basis,
  cast(allocated_hours as varchar) || ' of ' || cast(capacity_hours as varchar) || ' h held' as evidence
from pools
