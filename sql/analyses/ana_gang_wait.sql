-- Accelerator time that members of a gang held while they waited for each other.
-- Grain: one workload, tenant, site, accelerator model and period
-- Key: period, tenant_id, site_id, product, workload_id
-- Inputs: rtd_allocation_piece, fct_allocation, ana_hour_value
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
with
held as (
  select
    pieces.period,
    coalesce(allocations.tenant_id, '') as tenant_id,
    allocations.site_id,
    coalesce(allocations.accelerator_model, '') as product,
    allocations.workload_id,
    count(distinct allocations.allocation_id) as allocations,
    cast(round(cast(sum(pieces.gpu_ms) as decimal(14, 0)) * cast('0.000000277777777777777778' as decimal(24, 24)), 6) as decimal(20, 6)) as hours
  from rtd_allocation_piece as pieces
  inner join fct_allocation as allocations
    on allocations.allocation_id = pieces.allocation_id
  where pieces.kind = 'gang_wait'
    and pieces.gpu_ms > 0
  group by pieces.period, coalesce(allocations.tenant_id, ''), allocations.site_id, coalesce(allocations.accelerator_model, ''), allocations.workload_id
)
select
  held.period,
  held.tenant_id,
  held.site_id,
  held.product,
  held.workload_id,
  cast(held.hours as decimal(20, 6)) as quantity,
  'GPU-Hours' as unit,
  cast(hour_values.hour_value as decimal(18, 10)) as unit_value,
  cast(round(cast(held.hours as decimal(38, 6)) * cast(hour_values.hour_value as decimal(38, 10)), 2) as decimal(38, 2)) as amount,
  hour_values.basis,
  cast(held.allocations as varchar) || ' members waited' as evidence
from held
inner join ana_hour_value as hour_values
  on hour_values.period = held.period
  and hour_values.site_id = held.site_id
  and hour_values.accelerator_model = held.product
where hour_values.hour_value is not null
