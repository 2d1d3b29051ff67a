-- HFU, MFU and how well they are known, for each workload.
-- Grain: one workload and period
-- Key: period, site_id, workload_id
-- Inputs: fct_allocation, fct_evidence_hour, raw_training_progress, ref_accelerator, ref_peak, ref_adjustment, ref_period
-- Columns:
--   period varchar: yyyy-mm
--   site_id varchar: site
--   workload_id varchar: job or service
--   hfu decimal(10,6) [ratio 0–1]: mean over sampled device time, quantised half up; null when unknown
--   mfu decimal(10,6) [ratio 0–1]: declared and not refused, quantised half up; null when unknown
--   coverage decimal(10,6) [ratio 0–1]: sampled ÷ allocated device time
--   basis varchar: samples, samples_without_clock, job_average, proxy or none: what hfu and coverage rest on
--   proxy decimal(10,6) [ratio 0–1]: mean busy time, where there is one; never an hfu by itself
--   mfu_declared decimal(10,6) [ratio 0–1]: before the consistency check
--   mfu_state varchar: accepted, above_hfu, above_ceiling, no_peak or none
--   formula varchar: FLOPs formula of the declared MFU
--   device_ms bigint [device ms]: allocated device time, fractions counted as the device they share
--   sampled_ms bigint [device ms]: of which sampled
-- Rules: missing is never 0 %: unsampled time is in neither sum; clock ratio 1 where the clock is missing; an MFU above HFU + tolerance or above the ceiling is refused.
-- Source: SPEC 5
with
held as (
  select
    allocations.allocation_id,
    periods.period,
    allocations.site_id,
    allocations.workload_id,
    allocations.accelerator_model,
    cast(round(cast(allocations.hfu as decimal(38, 9)) * cast(1000000 as decimal(38, 0)), 0) as decimal(38, 0)) as hfu_ppm,
    cast(round(cast(allocations.mfu as decimal(38, 9)) * cast(1000000 as decimal(38, 0)), 0) as decimal(38, 0)) as mfu_ppm,
    cast(round(cast(allocations.gpu_util as decimal(38, 9)) * cast(1000000 as decimal(38, 0)), 0) as decimal(38, 0)) as util_ppm,
    (least(allocations.end_at_ms, periods.end_ms) - greatest(allocations.start_at_ms, periods.start_ms)) * cast(ceil(allocations.accelerator_count) as bigint) as device_ms,
    cast(allocations.accelerator_count * 1000000 as decimal(38, 0))
      * cast(least(allocations.end_at_ms, periods.end_ms) - greatest(allocations.start_at_ms, periods.start_ms) as decimal(38, 0)) as micro_gpu_ms
  from fct_allocation as allocations
  inner join ref_period as periods
    on allocations.start_at_ms < periods.end_ms
    and allocations.end_at_ms > periods.start_ms
),
workloads as (
  select
    period,
    site_id,
    workload_id,
    min(accelerator_model) as accelerator_model,
    count(distinct accelerator_model) as models,
    cast(sum(device_ms) as bigint) as device_ms,
    sum(micro_gpu_ms) as micro_gpu_ms,
    sum(case when hfu_ppm is not null then micro_gpu_ms end) as hfu_micro_gpu_ms,
    sum(case when mfu_ppm is not null then micro_gpu_ms end) as mfu_micro_gpu_ms,
    sum(case when util_ppm is not null then micro_gpu_ms end) as util_micro_gpu_ms,
    sum(hfu_ppm * micro_gpu_ms) as hfu_weight,
    sum(mfu_ppm * micro_gpu_ms) as mfu_weight,
    sum(util_ppm * micro_gpu_ms) as util_weight
  from held
  group by period, site_id, workload_id
),
weighed as (
  select
    held.period,
    held.site_id,
    held.workload_id,
    evidence.tensor_ms,
    evidence.util_ms,
    evidence.util_weight,
    accelerators.boost_clock_mhz is not null and evidence.has_clock as has_clock,
    case when accelerators.boost_clock_mhz is not null and evidence.has_clock then evidence.clock_weight else evidence.tensor_weight end as tensor_weight,
    case
      when accelerators.boost_clock_mhz is not null and evidence.has_clock then cast(round(accelerators.boost_clock_mhz, 0) as decimal(38, 0))
      else cast(1 as decimal(38, 0))
    end as boost_mhz
  from fct_evidence_hour as evidence
  inner join held
    on held.allocation_id = evidence.allocation_id
    and held.period = evidence.period
  left join ref_accelerator as accelerators
    on accelerators.accelerator_model = coalesce(held.accelerator_model, evidence.accelerator_model)
),
by_clock as (
  select
    period,
    site_id,
    workload_id,
    boost_mhz,
    bool_and(has_clock) as all_clocks,
    cast(sum(tensor_ms) as bigint) as tensor_ms,
    cast(sum(tensor_weight) as decimal(38, 0)) as tensor_weight,
    cast(sum(util_ms) as bigint) as util_ms,
    cast(sum(util_weight) as decimal(38, 0)) as util_weight
  from weighed
  group by period, site_id, workload_id, boost_mhz
),
measured as (
  select
    period,
    site_id,
    workload_id,
    bool_and(all_clocks) as all_clocks,
    cast(sum(tensor_ms) as bigint) as tensor_ms,
    cast(sum(div_half_up(tensor_weight, boost_mhz)) as decimal(38, 0)) as tensor_ppm_ms,
    cast(sum(util_ms) as bigint) as util_ms,
    cast(sum(util_weight) as decimal(38, 0)) as util_ppm_ms
  from by_clock
  group by period, site_id, workload_id
),
progress as (
  select
    periods.period,
    windows.site_id,
    windows.workload_id,
    windows.precision,
    min(windows.formula) as formula,
    sum(div_half_up(
      windows.model_flops * cast(least(windows.to_ms, periods.end_ms) - greatest(windows.from_ms, periods.start_ms) as decimal(38, 0)),
      cast(windows.to_ms - windows.from_ms as decimal(38, 0))
    )) as model_flops
  from (
    select
      raw_training_progress.*,
      row_number() over (partition by source, native_id order by fold_order, object_id, line) as occurrence
    from raw_training_progress
  ) as windows
  inner join ref_period as periods
    on windows.from_ms < periods.end_ms
    and windows.to_ms > periods.start_ms
  where windows.occurrence = 1
  group by periods.period, windows.site_id, windows.workload_id, windows.precision
),
declared as (
  select
    workloads.period,
    workloads.site_id,
    workloads.workload_id,
    min(progress.formula) as formula,
    case when bool_and(peaks.peak_flops is not null) and min(workloads.models) = 1 and min(workloads.micro_gpu_ms) > 0
      then sum(div_half_up(
        progress.model_flops * cast(1000 as decimal(38, 0)),
        div_half_up(peaks.peak_flops, cast(1000000 as decimal(38, 0)))
      ))
    end as full_peak_ms_ppm
  from workloads
  inner join progress
    on progress.period = workloads.period
    and progress.site_id = workloads.site_id
    and progress.workload_id = workloads.workload_id
  left join ref_peak as peaks
    on peaks.accelerator_model = workloads.accelerator_model
    and peaks.precision = progress.precision
  group by workloads.period, workloads.site_id, workloads.workload_id
),
policies as (
  select max(mfu_tolerance) as mfu_tolerance from ref_adjustment
),
joined as (
  select
    workloads.period,
    workloads.site_id,
    workloads.workload_id,
    workloads.accelerator_model,
    workloads.device_ms,
    coalesce(measured.tensor_ms, 0) as sampled_ms,
    case
      when measured.tensor_ms > 0 and measured.all_clocks then 'samples'
      when measured.tensor_ms > 0 then 'samples_without_clock'
      when workloads.hfu_micro_gpu_ms > 0 then 'job_average'
      when workloads.util_micro_gpu_ms > 0 or measured.util_ms > 0 then 'proxy'
      when workloads.mfu_micro_gpu_ms > 0 then 'job_average'
      else 'none'
    end as basis,
    case
      when measured.tensor_ms > 0 then div_half_up(measured.tensor_ppm_ms, cast(measured.tensor_ms as decimal(38, 0)))
      when workloads.hfu_micro_gpu_ms > 0 then div_half_up(workloads.hfu_weight, workloads.hfu_micro_gpu_ms)
    end as hfu_ppm,
    case
      when workloads.util_micro_gpu_ms > 0 then div_half_up(workloads.util_weight, workloads.util_micro_gpu_ms)
      when measured.util_ms > 0 then div_half_up(measured.util_ppm_ms, cast(measured.util_ms as decimal(38, 0)))
    end as proxy_ppm,
    case
      when workloads.device_ms = 0 then null
      when measured.tensor_ms > 0 then div_half_up(cast(measured.tensor_ms as decimal(38, 0)) * cast(1000000 as decimal(38, 0)), cast(workloads.device_ms as decimal(38, 0)))
      when workloads.hfu_micro_gpu_ms > 0 then div_half_up(workloads.hfu_micro_gpu_ms * cast(1000000 as decimal(38, 0)), workloads.micro_gpu_ms)
      when workloads.util_micro_gpu_ms > 0 then div_half_up(workloads.util_micro_gpu_ms * cast(1000000 as decimal(38, 0)), workloads.micro_gpu_ms)
      when measured.util_ms > 0 then div_half_up(cast(measured.util_ms as decimal(38, 0)) * cast(1000000 as decimal(38, 0)), cast(workloads.device_ms as decimal(38, 0)))
      when workloads.mfu_micro_gpu_ms > 0 then div_half_up(workloads.mfu_micro_gpu_ms * cast(1000000 as decimal(38, 0)), workloads.micro_gpu_ms)
      else cast(0 as decimal(38, 0))
    end as coverage_ppm,
    case
      when declared.full_peak_ms_ppm is not null then div_half_up(declared.full_peak_ms_ppm * cast(1000000 as decimal(38, 0)), workloads.micro_gpu_ms)
      when declared.workload_id is null and workloads.mfu_micro_gpu_ms > 0 then div_half_up(workloads.mfu_weight, workloads.mfu_micro_gpu_ms)
    end as mfu_ppm,
    declared.workload_id is not null and declared.full_peak_ms_ppm is null as lacks_peak,
    declared.formula
  from workloads
  left join measured
    on measured.period = workloads.period
    and measured.site_id = workloads.site_id
    and measured.workload_id = workloads.workload_id
  left join declared
    on declared.period = workloads.period
    and declared.site_id = workloads.site_id
    and declared.workload_id = workloads.workload_id
),
judged as (
  select
    joined.*,
    case
      when joined.lacks_peak then 'no_peak'
      when joined.mfu_ppm is null then 'none'
      when joined.mfu_ppm > accelerators.mfu_ceiling * cast(1000000 as decimal(38, 0)) then 'above_ceiling'
      when joined.basis in ('samples', 'samples_without_clock', 'job_average')
        and joined.mfu_ppm > joined.hfu_ppm + coalesce(policies.mfu_tolerance, cast('0.02' as decimal(10, 6))) * cast(1000000 as decimal(38, 0)) then 'above_hfu'
      else 'accepted'
    end as mfu_state
  from joined
  cross join policies
  left join ref_accelerator as accelerators
    on accelerators.accelerator_model = joined.accelerator_model
)
select
  period,
  site_id,
  workload_id,
  cast(hfu_ppm * cast('0.000001' as decimal(7, 6)) as decimal(10, 6)) as hfu,
  cast(case when mfu_state = 'accepted' then mfu_ppm end * cast('0.000001' as decimal(7, 6)) as decimal(10, 6)) as mfu,
  cast(least(coverage_ppm, cast(1000000 as decimal(38, 0))) * cast('0.000001' as decimal(7, 6)) as decimal(10, 6)) as coverage,
  basis,
  cast(proxy_ppm * cast('0.000001' as decimal(7, 6)) as decimal(10, 6)) as proxy,
  cast(mfu_ppm * cast('0.000001' as decimal(7, 6)) as decimal(10, 6)) as mfu_declared,
  mfu_state,
  formula,
  device_ms,
  sampled_ms
from judged
