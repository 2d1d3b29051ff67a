-- What samples say about an allocation in one hour: activity, clock and busy time, weighed by the time for which each sample speaks.
-- Grain: one allocation, period, hour, accelerator model of the samples, and whether they tell the clock
-- Key: allocation_id, period, hour_ms, accelerator_model, has_clock
-- Inputs: fct_allocation_claim, fct_sample_slice
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
-- Rules: a sample that an allocation claims by several names counts once.
-- Source: SPEC 5
with
claimed_spans as (
  select distinct
    claims.allocation_id,
    claims.period,
    claims.hour_ms,
    slices.node,
    slices.device_id,
    slices.accelerator_model,
    slices.sampled_at_ms,
    slices.tensor_ppm,
    slices.sm_clock_mhz,
    slices.gpu_util_ppm,
    greatest(claims.start_ms, slices.start_ms) as start_ms,
    least(claims.end_ms, slices.end_ms) as end_ms
  from fct_allocation_claim as claims
  inner join fct_sample_slice as slices
    on slices.site_id = claims.site_id
    and slices.claim = claims.claim
    and slices.hour_ms = claims.hour_ms
    and slices.start_ms < claims.end_ms
    and slices.end_ms > claims.start_ms
),
weighed as (
  select
    claimed_spans.*,
    sm_clock_mhz is not null as has_clock,
    end_ms - start_ms as overlap_ms
  from claimed_spans
)
select
  allocation_id,
  period,
  hour_ms,
  accelerator_model,
  has_clock,
  cast(sum(case when tensor_ppm is not null then overlap_ms end) as bigint) as tensor_ms,
  cast(sum(cast(tensor_ppm as decimal(38, 0)) * cast(overlap_ms as decimal(38, 0))) as decimal(38, 0)) as tensor_weight,
  cast(sum(cast(tensor_ppm as decimal(38, 0)) * cast(sm_clock_mhz as decimal(38, 0)) * cast(overlap_ms as decimal(38, 0))) as decimal(38, 0)) as clock_weight,
  cast(sum(case when gpu_util_ppm is not null then overlap_ms end) as bigint) as util_ms,
  cast(sum(cast(gpu_util_ppm as decimal(38, 0)) * cast(overlap_ms as decimal(38, 0))) as decimal(38, 0)) as util_weight
from weighed
group by allocation_id, period, hour_ms, accelerator_model, has_clock
