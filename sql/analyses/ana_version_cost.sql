-- What the training and build jobs of each model version cost, month by month.
-- Grain: one model version, role, workload, site, accelerator model and period
-- Key: period, model, model_version, role, workload_id, site_id, accelerator_model
-- Inputs: ref_edge_rollout, ana_held, ana_pool
-- Columns:
--   period varchar: yyyy-mm
--   model varchar: model
--   model_version varchar: version
--   role varchar: training or build
--   workload_id varchar: job
--   site_id varchar: site
--   accelerator_model varchar: catalog model
--   hours decimal(20,6) [GPU-hours]: held
--   cost decimal(38,2): their cost; null when no cost of the pool is known
-- Rules: the training job is the one that the release names; build jobs are called build-<model>-<version>.
-- Source: DISTRIBUTION 5
with
jobs as (
  select distinct model, model_version, 'training' as role, training_job as workload_id
  from ref_edge_rollout
  where training_job <> ''
  union
  select distinct model, model_version, 'build' as role, 'build-' || model || '-' || model_version as workload_id
  from ref_edge_rollout
),
runs as (
  select
    held.period,
    jobs.model,
    jobs.model_version,
    jobs.role,
    held.workload_id,
    held.site_id,
    held.accelerator_model,
    cast(round(cast(sum(held.gpu_ms) as decimal(14, 0)) * cast('0.000000277777777777777778' as decimal(24, 24)), 6) as decimal(20, 6)) as hours
  from jobs
  inner join ana_held as held
    on held.workload_id = jobs.workload_id
  group by held.period, jobs.model, jobs.model_version, jobs.role, held.workload_id, held.site_id, held.accelerator_model
)
select
  runs.period,
  runs.model,
  runs.model_version,
  runs.role,
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
