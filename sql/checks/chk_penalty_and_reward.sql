-- Workloads for which penalty and reward would hold at once, which MFU ≤ HFU makes impossible.
-- Kind: equation
-- Grain: one wrong workload
-- Key: period, site_id, workload_id, policy_id
-- Inputs: rtd_adjustment, ref_adjustment
-- Columns:
--   period varchar: yyyy-mm
--   site_id varchar: site
--   workload_id varchar: workload
--   policy_id varchar: policy
--   hfu decimal(10,6): HFU
--   mfu decimal(10,6): MFU
-- Source: SPEC 8
with
adjustments as (
  select * from rtd_adjustment
)
select
  adjustments.period,
  adjustments.site_id,
  adjustments.workload_id,
  adjustments.policy_id,
  adjustments.hfu,
  adjustments.mfu
from adjustments
inner join ref_adjustment as policies
  on policies.policy_id = adjustments.policy_id
where policies.rule = 'step'
  and adjustments.hfu < policies.low_threshold
  and adjustments.mfu > policies.high_threshold
