-- Accelerators that were claimed by several owners beyond the whole, and were split.
-- Kind: finding
-- Grain: one allocation, device and span
-- Key: allocation_id, device_id, start_at_ms
-- Inputs: fct_device_overlap
-- Columns:
--   allocation_id varchar: owner
--   device_id varchar: accelerator
--   start_at_ms bigint: inclusive
--   end_at_ms bigint: exclusive
--   claimed_ppm bigint: claimed by all owners, millionths
-- Source: SPEC 4
with
claimed_spans as (
  select * from fct_device_overlap
)
select
  allocation_id,
  device_id,
  start_at_ms,
  end_at_ms,
  claimed_ppm
from claimed_spans
