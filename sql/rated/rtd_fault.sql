-- Provider faults that a rule credits: the earliest of each allocation.
-- Grain: one allocation that was hit
-- Key: allocation_id
-- Inputs: fct_allocation, fct_allocation_claim, fct_xid, ref_credit_rule
-- Columns:
--   allocation_id varchar: allocation
--   rule_id varchar: credit rule
--   fault varchar: node_lost, preempted or xid
--   xid bigint: the Xid code, for fault xid
--   fault_ms bigint [epoch ms UTC]: when it happened
--   credited_ms bigint [ms]: longest time before it that is credited
-- Rules: an allocation is credited once, for its earliest fault; an Xid counts when its code appears on the accelerator while the allocation holds it.
-- Source: SPEC 4
with
xid_faults as (
  select
    claims.allocation_id,
    readings.xid,
    min(readings.sampled_at_ms) as fault_ms
  from fct_allocation_claim as claims
  inner join fct_xid as readings
    on readings.site_id = claims.site_id
    and readings.claim = claims.claim
    and readings.hour_ms = claims.hour_ms
    and readings.sampled_at_ms >= claims.start_ms
    and readings.sampled_at_ms < claims.end_ms
  group by claims.allocation_id, readings.xid
),
hits as (
  select allocations.allocation_id, rules.rule_id, rules.fault, cast(null as bigint) as xid, rules.credited_ms, allocations.end_at_ms as fault_ms
  from fct_allocation as allocations
  inner join ref_credit_rule as rules
    on rules.fault = allocations.fault
    and allocations.end_at_ms >= rules.from_ms
    and allocations.end_at_ms < rules.to_ms
  where allocations.end_kind <> 'open'
  union all
  select xid_faults.allocation_id, rules.rule_id, rules.fault, xid_faults.xid, rules.credited_ms, xid_faults.fault_ms
  from xid_faults
  inner join ref_credit_rule as rules
    on rules.fault = 'xid'
    and rules.xid = xid_faults.xid
    and xid_faults.fault_ms >= rules.from_ms
    and xid_faults.fault_ms < rules.to_ms
),
earliest as (
  select
    hits.*,
    row_number() over (partition by allocation_id order by fault_ms, rule_id) as preference
  from hits
)
select
  allocation_id,
  rule_id,
  fault,
  xid,
  fault_ms,
  credited_ms
from earliest
where preference = 1
