-- What the training runs behind each release cost, month by month.
-- Grain: one release, workload, site, accelerator model and period
-- Key: period, release_id, workload_id, site_id, accelerator_model
-- Inputs: ref_release_workload, ana_held, ana_pool
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
runs as (
  select
    held.period,
    workloads.release_id,
    held.workload_id,
    held.site_id,
    held.accelerator_model,
    cast(round(cast(sum(held.gpu_ms) as decimal(14, 0)) * cast('0.000000277777777777777778' as decimal(24, 24)), 6) as decimal(20, 6)) as hours
  from ref_release_workload as workloads
  inner join ana_held as held
    on held.workload_id = workloads.workload_id
  where workloads.role = 'training'
  group by held.period, workloads.release_id, held.workload_id, held.site_id, held.accelerator_model
)
select
  runs.period,
  runs.release_id,
  runs.workload_id,
  runs.site_id,
  runs.accelerator_model,
  runs.hours,
  cast(round(cast(runs.hours as decimal(38, 6)) * cast(pools.cost_per_gpu_hour as decimal(38, 10)), 2) as decimal(38, 2)) as cost
from runs
left join ana_pool as pools
  on pools.period = runs.period
  and pools.site_id = runs.site_id
  and pools.accelerator_model = runs.accelerator_model
