-- The names under which an allocation claims samples, hour by hour inside the billed periods.
-- Grain: one allocation, period, claim name and hour
-- Key: allocation_id, period, claim, hour_ms
-- Inputs: fct_allocation, stg_job_pod, ref_period
-- Columns:
--   allocation_id varchar: allocation
--   period varchar: yyyy-mm
--   site_id varchar: site
--   claim varchar: pod:namespace/name, job:id or dev:id
--   hour_ms bigint [epoch ms UTC]: start of the hour
--   start_ms bigint [epoch ms UTC]: inclusive, inside hour, allocation and period
--   end_ms bigint [epoch ms UTC]: exclusive
-- Rules: an HPC job claims also by the names of the pods that run for it. A device that is named by its index is claimed as node/index; where the node is not one, the index claims nothing.
-- Source: SPEC 5
with
held as (
  select
    allocations.allocation_id,
    periods.period,
    allocations.site_id,
    allocations.namespace,
    allocations.pod,
    allocations.job_id,
    allocations.device_ids,
    allocations.node,
    greatest(allocations.start_at_ms, periods.start_ms) as start_ms,
    least(allocations.end_at_ms, periods.end_ms) as end_ms
  from fct_allocation as allocations
  inner join ref_period as periods
    on allocations.start_at_ms < periods.end_ms
    and allocations.end_at_ms > periods.start_ms
  union all
  select
    jobs.allocation_id,
    periods.period,
    jobs.site_id,
    pods.namespace,
    pods.pod,
    cast(null as varchar) as job_id,
    pods.device_ids,
    pods.node,
    greatest(greatest(jobs.start_at_ms, pods.start_at_ms), periods.start_ms) as start_ms,
    least(least(jobs.end_at_ms, coalesce(pods.end_at_ms, jobs.end_at_ms)), periods.end_ms) as end_ms
  from stg_job_pod as pods
  inner join fct_allocation as jobs
    on jobs.allocation_id = pods.job_allocation_id
  inner join ref_period as periods
    on greatest(jobs.start_at_ms, pods.start_at_ms) < periods.end_ms
    and least(jobs.end_at_ms, coalesce(pods.end_at_ms, jobs.end_at_ms)) > periods.start_ms
),
claims as (
  select allocation_id, period, site_id, start_ms, end_ms, 'pod:' || namespace || '/' || pod as claim from held where namespace is not null and pod is not null
  union
  select allocation_id, period, site_id, start_ms, end_ms, 'job:' || job_id as claim from held where job_id is not null
  union
  select held.allocation_id, held.period, held.site_id, held.start_ms, held.end_ms, 'dev:' || case
      when try_cast(trim(devices.device_id) as bigint) is null or held.node is null then trim(devices.device_id)
      when strpos(held.node, ',') = 0 and strpos(held.node, '[') = 0 then held.node || '/' || trim(devices.device_id)
    end as claim
  from held
  cross join unnest(split(held.device_ids, ',')) as devices (device_id)
  where held.device_ids is not null
)
select
  claims.allocation_id,
  claims.period,
  claims.site_id,
  claims.claim,
  hours.hour_ms,
  greatest(claims.start_ms, hours.hour_ms) as start_ms,
  least(claims.end_ms, hours.hour_ms + 3600000) as end_ms
from claims
cross join unnest(sequence(claims.start_ms - mod(claims.start_ms, 3600000), claims.end_ms - 1, 3600000)) as hours (hour_ms)
where claims.claim is not null
