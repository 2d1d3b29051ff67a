-- Allocations assembled from everything that was seen of them, before it is decided which of them are billed.
-- Grain: one allocation
-- Key: allocation_id
-- Inputs: stg_observation, raw_allocation_event, raw_pod_device
-- Columns:
--   allocation_id varchar: natural key, 32 hex digits
--   native_id varchar: the source's own key
--   workload_id varchar: job or service
--   tenant_key varchar: namespace, account or mapped key
--   site_id varchar: site
--   node varchar: node, or nodes
--   namespace varchar: Kubernetes namespace
--   pod varchar: Kubernetes pod
--   pod_uid varchar: Kubernetes pod uid; null for what is no pod
--   job_id varchar: HPC job id as metric labels show it
--   queue varchar: queue or partition
--   gang varchar: pod group
--   labels varchar: sorted key=value pairs
--   resource_name varchar: resource as requested
--   accelerator_model varchar: model as the source states it
--   accelerator_count decimal(12,6) [accelerators]: held accelerators; null when nobody told
--   device_ids varchar: held devices, joined by commas
--   start_at_ms bigint [epoch ms UTC]: devices bound
--   running_at_ms bigint [epoch ms UTC]: all containers started
--   end_at_ms bigint [epoch ms UTC]: devices released; null while held
--   end_kind varchar: observed, inferred or open
--   state varchar: the last state word of what decided the end
--   fault varchar: node_lost or preempted
--   hfu decimal(18,9) [ratio 0–1]: job average stated by the source
--   mfu decimal(18,9) [ratio 0–1]: job average stated by the source
--   gpu_util decimal(18,9) [ratio 0–1]: job average of the busy-time proxy
--   last_seen_ms bigint [epoch ms UTC]: latest observation
--   observations bigint: stored rows behind this allocation
--   source varchar: source of the observation that decided
--   object_id varchar: object of it
--   line bigint: line of it
-- Rules: whole objects speak before the scheduler, the scheduler before fragments; the earliest bound instant of objects and fragments starts it, else the scheduler's; an observed end beats an inferred one, then the more whole observation, then the first committed; while open the latest observation speaks. An end that names a pod without its uid ends the pod that had the name then. What a whole object leaves out, the others fill in, but never the payer. Devices are the pod object's, else the kubelet's.
-- Source: SPEC 4
with
ranked as (
  select
    stg_observation.*,
    row_number() over (
      partition by allocation_id
      order by
        authority,
        case when end_kind = 'observed' then 0 when end_kind = 'inferred' then 1 else 2 end,
        case when end_kind is null then -observed_at_ms else 0 end,
        fold_order,
        object_id,
        line
    ) as speaks
  from stg_observation
),
endings as (
  select
    allocation_id,
    end_at_ms,
    end_kind,
    state,
    row_number() over (
      partition by allocation_id
      order by case when end_kind = 'observed' then 0 else 1 end, authority, fold_order, object_id, line
    ) as preference
  from stg_observation
  where end_at_ms is not null
),
spans as (
  select
    allocation_id,
    coalesce(min(case when authority <> 1 then start_at_ms end), min(start_at_ms)) as start_at_ms,
    min(running_at_ms) as running_at_ms,
    max(device_ids) as device_ids,
    max(node) as node,
    max(case when authority > 0 then namespace end) as namespace,
    max(case when authority > 0 then pod end) as pod,
    max(case when authority > 0 then job_id end) as job_id,
    max(case when authority > 0 then queue end) as queue,
    max(case when authority > 0 then gang end) as gang,
    max(case when authority > 0 then tenant_key end) as tenant_key,
    max(fault) as fault,
    max(observed_at_ms) as last_seen_ms,
    count(*) as observations
  from stg_observation
  group by allocation_id
),
assembled as (
  select
    speakers.*,
    spans.start_at_ms as bound_at_ms,
    spans.running_at_ms as all_running_at_ms,
    spans.device_ids as any_device_ids,
    coalesce(speakers.node, spans.node) as any_node,
    coalesce(speakers.namespace, spans.namespace) as any_namespace,
    coalesce(speakers.pod, spans.pod) as any_pod,
    coalesce(speakers.job_id, spans.job_id) as any_job_id,
    case when speakers.authority = 0 then speakers.tenant_key else coalesce(speakers.tenant_key, spans.tenant_key) end as any_tenant_key,
    coalesce(speakers.queue, spans.queue) as any_queue,
    coalesce(speakers.gang, spans.gang) as any_gang,
    spans.fault as any_fault,
    spans.last_seen_ms,
    spans.observations,
    endings.end_at_ms as ended_at_ms,
    endings.end_kind as ended_how,
    case when endings.end_at_ms is null then speakers.state else coalesce(endings.state, speakers.state) end as any_state
  from ranked as speakers
  inner join spans
    on spans.allocation_id = speakers.allocation_id
  left join endings
    on endings.allocation_id = speakers.allocation_id
    and endings.preference = 1
  where speakers.speaks = 1
),
named_ends as (
  select site_id, namespace, pod, end_at_ms, end_kind
  from raw_allocation_event
  where pod_uid is null and accelerator_count is null and end_at_ms is not null
),
named_pods as (
  select
    allocation_id,
    site_id,
    any_namespace as namespace,
    any_pod as pod,
    bound_at_ms,
    lead(bound_at_ms) over (partition by site_id, any_namespace, any_pod order by bound_at_ms) as next_bound_at_ms
  from assembled
  where pod_uid is not null and bound_at_ms is not null
),
found_ends as (
  select
    named_pods.allocation_id,
    min(case when named_ends.end_kind = 'observed' then named_ends.end_at_ms end) as observed_at_ms,
    min(named_ends.end_at_ms) as any_at_ms
  from named_pods
  inner join named_ends
    on named_ends.site_id = named_pods.site_id
    and named_ends.namespace = named_pods.namespace
    and named_ends.pod = named_pods.pod
    and named_ends.end_at_ms >= named_pods.bound_at_ms
    and (named_pods.next_bound_at_ms is null or named_ends.end_at_ms <= named_pods.next_bound_at_ms)
  group by named_pods.allocation_id
),
ended as (
  select
    assembled.*,
    case
      when assembled.ended_how = 'observed' then assembled.ended_at_ms
      else coalesce(found_ends.observed_at_ms, assembled.ended_at_ms, found_ends.any_at_ms)
    end as released_at_ms,
    case
      when assembled.ended_how = 'observed' or found_ends.observed_at_ms is not null then 'observed'
      when assembled.ended_how is not null or found_ends.any_at_ms is not null then 'inferred'
      else 'open'
    end as released_how
  from assembled
  left join found_ends
    on found_ends.allocation_id = assembled.allocation_id
),
devices as (
  select ended.allocation_id, kubelet.device_id
  from ended
  inner join raw_pod_device as kubelet
    on kubelet.pod_uid = ended.pod_uid
  union
  select ended.allocation_id, kubelet.device_id
  from ended
  inner join raw_pod_device as kubelet
    on kubelet.site_id = ended.site_id
    and kubelet.namespace = ended.any_namespace
    and kubelet.pod = ended.any_pod
    and kubelet.observed_at_ms >= ended.bound_at_ms
    and (ended.released_at_ms is null or kubelet.observed_at_ms < ended.released_at_ms)
  where kubelet.pod_uid is null and ended.pod_uid is not null
),
device_lists as (
  select allocation_id, array_join(array_sort(array_agg(device_id)), ',') as device_ids
  from devices
  group by allocation_id
)
select
  ended.allocation_id,
  ended.native_id,
  ended.workload_id,
  ended.any_tenant_key as tenant_key,
  ended.site_id,
  ended.any_node as node,
  ended.any_namespace as namespace,
  ended.any_pod as pod,
  ended.pod_uid,
  ended.any_job_id as job_id,
  ended.any_queue as queue,
  ended.any_gang as gang,
  ended.labels,
  ended.resource_name,
  ended.accelerator_model,
  ended.accelerator_count,
  coalesce(ended.device_ids, ended.any_device_ids, device_lists.device_ids) as device_ids,
  ended.bound_at_ms as start_at_ms,
  ended.all_running_at_ms as running_at_ms,
  ended.released_at_ms as end_at_ms,
  ended.released_how as end_kind,
  ended.any_state as state,
  ended.any_fault as fault,
  ended.hfu,
  ended.mfu,
  ended.gpu_util,
  ended.last_seen_ms,
  ended.observations,
  ended.source,
  ended.object_id,
  ended.line
from ended
left join device_lists
  on device_lists.allocation_id = ended.allocation_id
