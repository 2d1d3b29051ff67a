-- Pods that run for an HPC job which is an allocation itself: they hold what the job holds.
-- Grain: one pod
-- Key: pod_allocation_id
-- Inputs: stg_allocation_seen
-- Columns:
--   pod_allocation_id varchar: allocation of the pod
--   job_allocation_id varchar: allocation of the job
--   site_id varchar: site
--   job_id varchar: HPC job id
--   namespace varchar: Kubernetes namespace
--   pod varchar: Kubernetes pod
--   node varchar: node of the pod
--   device_ids varchar: devices of the pod
--   start_at_ms bigint [epoch ms UTC]: pod bound
--   end_at_ms bigint [epoch ms UTC]: pod ended; null while it holds its devices
--   accelerator_count decimal(12,6) [accelerators]: accelerators of the pod
-- Rules: a pod belongs to the job of its site whose id its label names and that held its devices when the pod was bound or later; job ids come again, so of several the one that started last before the pod ended.
-- Source: SPEC 4
with
jobs as (
  select * from stg_allocation_seen where pod_uid is null and job_id is not null and start_at_ms is not null
),
pods as (
  select * from stg_allocation_seen where pod_uid is not null and job_id is not null and start_at_ms is not null
),
matched as (
  select
    pods.allocation_id as pod_allocation_id,
    jobs.allocation_id as job_allocation_id,
    row_number() over (partition by pods.allocation_id order by jobs.start_at_ms desc, jobs.allocation_id) as preference
  from pods
  inner join jobs
    on jobs.site_id = pods.site_id
    and jobs.job_id = pods.job_id
    and (jobs.end_at_ms is null or jobs.end_at_ms > pods.start_at_ms)
    and (pods.end_at_ms is null or pods.end_at_ms > jobs.start_at_ms)
)
select
  matched.pod_allocation_id,
  matched.job_allocation_id,
  pods.site_id,
  pods.job_id,
  pods.namespace,
  pods.pod,
  pods.node,
  pods.device_ids,
  pods.start_at_ms,
  pods.end_at_ms,
  pods.accelerator_count
from matched
inner join pods
  on pods.allocation_id = matched.pod_allocation_id
where matched.preference = 1
