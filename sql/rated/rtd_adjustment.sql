-- The HFU/MFU factor of each workload under each policy, with what decided it.
-- Grain: one period, site, workload, tenant and policy
-- Key: period, site_id, workload_id, tenant_id, policy_id
-- Inputs: rtd_quantity, fct_workload_efficiency, fct_allocation, ref_adjustment, ref_curve, ref_exemption, ref_period
-- Columns:
--   period varchar: yyyy-mm
--   site_id varchar: site
--   workload_id varchar: job or service
--   tenant_id varchar: who is billed
--   policy_id varchar: policy
--   adjustment varchar: penalty, reward, curve, none, unrated or exempt
--   factor decimal(10,6): factor that the policy gives
--   charged_factor decimal(10,6): factor that is charged: 1 under a shadow policy
--   hfu decimal(10,6) [ratio 0–1]: measured or stated HFU; null when unknown
--   mfu decimal(10,6) [ratio 0–1]: accepted MFU; null when unknown
--   proxy decimal(10,6) [ratio 0–1]: busy time that decided in their place, where the policy allows it; else null
--   coverage decimal(10,6) [ratio 0–1]: share of device time with evidence
--   basis varchar: what the evidence is
--   formula varchar: FLOPs formula of a declared MFU
--   is_neutral boolean: factors of this policy are scaled to be revenue-neutral
-- Rules: comparisons are strict and read the quantised ratios that the line prints; coverage below the minimum or no evidence leaves the factor at 1 (unrated); a proxy decides only what the policy allows; an exemption looks at what the tenant held in the period, whole (longest allocation, any queue or label).
-- Source: SPEC 5, 8
with
asked as (
  select distinct period, site_id, workload_id, tenant_id, policy_id
  from rtd_quantity
  where policy_id is not null
),
held as (
  select
    periods.period,
    periods.start_ms as period_start_ms,
    periods.end_ms as period_end_ms,
    allocations.site_id,
    allocations.workload_id,
    allocations.tenant_id,
    allocations.queue,
    allocations.labels,
    max(allocations.end_at_ms - allocations.start_at_ms) over (
      partition by periods.period, allocations.site_id, allocations.workload_id, allocations.tenant_id
    ) as longest_ms
  from fct_allocation as allocations
  inner join ref_period as periods
    on allocations.start_at_ms < periods.end_ms
    and allocations.end_at_ms > periods.start_ms
),
exempted as (
  select distinct asked.period, asked.site_id, asked.workload_id, asked.tenant_id, asked.policy_id
  from asked
  inner join held
    on held.period = asked.period
    and held.site_id = asked.site_id
    and held.workload_id = asked.workload_id
    and held.tenant_id = asked.tenant_id
  inner join ref_exemption as exemptions
    on exemptions.policy_id = asked.policy_id
    and exemptions.from_ms < held.period_end_ms
    and exemptions.to_ms > held.period_start_ms
  where (exemptions.kind = 'queue' and held.queue = exemptions.value)
    or (exemptions.kind = 'tenant' and held.tenant_id = exemptions.value)
    or (exemptions.kind = 'label' and strpos(',' || held.labels || ',', ',' || exemptions.value || ',') > 0)
    or (exemptions.kind = 'shorter_than_ms' and held.longest_ms < cast(case when exemptions.kind = 'shorter_than_ms' then exemptions.value end as bigint))
),
evidence as (
  select
    asked.*,
    policies.rule,
    policies.enforcement,
    policies.metric,
    policies.low_threshold,
    policies.low_factor,
    policies.high_threshold,
    policies.high_factor,
    policies.revenue_neutral,
    policies.min_coverage,
    exempted.workload_id is not null as is_exempt,
    efficiency.hfu,
    efficiency.mfu,
    case when efficiency.basis = 'proxy' and policies.proxy <> 'none' then efficiency.proxy end as proxy,
    case when efficiency.basis = 'proxy' and policies.proxy <> 'none' then efficiency.proxy else efficiency.hfu end as low_evidence,
    case
      when efficiency.basis = 'proxy' and efficiency.mfu is null and policies.proxy = 'penalty_and_reward' then efficiency.proxy
      else efficiency.mfu
    end as high_evidence,
    coalesce(efficiency.coverage, cast(0 as decimal(10, 6))) as coverage,
    coalesce(efficiency.basis, 'none') as basis,
    efficiency.formula
  from asked
  inner join ref_adjustment as policies
    on policies.policy_id = asked.policy_id
  left join fct_workload_efficiency as efficiency
    on efficiency.period = asked.period
    and efficiency.site_id = asked.site_id
    and efficiency.workload_id = asked.workload_id
  left join exempted
    on exempted.period = asked.period
    and exempted.site_id = asked.site_id
    and exempted.workload_id = asked.workload_id
    and exempted.tenant_id = asked.tenant_id
    and exempted.policy_id = asked.policy_id
),
decided as (
  select
    evidence.*,
    case
      when is_exempt then 'exempt'
      when coverage < min_coverage then 'unrated'
      when rule = 'curve' and case when metric = 'hfu' then low_evidence else high_evidence end is null then 'unrated'
      when rule = 'curve' then 'curve'
      when low_evidence is null and high_evidence is null then 'unrated'
      when low_evidence < low_threshold then 'penalty'
      when high_evidence > high_threshold then 'reward'
      else 'none'
    end as adjustment
  from evidence
),
factored as (
  select
    decided.*,
    case decided.adjustment
      when 'penalty' then decided.low_factor
      when 'reward' then decided.high_factor
      when 'curve' then cast(round(
        cast(curves.y_from as decimal(38, 16))
          + cast(curves.slope as decimal(38, 10)) * cast(case when decided.metric = 'hfu' then decided.low_evidence else decided.high_evidence end - curves.x_from as decimal(38, 6)),
        6
      ) as decimal(10, 6))
      else cast(1 as decimal(10, 6))
    end as factor
  from decided
  left join ref_curve as curves
    on decided.adjustment = 'curve'
    and curves.policy_id = decided.policy_id
    and case when decided.metric = 'hfu' then decided.low_evidence else decided.high_evidence end >= curves.x_from
    and case when decided.metric = 'hfu' then decided.low_evidence else decided.high_evidence end < curves.x_to
)
select
  period,
  site_id,
  workload_id,
  tenant_id,
  policy_id,
  adjustment,
  cast(factor as decimal(10, 6)) as factor,
  cast(case when enforcement = 'enforce' then factor else cast(1 as decimal(10, 6)) end as decimal(10, 6)) as charged_factor,
  hfu,
  mfu,
  proxy,
  coverage,
  basis,
  formula,
  revenue_neutral and rule = 'curve' and enforcement = 'enforce' as is_neutral
from factored
