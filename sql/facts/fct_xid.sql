-- Readings that show an Xid code which the accelerator did not show before.
-- Grain: one accelerator, claim name, hour and reading
-- Key: site_id, node, device_id, claim, hour_ms, sampled_at_ms
-- Inputs: raw_gpu_sample
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
with
faulty as (
  select distinct site_id, node, device_id from raw_gpu_sample where xid > 0
),
merged as (
  select
    samples.sampled_at_ms,
    samples.site_id,
    samples.node,
    samples.device_id,
    samples.namespace,
    samples.pod,
    samples.job_id,
    min_by(samples.xid, samples.fold_order * 10000000000 + samples.line) filter (where samples.xid is not null) as xid
  from raw_gpu_sample as samples
  inner join faulty
    on faulty.site_id = samples.site_id
    and faulty.node = samples.node
    and faulty.device_id = samples.device_id
  where samples.tensor_active is not null or samples.gpu_util is not null or samples.xid is not null
  group by samples.sampled_at_ms, samples.site_id, samples.node, samples.device_id, samples.namespace, samples.pod, samples.job_id
),
followed as (
  select
    merged.*,
    lag(xid) over (partition by site_id, node, device_id order by sampled_at_ms) as xid_before
  from merged
),
changed as (
  select followed.*, sampled_at_ms - mod(sampled_at_ms, 3600000) as hour_ms
  from followed
  where xid > 0 and coalesce(xid_before, 0) <> xid
)
select site_id, node, device_id, 'pod:' || namespace || '/' || pod as claim, hour_ms, sampled_at_ms, xid
from changed
where namespace is not null and pod is not null
union all
select site_id, node, device_id, 'job:' || job_id as claim, hour_ms, sampled_at_ms, xid
from changed
where job_id is not null
union all
select site_id, node, device_id, 'dev:' || device_id as claim, hour_ms, sampled_at_ms, xid
from changed
union all
select site_id, node, device_id, 'dev:' || node || '/' || device_id as claim, hour_ms, sampled_at_ms, xid
from changed
