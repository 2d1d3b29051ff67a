-- Accelerators under the workload labels that samples give them, numbered: what joins and windows over samples compare in place of six texts.
-- Grain: one accelerator and workload label
-- Key: series_no
-- Inputs: raw_gpu_sample, ref_accelerator_alias
-- Columns:
--   series_no bigint: number of it in this warehouse's snapshot; means nothing outside of one session
--   device_no bigint: number of the accelerator, whatever the label
--   site_id varchar: site
--   node varchar: host
--   device_id varchar: accelerator UUID, with /instance for a partition
--   namespace varchar: namespace of the workload; empty without one
--   pod varchar: pod of the workload; empty without one
--   job_id varchar: HPC job id; empty without one
--   accelerator_model varchar: catalog model, or the exporter's word when the catalog does not know it
--   first_ms bigint [epoch ms UTC]: first sample
--   last_ms bigint [epoch ms UTC]: last sample
-- Rules: the model is one for all samples of a series.
-- Source: SPEC 5
with
series as (
  select
    site_id,
    node,
    device_id,
    coalesce(namespace, '') as namespace,
    coalesce(pod, '') as pod,
    coalesce(job_id, '') as job_id,
    min(accelerator_model) as accelerator_model,
    min(sampled_at_ms) as first_ms,
    max(sampled_at_ms) as last_ms
  from raw_gpu_sample
  group by site_id, node, device_id, coalesce(namespace, ''), coalesce(pod, ''), coalesce(job_id, '')
)
select
  row_number() over (order by series.site_id, series.node, series.device_id, series.namespace, series.pod, series.job_id) as series_no,
  dense_rank() over (order by series.site_id, series.node, series.device_id) as device_no,
  series.site_id,
  series.node,
  series.device_id,
  series.namespace,
  series.pod,
  series.job_id,
  coalesce(aliases.accelerator_model, series.accelerator_model) as accelerator_model,
  series.first_ms,
  series.last_ms
from series
left join ref_accelerator_alias as aliases
  on aliases.alias = lower(trim(series.accelerator_model))
