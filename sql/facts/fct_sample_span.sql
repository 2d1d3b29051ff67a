-- What each sample speaks for: from its instant on, until when.
-- Grain: one series and instant
-- Key: series_no, start_ms
-- Inputs: raw_gpu_sample, fct_gpu_series, ref_setting
-- Columns:
--   series_no bigint: accelerator and workload label
--   hour_ms bigint [epoch ms UTC]: start of the hour in which the sample was taken
--   start_ms bigint [epoch ms UTC]: the sample; inclusive
--   end_ms bigint [epoch ms UTC]: exclusive
--   tensor_ppm bigint [millionths]: tensor activity; null when the sample has none
--   sm_clock_mhz bigint [MHz]: SM clock, whole
--   gpu_util_ppm bigint [millionths]: busy-time proxy; null when the sample has none
-- Rules: a sample speaks until the next one of its series, at most sample_carry_ms; the last one for one interval; a longer gap is missing, never zero. Of two values for one metric and instant the first committed wins. Readings are bounded at ingest, so that eighteen digits hold the products; with thirty-eight this took nine times as long.
-- Source: SPEC 5
with
settings as (
  select sample_interval_ms, sample_carry_ms from ref_setting
),
readings as (
  select
    series.series_no,
    samples.sampled_at_ms,
    samples.fold_order * 10000000000 + samples.line as position,
    samples.tensor_active,
    samples.sm_clock_mhz,
    samples.gpu_util,
    samples.xid
  from raw_gpu_sample as samples
  inner join fct_gpu_series as series
    on series.site_id = samples.site_id
    and series.node = samples.node
    and series.device_id = samples.device_id
    and series.namespace = coalesce(samples.namespace, '')
    and series.pod = coalesce(samples.pod, '')
    and series.job_id = coalesce(samples.job_id, '')
),
merged as (
  select
    series_no,
    sampled_at_ms,
    min_by(tensor_active, position) filter (where tensor_active is not null) as tensor_active,
    min_by(sm_clock_mhz, position) filter (where sm_clock_mhz is not null) as sm_clock_mhz,
    min_by(gpu_util, position) filter (where gpu_util is not null) as gpu_util,
    count(xid) as xids
  from readings
  group by series_no, sampled_at_ms
),
followed as (
  select
    merged.*,
    lead(sampled_at_ms) over (partition by series_no order by sampled_at_ms) as next_ms
  from merged
  where tensor_active is not null or gpu_util is not null or xids > 0
)
select
  followed.series_no,
  followed.sampled_at_ms - mod(followed.sampled_at_ms, 3600000) as hour_ms,
  followed.sampled_at_ms as start_ms,
  case
    when followed.next_ms is null then followed.sampled_at_ms + settings.sample_interval_ms
    when followed.next_ms - followed.sampled_at_ms > settings.sample_carry_ms then followed.sampled_at_ms + settings.sample_interval_ms
    else followed.next_ms
  end as end_ms,
  cast(round(followed.tensor_active * cast(1000000 as decimal(7, 0)), 0) as bigint) as tensor_ppm,
  cast(round(followed.sm_clock_mhz, 0) as bigint) as sm_clock_mhz,
  cast(round(followed.gpu_util * cast(10000 as decimal(5, 0)), 0) as bigint) as gpu_util_ppm
from followed
cross join settings
