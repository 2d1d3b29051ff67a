-- Readings that show an Xid code which the accelerator did not show before.
-- Grain: one accelerator, claim name, hour and reading
-- Key: site_id, node, device_id, claim, hour_ms, sampled_at_ms
-- Inputs: fct_sample_slice
-- Columns:
--   site_id varchar: site
--   node varchar: host
--   device_id varchar: accelerator
--   claim varchar: pod:namespace/name, job:id or dev:id
--   hour_ms bigint [epoch ms UTC]: start of the hour
--   sampled_at_ms bigint [epoch ms UTC]: the reading
--   xid bigint: its code
-- Rules: the exporter shows the last code until there is another, so only a change tells of a fault.
-- Source: SPEC 4
select
  site_id,
  node,
  device_id,
  claim,
  hour_ms,
  sampled_at_ms,
  xid
from fct_sample_slice
where xid > 0
  and coalesce(xid_before, 0) <> xid
