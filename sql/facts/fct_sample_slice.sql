-- What each sample speaks for, under every name by which an allocation may claim it, cut at full hours.
-- Grain: one sample, claim name and hour
-- Key: site_id, node, device_id, claim, sampled_at_ms, hour_ms
-- Inputs: fct_gpu_sample, ref_setting
-- Columns:
--   site_id varchar: site
--   claim varchar: pod:namespace/name, job:id or dev:id
--   hour_ms bigint [epoch ms UTC]: start of the hour that holds the slice
--   node varchar: host
--   device_id varchar: accelerator
--   accelerator_model varchar: catalog model
--   sampled_at_ms bigint [epoch ms UTC]: the sample
--   start_ms bigint [epoch ms UTC]: inclusive
--   end_ms bigint [epoch ms UTC]: exclusive
--   tensor_ppm bigint [millionths]: tensor activity; null when the sample has none
--   sm_clock_mhz bigint [MHz]: SM clock, whole
--   gpu_util_ppm bigint [millionths]: busy-time proxy; null when the sample has none
--   xid bigint: last Xid code
--   xid_before bigint: Xid code of the sample before it on this accelerator
-- Rules: a sample speaks until the next one of its accelerator, at most sample_carry_ms; the last one for one interval; a longer gap is missing, never zero.
-- Source: SPEC 5
with
settings as (
  select sample_interval_ms, sample_carry_ms from ref_setting
),
followed as (
  select
    samples.*,
    lead(sampled_at_ms) over (partition by site_id, node, device_id, namespace, pod, job_id order by sampled_at_ms) as next_ms,
    lag(xid) over (partition by site_id, node, device_id order by sampled_at_ms) as xid_before
  from fct_gpu_sample as samples
  where tensor_active is not null or gpu_util is not null or xid is not null
),
spans as (
  select
    followed.site_id,
    followed.node,
    followed.device_id,
    followed.accelerator_model,
    followed.namespace,
    followed.pod,
    followed.job_id,
    followed.sampled_at_ms,
    followed.sampled_at_ms as start_ms,
    case
      when followed.next_ms is null then followed.sampled_at_ms + settings.sample_interval_ms
      when followed.next_ms - followed.sampled_at_ms > settings.sample_carry_ms then followed.sampled_at_ms + settings.sample_interval_ms
      else followed.next_ms
    end as end_ms,
    cast(round(cast(followed.tensor_active as decimal(38, 9)) * cast(1000000 as decimal(38, 0)), 0) as bigint) as tensor_ppm,
    cast(round(cast(followed.sm_clock_mhz as decimal(38, 9)), 0) as bigint) as sm_clock_mhz,
    cast(round(cast(followed.gpu_util as decimal(38, 9)) * cast(10000 as decimal(38, 0)), 0) as bigint) as gpu_util_ppm,
    followed.xid,
    followed.xid_before
  from followed
  cross join settings
),
claimed as (
  select spans.*, 'pod:' || namespace || '/' || pod as claim from spans where pod is not null and namespace is not null
  union all
  select spans.*, 'job:' || job_id as claim from spans where job_id is not null
  union all
  select spans.*, 'dev:' || device_id as claim from spans
  union all
  select spans.*, 'dev:' || node || '/' || device_id as claim from spans
),
cut as (
  select claimed.*, start_ms - mod(start_ms, 3600000) as hour_ms from claimed
)
select
  site_id,
  claim,
  hour_ms,
  node,
  device_id,
  accelerator_model,
  sampled_at_ms,
  start_ms,
  least(end_ms, hour_ms + 3600000) as end_ms,
  tensor_ppm,
  sm_clock_mhz,
  gpu_util_ppm,
  xid,
  xid_before
from cut
union all
select
  cut.site_id,
  cut.claim,
  hours.hour_ms,
  cut.node,
  cut.device_id,
  cut.accelerator_model,
  cut.sampled_at_ms,
  hours.hour_ms as start_ms,
  least(cut.end_ms, hours.hour_ms + 3600000) as end_ms,
  cut.tensor_ppm,
  cut.sm_clock_mhz,
  cut.gpu_util_ppm,
  cut.xid,
  cut.xid_before
from cut
cross join unnest(sequence(cut.hour_ms + 3600000, cut.end_ms - 1, 3600000)) as hours (hour_ms)
where cut.end_ms > cut.hour_ms + 3600000
