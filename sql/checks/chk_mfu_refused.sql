-- Declared MFUs that were refused as inconsistent with the measured HFU, the ceiling or the peak table.
-- Kind: finding
-- Grain: one workload and period
-- Key: period, site_id, workload_id
-- Inputs: fct_workload_efficiency
-- Columns:
--   period varchar: yyyy-mm
--   site_id varchar: site
--   workload_id varchar: workload
--   mfu_declared decimal(10,6): declared
--   hfu decimal(10,6): measured
--   mfu_state varchar: above_hfu, above_ceiling or no_peak
-- Source: SPEC 5
with
efficiency as (
  select * from fct_workload_efficiency
)
select
  period,
  site_id,
  workload_id,
  mfu_declared,
  hfu,
  mfu_state
from efficiency
where mfu_state not in ('accepted', 'none')
