-- What the training runs behind each release cost, month by month.
-- Grain: one release, workload, site, accelerator model and period
-- Key: period, release_id, workload_id, site_id, accelerator_model
-- Inputs: ref_release_workload, rtd_allocation_piece, fct_allocation, ana_pool
-- Columns:
--   period varchar: yyyy-mm
--   release_id varchar: release of the price book
--   workload_id varchar: training run
--   site_id varchar: site
--   accelerator_model varchar: catalog model
--   hours decimal(20,6) [GPU-hours]: held
--   cost decimal(38,2): their cost; null when no cost of the pool is known
-- Source: SPEC 9
with
held as (
  select
    pieces.period,
    workloads.release_id,
    allocations.workload_id,
    allocations.site_id,
    coalesce(allocations.accelerator_model, '') as accelerator_model,
    cast(round(cast(sum(pieces.gpu_ms) as decimal(14, 0)) * cast('0.000000277777777777777778' as decimal(24, 24)), 6) as decimal(20, 6)) as hours
  from ref_release_workload as workloads
  inner join fct_allocation as allocations
    on allocations.workload_id = workloads.workload_id
  inner join rtd_allocation_piece as pieces
    on pieces.allocation_id = allocations.allocation_id
  where workloads.role = 'training'
  group by pieces.period, workloads.release_id, allocations.workload_id, allocations.site_id, coalesce(allocations.accelerator_model, '')
)
select
  held.period,
  held.release_id,
  held.workload_id,
  held.site_id,
  held.accelerator_model,
  held.hours,
  cast(round(cast(held.hours as decimal(38, 6)) * cast(pools.cost_per_gpu_hour as decimal(38, 10)), 2) as decimal(38, 2)) as cost
from held
left join ana_pool as pools
  on pools.period = held.period
  and pools.site_id = held.site_id
  and pools.accelerator_model = held.accelerator_model
