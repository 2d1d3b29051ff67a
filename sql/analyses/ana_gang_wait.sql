-- Accelerator time that members of a gang held while they waited for each other.
-- Grain: one workload, tenant, site, accelerator model and period
-- Key: period, tenant_id, site_id, product, workload_id
-- Inputs: ana_held, ana_hour_value
-- Columns:
--   period varchar: yyyy-mm
--   tenant_id varchar: who holds or pays; empty where nobody does
--   site_id varchar: site
--   product varchar: accelerator model or model name
--   workload_id varchar: job or service; empty for a pool or tokens
--   quantity decimal(20,6): GPU-hours waited
--   unit varchar: GPU-Hours
--   unit_value decimal(18,10): what a GPU-hour of the pool costs, or its list price where no cost is stated
--   amount decimal(38,2): quantity × unit_value, rounded once
--   basis varchar: cost or list_price
--   evidence varchar: what was measured
-- Rules: a gang waits from the first binding until all its members run.
-- Source: SPEC 10
select
  held.period,
  held.tenant_id,
  held.site_id,
  held.accelerator_model as product,
  held.workload_id,
  cast(held.hours as decimal(20, 6)) as quantity,
  'GPU-Hours' as unit,
  cast(hour_values.hour_value as decimal(18, 10)) as unit_value,
  cast(round(cast(held.hours as decimal(38, 6)) * cast(hour_values.hour_value as decimal(38, 10)), 2) as decimal(38, 2)) as amount,
  hour_values.basis,
  cast(held.allocations as varchar) || ' members waited' as evidence
from ana_held as held
inner join ana_hour_value as hour_values
  on hour_values.period = held.period
  and hour_values.site_id = held.site_id
  and hour_values.accelerator_model = held.accelerator_model
where held.kind = 'gang_wait'
  and hour_values.hour_value is not null
