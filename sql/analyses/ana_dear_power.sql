-- Electricity that would have been saved had the work run in the cheapest band of its pool's tariff.
-- Grain: one workload, tenant, site, accelerator model, band and period
-- Key: period, tenant_id, site_id, product, workload_id, evidence
-- Inputs: rtd_allocation_piece, fct_allocation, ref_site, ref_power_span, ana_pool
-- Columns:
--   period varchar: yyyy-mm
--   tenant_id varchar: who holds or pays; empty where nobody does
--   site_id varchar: site
--   product varchar: accelerator model or model name
--   workload_id varchar: job or service; empty for a pool or tokens
--   quantity decimal(20,6): GPU-hours in a dearer band
--   unit varchar: GPU-Hours
--   unit_value decimal(18,10): electricity of an hour in the band less that in the cheapest one
--   amount decimal(38,2): quantity × unit_value, rounded once
--   basis varchar: cost
--   evidence varchar: what was measured
-- Rules: bands are those of the pool's own electricity tariff; sites that bill GPU-hours only, because requests cannot wait; as far as the work can; waiting for a gang is not in it.
-- Source: SPEC 6.1, 10
with
held as (
  select
    pieces.period,
    coalesce(allocations.tenant_id, '') as tenant_id,
    allocations.site_id,
    coalesce(allocations.accelerator_model, '') as product,
    allocations.workload_id,
    allocations.accelerator_count,
    pieces.start_ms,
    pieces.end_ms,
    pools.pool_id
  from rtd_allocation_piece as pieces
  inner join fct_allocation as allocations
    on allocations.allocation_id = pieces.allocation_id
  inner join ana_pool as pools
    on pools.period = pieces.period
    and pools.site_id = allocations.site_id
    and pools.accelerator_model = allocations.accelerator_model
  left join ref_site as sites
    on sites.site_id = allocations.site_id
  where pieces.kind = 'gpu_hours'
    and coalesce(sites.bills_gpu_hours, true)
),
banded as (
  select
    held.period,
    held.tenant_id,
    held.site_id,
    held.product,
    held.workload_id,
    spans.band,
    spans.power_per_gpu_hour - spans.cheapest_per_gpu_hour as saved_power,
    cast(round(cast(sum(
      cast(held.accelerator_count as decimal(38, 6)) * cast(least(held.end_ms, spans.end_ms) - greatest(held.start_ms, spans.start_ms) as decimal(38, 0))
    ) as decimal(14, 0)) * cast('0.000000277777777777777778' as decimal(24, 24)), 6) as decimal(20, 6)) as hours
  from held
  inner join ref_power_span as spans
    on spans.period = held.period
    and spans.pool_id = held.pool_id
    and spans.start_ms < held.end_ms
    and spans.end_ms > held.start_ms
    and spans.power_per_gpu_hour > spans.cheapest_per_gpu_hour
  group by
    held.period, held.tenant_id, held.site_id, held.product, held.workload_id, spans.band,
    spans.power_per_gpu_hour - spans.cheapest_per_gpu_hour
)
select
  period,
  tenant_id,
  site_id,
  product,
  workload_id,
  hours as quantity,
  'GPU-Hours' as unit,
  cast(saved_power as decimal(18, 10)) as unit_value,
  cast(round(cast(hours as decimal(38, 6)) * cast(saved_power as decimal(38, 10)), 2) as decimal(38, 2)) as amount,
  'cost' as basis,
  'electricity band ' || band as evidence
from banded
