-- HPC jobs that became two allocations, because two exports name their cluster differently.
-- Kind: finding
-- Grain: one job and start
-- Key: site_id, source, job_id, start_at_ms
-- Inputs: stg_allocation_seen
-- Columns:
--   site_id varchar: site
--   source varchar: source name
--   job_id varchar: HPC job id
--   start_at_ms bigint: when it started
--   allocations bigint: how many it became
-- Rules: one site has one job of an id that starts at an instant; give the option `cluster` to the export that lacks the column.
-- Source: SPEC 3
select
  site_id,
  source,
  job_id,
  start_at_ms,
  count(*) as allocations
from stg_allocation_seen
where pod_uid is null and job_id is not null and start_at_ms is not null
group by site_id, source, job_id, start_at_ms
having count(*) > 1
