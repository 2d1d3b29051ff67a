-- GPU time that the price book credits because the provider lost it, with the price at which it was charged.
-- Grain: one period, tenant, site, workload, accelerator model, price, band, policy and rule
-- Key: period, tenant_id, site_id, workload_id, product, price_id, band, policy_id, rule_id
-- Inputs: rtd_fault, rtd_allocation_piece, rtd_price_match, fct_allocation, ref_site
-- Columns:
--   period varchar: yyyy-mm
--   tenant_id varchar: who is billed
--   site_id varchar: site
--   workload_id varchar: job or service
--   product varchar: accelerator model
--   price_id varchar: price
--   band varchar: tariff band
--   policy_id varchar: adjustment policy
--   rule_id varchar: credit rule
--   quantity decimal(20,6) [GPU-hours]: credited, quantised half up
--   records bigint: allocations that were hit
-- Rules: the last credited_ms before the fault of rtd_fault are credited.
-- Source: SPEC 4
with
credited as (
  select
    pieces.period,
    pieces.segment_no,
    pieces.allocation_id,
    earliest.rule_id,
    cast(div_half_up(
      cast(pieces.gpu_ms as decimal(38, 0))
        * cast(least(pieces.end_ms, earliest.fault_ms) - greatest(pieces.start_ms, earliest.fault_ms - earliest.credited_ms) as decimal(38, 0)),
      cast(pieces.end_ms - pieces.start_ms as decimal(38, 0))
    ) as bigint) as gpu_ms
  from rtd_fault as earliest
  inner join rtd_allocation_piece as pieces
    on pieces.allocation_id = earliest.allocation_id
    and pieces.kind = 'gpu_hours'
    and pieces.start_ms < earliest.fault_ms
    and pieces.end_ms > earliest.fault_ms - earliest.credited_ms
)
select
  credited.period,
  allocations.tenant_id,
  allocations.site_id,
  allocations.workload_id,
  allocations.accelerator_model as product,
  matches.price_id,
  matches.band,
  matches.policy_id,
  credited.rule_id,
  cast(round(cast(sum(credited.gpu_ms) as decimal(14, 0)) * cast('0.000000277777777777777778' as decimal(24, 24)), 6) as decimal(20, 6)) as quantity,
  count(distinct credited.allocation_id) as records
from credited
inner join fct_allocation as allocations
  on allocations.allocation_id = credited.allocation_id
inner join rtd_price_match as matches
  on matches.period = credited.period
  and matches.segment_no = credited.segment_no
  and matches.tenant_id = allocations.tenant_id
  and matches.site_id = allocations.site_id
  and matches.product = allocations.accelerator_model
  and matches.meter = 'gpu_hours'
left join ref_site as sites
  on sites.site_id = allocations.site_id
where credited.gpu_ms > 0
  and matches.price_id is not null
  and coalesce(sites.bills_gpu_hours, true)
group by
  credited.period, allocations.tenant_id, allocations.site_id, allocations.workload_id, allocations.accelerator_model,
  matches.price_id, matches.band, matches.policy_id, credited.rule_id
