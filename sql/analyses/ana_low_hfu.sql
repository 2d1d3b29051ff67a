-- Accelerator time that the same work would not have needed at the HFU below which it is penalised.
-- Grain: one workload, tenant, site, accelerator model and period
-- Key: period, tenant_id, site_id, product, workload_id
-- Inputs: ana_held, fct_workload_efficiency, rtd_adjustment, ref_site, ref_adjustment, ref_period, ana_hour_value
-- Columns:
--   period varchar: yyyy-mm
--   tenant_id varchar: who holds or pays; empty where nobody does
--   site_id varchar: site
--   product varchar: accelerator model or model name
--   workload_id varchar: job or service; empty for a pool or tokens
--   quantity decimal(20,6): GPU-hours saved: held × (1 − HFU ÷ target)
--   unit varchar: GPU-Hours
--   unit_value decimal(18,10): what a GPU-hour of the pool costs, or its list price where no cost is stated
--   amount decimal(38,2): quantity × unit_value, rounded once
--   basis varchar: cost or list_price
--   evidence varchar: what was measured
-- Rules: the target is the threshold of the step policy in force at the end of the period, 0.20 without one; only measured or stated HFU with enough coverage, at sites that bill GPU-hours (decoding tokens has a low HFU by nature), of workloads without an exemption; time of failed runs is not in it.
-- Source: SPEC 10
with
targets as (
  select periods.period, cast(coalesce(max(case when policies.rule = 'step' then policies.low_threshold end), cast('0.20' as decimal(10, 6))) as decimal(10, 6)) as target, cast(coalesce(max(policies.min_coverage), cast('0.9' as decimal(10, 6))) as decimal(10, 6)) as min_coverage
  from ref_period as periods
  left join ref_adjustment as policies
    on policies.from_ms < periods.end_ms
    and policies.to_ms >= periods.end_ms
  group by periods.period
),
exempt as (
  select distinct period, site_id, workload_id, tenant_id
  from rtd_adjustment
  where adjustment = 'exempt'
),
slow as (
  select
    held.period, held.tenant_id, held.site_id, held.accelerator_model as product, held.workload_id, held.hours,
    efficiency.hfu,
    efficiency.coverage,
    targets.target,
    cast(held.hours as decimal(20, 6)) - cast(cast('0.000001' as decimal(7, 6)) * div_half_up(
      cast(held.hours * cast(1000000 as decimal(18, 0)) as decimal(38, 0)) * cast(efficiency.hfu * cast(1000000 as decimal(18, 0)) as decimal(38, 0)),
      cast(targets.target * cast(1000000 as decimal(18, 0)) as decimal(38, 0))
    ) as decimal(20, 6)) as saved_hours
  from ana_held as held
  inner join targets
    on targets.period = held.period
  inner join fct_workload_efficiency as efficiency
    on efficiency.period = held.period
    and efficiency.site_id = held.site_id
    and efficiency.workload_id = held.workload_id
    and efficiency.hfu < targets.target
    and efficiency.coverage >= targets.min_coverage
  left join ref_site as sites
    on sites.site_id = held.site_id
  left join exempt
    on exempt.period = held.period
    and exempt.site_id = held.site_id
    and exempt.workload_id = held.workload_id
    and exempt.tenant_id = held.tenant_id
  where held.kind = 'gpu_hours'
    and not held.failed
    and coalesce(sites.bills_gpu_hours, true)
    and exempt.workload_id is null
)
select
  held.period,
  held.tenant_id,
  held.site_id,
  held.product,
  held.workload_id,
  cast(held.saved_hours as decimal(20, 6)) as quantity,
  'GPU-Hours' as unit,
  cast(hour_values.hour_value as decimal(18, 10)) as unit_value,
  cast(round(cast(held.saved_hours as decimal(38, 6)) * cast(hour_values.hour_value as decimal(38, 10)), 2) as decimal(38, 2)) as amount,
  hour_values.basis,
  'HFU ' || cast(held.hfu as varchar) || ' below ' || cast(held.target as varchar) || ' over ' || cast(held.hours as varchar) || ' h, coverage ' || cast(held.coverage as varchar) as evidence
from slow as held
inner join ana_hour_value as hour_values
  on hour_values.period = held.period
  and hour_values.site_id = held.site_id
  and hour_values.accelerator_model = held.product
where hour_values.hour_value is not null
