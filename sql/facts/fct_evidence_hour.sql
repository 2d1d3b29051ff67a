-- What samples say about an allocation in one hour: activity, clock and busy time, weighed by the time for which each sample speaks.
-- Grain: one allocation, period, hour, accelerator model of the samples, and whether they tell the clock
-- Key: allocation_id, period, hour_ms, accelerator_model, has_clock
-- Inputs: fct_allocation_series, fct_sample_span, ref_setting
-- Columns:
--   allocation_id varchar: allocation
--   period varchar: yyyy-mm
--   hour_ms bigint [epoch ms UTC]: start of the hour
--   accelerator_model varchar: model that the samples state
--   has_clock boolean: the samples tell the SM clock
--   tensor_ms bigint [device ms]: time with a tensor activity; null when there is none
--   tensor_weight decimal(38,0) [millionths × ms]: tensor activity × time
--   clock_weight decimal(38,0) [millionths × MHz × ms]: tensor activity × clock × time
--   util_ms bigint [device ms]: time with a busy-time proxy; null when there is none
--   util_weight decimal(38,0) [millionths × ms]: proxy × time
-- Rules: a reading of an accelerator that an allocation claims by several names, or under several labels, counts once.
-- Source: SPEC 5
with
longest as (
  select case when sample_carry_ms > sample_interval_ms then sample_carry_ms else sample_interval_ms end as longest_ms from ref_setting
),
claims as (
  select spans.*, taken.hour_ms as taken_hour_ms
  from fct_allocation_series as spans
  cross join longest
  cross join unnest(sequence(
    spans.start_ms - longest.longest_ms + 1 - mod(spans.start_ms - longest.longest_ms + 1, 3600000), spans.end_ms - 1, 3600000
  )) as taken (hour_ms)
),
matched as (
  select
    claims.claim_no,
    claims.is_only,
    claims.device_no,
    samples.tensor_ppm,
    samples.sm_clock_mhz,
    samples.gpu_util_ppm,
    samples.start_ms as sampled_at_ms,
    greatest(claims.start_ms, samples.start_ms) as start_ms,
    least(claims.end_ms, samples.end_ms) as end_ms
  from fct_sample_span as samples
  inner join claims
    on claims.series_no = samples.series_no
    and claims.taken_hour_ms = samples.hour_ms
    and samples.start_ms < claims.end_ms
    and samples.end_ms > claims.start_ms
),
weighed as (
  select
    matched.*,
    case when tensor_ppm is not null then end_ms - start_ms end as tensor_ms,
    cast(tensor_ppm * (end_ms - start_ms) as decimal(38, 0)) as tensor_weight,
    cast(tensor_ppm * (end_ms - start_ms) as decimal(38, 0)) * cast(sm_clock_mhz as decimal(38, 0)) as clock_weight,
    case when gpu_util_ppm is not null then end_ms - start_ms end as util_ms,
    cast(gpu_util_ppm * (end_ms - start_ms) as decimal(38, 0)) as util_weight
  from matched
),
once as (
  select
    claim_no,
    sm_clock_mhz is not null as has_clock,
    case when is_only then sum(tensor_ms) else min(tensor_ms) end as tensor_ms,
    case when is_only then sum(tensor_weight) else min(tensor_weight) end as tensor_weight,
    case when is_only then sum(clock_weight) else min(clock_weight) end as clock_weight,
    case when is_only then sum(util_ms) else min(util_ms) end as util_ms,
    case when is_only then sum(util_weight) else min(util_weight) end as util_weight
  from weighed
  group by
    claim_no,
    sm_clock_mhz is not null,
    is_only,
    case when not is_only then device_no end,
    case when not is_only then sampled_at_ms end,
    case when not is_only then start_ms end,
    case when not is_only then end_ms end,
    case when not is_only then tensor_ppm end,
    case when not is_only then sm_clock_mhz end,
    case when not is_only then gpu_util_ppm end
),
sums as (
  select
    claim_no,
    has_clock,
    cast(sum(tensor_ms) as bigint) as tensor_ms,
    cast(sum(tensor_weight) as decimal(38, 0)) as tensor_weight,
    cast(sum(clock_weight) as decimal(38, 0)) as clock_weight,
    cast(sum(util_ms) as bigint) as util_ms,
    cast(sum(util_weight) as decimal(38, 0)) as util_weight
  from once
  group by claim_no, has_clock
),
labels as (
  select distinct claim_no, allocation_id, period, hour_ms, accelerator_model from fct_allocation_series
)
select
  labels.allocation_id,
  labels.period,
  labels.hour_ms,
  labels.accelerator_model,
  sums.has_clock,
  sums.tensor_ms,
  sums.tensor_weight,
  sums.clock_weight,
  sums.util_ms,
  sums.util_weight
from sums
inner join labels
  on labels.claim_no = sums.claim_no
