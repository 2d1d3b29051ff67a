-- Whose samples an allocation claims, and when: names are compared here once, series by series, and not again for every sample.
-- Grain: one allocation, period, series, hour and unbroken span
-- Key: claim_no, series_no, start_ms
-- Inputs: fct_allocation_claim, fct_gpu_series, ref_setting
-- Columns:
--   claim_no bigint: number of allocation, period, hour and accelerator model; means nothing outside of one session
--   allocation_id varchar: allocation
--   period varchar: yyyy-mm
--   series_no bigint: accelerator and workload label
--   device_no bigint: accelerator
--   hour_ms bigint [epoch ms UTC]: start of the hour that holds the span
--   start_ms bigint [epoch ms UTC]: inclusive
--   end_ms bigint [epoch ms UTC]: exclusive
--   accelerator_model varchar: catalog model of the series
--   is_only boolean: the allocation claims no other series of the accelerator in the hour
-- Rules: what an allocation claims by several names it claims once: spans that touch or overlap are one.
-- Source: SPEC 5
with
longest as (
  select case when sample_carry_ms > sample_interval_ms then sample_carry_ms else sample_interval_ms end as longest_ms from ref_setting
),
hours as (
  select series.*, spread.hour_ms
  from fct_gpu_series as series
  cross join longest
  cross join unnest(sequence(series.first_ms - mod(series.first_ms, 3600000), series.last_ms + longest.longest_ms - 1, 3600000)) as spread (hour_ms)
),
names as (
  select series_no, device_no, accelerator_model, site_id, hour_ms, 'pod:' || namespace || '/' || pod as claim from hours where pod <> '' and namespace <> ''
  union all
  select series_no, device_no, accelerator_model, site_id, hour_ms, 'job:' || job_id as claim from hours where job_id <> ''
  union all
  select series_no, device_no, accelerator_model, site_id, hour_ms, 'dev:' || device_id as claim from hours
  union all
  select series_no, device_no, accelerator_model, site_id, hour_ms, 'dev:' || node || '/' || device_id as claim from hours
),
claimed as (
  select distinct claims.allocation_id, claims.period, names.series_no, names.device_no, names.accelerator_model, claims.hour_ms, claims.start_ms, claims.end_ms
  from fct_allocation_claim as claims
  inner join names
    on names.site_id = claims.site_id
    and names.claim = claims.claim
    and names.hour_ms = claims.hour_ms
),
reached as (
  select
    claimed.*,
    max(end_ms) over (
      partition by allocation_id, period, series_no, hour_ms
      order by start_ms, end_ms
      rows between unbounded preceding and 1 preceding
    ) as reached_ms
  from claimed
),
numbered as (
  select
    reached.*,
    sum(case when reached_ms >= start_ms then 0 else 1 end) over (
      partition by allocation_id, period, series_no, hour_ms
      order by start_ms, end_ms
      rows between unbounded preceding and current row
    ) as part
  from reached
),
spans as (
  select
    allocation_id,
    period,
    series_no,
    device_no,
    hour_ms,
    min(accelerator_model) as accelerator_model,
    min(start_ms) as start_ms,
    max(end_ms) as end_ms
  from numbered
  group by allocation_id, period, series_no, device_no, hour_ms, part
)
select
  dense_rank() over (order by allocation_id, period, hour_ms, accelerator_model) as claim_no,
  allocation_id,
  period,
  series_no,
  device_no,
  hour_ms,
  start_ms,
  end_ms,
  accelerator_model,
  min(series_no) over (partition by allocation_id, period, hour_ms, device_no) = max(series_no) over (partition by allocation_id, period, hour_ms, device_no) as is_only
from spans
