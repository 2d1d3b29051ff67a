-- Allocations that are billed: each held accelerator once, whoever told of it.
-- Grain: one allocation
-- Key: allocation_id
-- Inputs: stg_allocation_seen, stg_job_pod, stg_reservation, raw_scheduler_event
-- Columns:
--   allocation_id varchar: natural key, 32 hex digits
--   native_id varchar: the source's own key
--   workload_id varchar: job or service
--   tenant_key varchar: namespace, account or mapped key
--   site_id varchar: site
--   node varchar: node, or nodes
--   namespace varchar: Kubernetes namespace
--   pod varchar: Kubernetes pod
--   job_id varchar: HPC job id as metric labels show it
--   queue varchar: queue or partition
--   gang varchar: pod group
--   labels varchar: sorted key=value pairs
--   resource_name varchar: resource as requested
--   accelerator_model varchar: model as the source states it
--   accelerator_count decimal(12,6) [accelerators]: held accelerators
--   device_ids varchar: held devices, joined by commas
--   start_at_ms bigint [epoch ms UTC]: devices bound
--   running_at_ms bigint [epoch ms UTC]: all containers started
--   end_at_ms bigint [epoch ms UTC]: devices released; null while held
--   end_kind varchar: observed, inferred or open
--   state varchar: the source's last state word
--   fault varchar: node_lost or preempted
--   hfu decimal(18,9) [ratio 0–1]: job average stated by the source
--   mfu decimal(18,9) [ratio 0–1]: job average stated by the source
--   gpu_util decimal(18,9) [ratio 0–1]: job average of the busy-time proxy
--   last_seen_ms bigint [epoch ms UTC]: latest observation
--   observations bigint: stored rows behind this allocation
--   source varchar: source name
--   object_id varchar: object of the observation that decided
--   line bigint: line of it
-- Rules: pods win: schedulers only add queue, gang and the provider's fault to them. A pod that runs for an HPC job which is an allocation itself is not one more. A reservation is an allocation from its admission only where no pod of its namespace was seen while it lasted. An allocation whose size nobody told is none. YuniKorn alone names no namespace: then the queue pays.
-- Source: SPEC 4
with
owned as (
  select seen.*
  from stg_allocation_seen as seen
  left join stg_job_pod as job_pods
    on job_pods.pod_allocation_id = seen.allocation_id
  where seen.accelerator_count is not null
    and job_pods.pod_allocation_id is null
),
by_workload as (
  select
    site_id,
    workload_id,
    max_by(queue, fold_order * 10000000000 + line) filter (where queue is not null) as queue,
    max_by(gang, fold_order * 10000000000 + line) filter (where gang is not null) as gang
  from raw_scheduler_event
  where workload_id is not null and kind <> 'allocation'
  group by site_id, workload_id
),
by_gang as (
  select
    site_id,
    namespace,
    gang,
    max_by(queue, fold_order * 10000000000 + line) filter (where queue is not null) as queue
  from raw_scheduler_event
  where gang is not null
  group by site_id, namespace, gang
),
taken as (
  select owned.allocation_id, min(events.fault) as fault
  from owned
  inner join raw_scheduler_event as events
    on events.site_id = owned.site_id
    and events.workload_id = owned.workload_id
    and events.observed_at_ms >= owned.start_at_ms
    and events.observed_at_ms <= owned.end_at_ms
  where events.kind = 'workload' and events.fault is not null
  group by owned.allocation_id
),
logged as (
  select distinct reservations.reservation_id
  from stg_reservation as reservations
  inner join stg_allocation_seen as pods
    on pods.site_id = reservations.site_id
    and coalesce(pods.namespace, reservations.namespace) = reservations.namespace
    and (reservations.released_at_ms is null or pods.start_at_ms < reservations.released_at_ms)
    and (pods.end_at_ms is null or pods.end_at_ms > reservations.reserved_at_ms)
  where pods.pod_uid is not null and pods.start_at_ms is not null
)
select
  owned.allocation_id,
  owned.native_id,
  owned.workload_id,
  case when owned.source = 'yunikorn' then coalesce(owned.tenant_key, owned.queue, by_workload.queue) else owned.tenant_key end as tenant_key,
  owned.site_id,
  owned.node,
  owned.namespace,
  owned.pod,
  owned.job_id,
  coalesce(owned.queue, by_gang.queue, by_workload.queue) as queue,
  coalesce(owned.gang, by_workload.gang) as gang,
  owned.labels,
  owned.resource_name,
  owned.accelerator_model,
  owned.accelerator_count,
  owned.device_ids,
  owned.start_at_ms,
  owned.running_at_ms,
  owned.end_at_ms,
  owned.end_kind,
  owned.state,
  coalesce(owned.fault, taken.fault) as fault,
  owned.hfu,
  owned.mfu,
  owned.gpu_util,
  owned.last_seen_ms,
  owned.observations,
  owned.source,
  owned.object_id,
  owned.line
from owned
left join by_workload
  on by_workload.site_id = owned.site_id
  and by_workload.workload_id = owned.workload_id
left join by_gang
  on by_gang.site_id = owned.site_id
  and by_gang.namespace = owned.namespace
  and by_gang.gang = owned.gang
left join taken
  on taken.allocation_id = owned.allocation_id
union all
select
  reservations.reservation_id as allocation_id,
  reservations.native_id,
  reservations.workload_id,
  reservations.tenant_key,
  reservations.site_id,
  cast(null as varchar) as node,
  reservations.namespace,
  cast(null as varchar) as pod,
  cast(null as varchar) as job_id,
  reservations.queue,
  cast(null as varchar) as gang,
  cast(null as varchar) as labels,
  reservations.resource_name,
  reservations.accelerator_model,
  reservations.accelerator_count,
  cast(null as varchar) as device_ids,
  coalesce(reservations.admitted_at_ms, reservations.reserved_at_ms) as start_at_ms,
  coalesce(reservations.ready_at_ms, reservations.admitted_at_ms, reservations.reserved_at_ms) as running_at_ms,
  reservations.released_at_ms as end_at_ms,
  case when reservations.released_at_ms is null then 'open' else 'observed' end as end_kind,
  coalesce(reservations.released_by, 'reserved') as state,
  reservations.fault,
  cast(null as decimal(18, 9)) as hfu,
  cast(null as decimal(18, 9)) as mfu,
  cast(null as decimal(18, 9)) as gpu_util,
  reservations.last_seen_ms,
  cast(1 as bigint) as observations,
  reservations.source,
  reservations.object_id,
  reservations.line
from stg_reservation as reservations
left join logged
  on logged.reservation_id = reservations.reservation_id
where logged.reservation_id is null
