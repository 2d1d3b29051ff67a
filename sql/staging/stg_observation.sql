-- Everything that was seen of an allocation, from every source, under the allocation's own id.
-- Grain: one observation
-- Key: source, object_id, line, observed_at_ms
-- Inputs: raw_allocation_event, raw_scheduler_event
-- Columns:
--   allocation_id varchar: natural key, 32 hex digits
--   authority bigint: 0 whole object, 1 scheduler, 2 tells only when or where
--   native_id varchar: the source's own key
--   observed_at_ms bigint [epoch ms UTC]: instant this observation speaks for
--   workload_id varchar: job or service
--   tenant_key varchar: namespace, account or mapped key
--   site_id varchar: site
--   node varchar: node, or nodes
--   namespace varchar: Kubernetes namespace
--   pod varchar: Kubernetes pod
--   pod_uid varchar: Kubernetes pod uid
--   job_id varchar: HPC job id as metric labels show it
--   queue varchar: queue or partition
--   gang varchar: pod group
--   labels varchar: sorted key=value pairs
--   resource_name varchar: resource as requested
--   accelerator_model varchar: model as the source states it
--   accelerator_count decimal(12,6) [accelerators]: held accelerators; null when this observation does not tell
--   device_ids varchar: held devices, joined by commas
--   start_at_ms bigint [epoch ms UTC]: devices bound
--   running_at_ms bigint [epoch ms UTC]: all containers started
--   end_at_ms bigint [epoch ms UTC]: devices released; null while held
--   end_kind varchar: observed or inferred
--   state varchar: the source's state word
--   fault varchar: node_lost or preempted
--   hfu decimal(18,9) [ratio 0–1]: job average stated by the source
--   mfu decimal(18,9) [ratio 0–1]: job average stated by the source
--   gpu_util decimal(18,9) [ratio 0–1]: job average of the busy-time proxy
--   source varchar: source name
--   object_id varchar: landed object
--   line bigint: line in the object
--   fold_order bigint: place of the object in the warehouse's history
-- Rules: a pod is one allocation under its uid, whichever source saw it (pod objects, audit log, YuniKorn); everything else is keyed by source and the source's own key.
-- Source: SPEC 3, 4
with
described as (
  select
    case when pod_uid is null then source || '|' || native_id else 'kubernetes-pods|' || pod_uid end as identity,
    cast(case when accelerator_count is null then 2 else 0 end as bigint) as authority,
    native_id, observed_at_ms, workload_id, tenant_key, site_id, node, namespace, pod, pod_uid, job_id, queue, gang, labels, resource_name,
    accelerator_model, accelerator_count, device_ids, start_at_ms, running_at_ms, end_at_ms, end_kind, state, fault, hfu, mfu, gpu_util,
    source, object_id, line, fold_order
  from raw_allocation_event
  where pod_uid is not null or accelerator_count is not null
  union all
  select
    'kubernetes-pods|' || object_uid as identity,
    cast(case when event = 'on_node' then 2 else 1 end as bigint) as authority,
    object_uid as native_id, observed_at_ms, workload_id, tenant_key, site_id, node, namespace, pod, object_uid as pod_uid,
    cast(null as varchar) as job_id, queue, gang, cast(null as varchar) as labels, resource_name, accelerator_model,
    case when event <> 'on_node' then accelerator_count end as accelerator_count,
    cast(null as varchar) as device_ids,
    case when event = 'allocated' then observed_at_ms end as start_at_ms,
    cast(null as bigint) as running_at_ms,
    case when event = 'released' then observed_at_ms end as end_at_ms,
    case when event = 'released' then 'observed' end as end_kind,
    coalesce(reason, event) as state,
    fault,
    cast(null as decimal(18, 9)) as hfu,
    cast(null as decimal(18, 9)) as mfu,
    cast(null as decimal(18, 9)) as gpu_util,
    source, object_id, line, fold_order
  from raw_scheduler_event
  where kind = 'allocation'
)
select
  lower(to_hex(md5(to_utf8(identity)))) as allocation_id,
  authority,
  native_id,
  observed_at_ms,
  workload_id,
  tenant_key,
  site_id,
  node,
  namespace,
  pod,
  pod_uid,
  job_id,
  queue,
  gang,
  labels,
  resource_name,
  accelerator_model,
  accelerator_count,
  device_ids,
  start_at_ms,
  running_at_ms,
  end_at_ms,
  end_kind,
  state,
  fault,
  hfu,
  mfu,
  gpu_util,
  source,
  object_id,
  line,
  fold_order
from described
