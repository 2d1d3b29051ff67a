-- Spans for which a queueing system reserved quota for a workload.
-- Grain: one span of reservation
-- Key: reservation_id
-- Inputs: raw_scheduler_event
-- Columns:
--   reservation_id varchar: 32 hex digits of source, object and instant
--   native_id varchar: object uid and instant of the reservation
--   site_id varchar: site
--   namespace varchar: Kubernetes namespace
--   name varchar: name of the workload object, or of its pod group
--   workload_id varchar: workload_id of its pods
--   tenant_key varchar: namespace
--   queue varchar: queue as users name it
--   resource_name varchar: resource as requested
--   accelerator_model varchar: model, when the resource name says it
--   accelerator_count decimal(12,6) [accelerators]: reserved for all its pods
--   reserved_at_ms bigint [epoch ms UTC]: quota reserved
--   admitted_at_ms bigint [epoch ms UTC]: pods allowed to start; null when never, or not seen
--   ready_at_ms bigint [epoch ms UTC]: all pods ready; null when never, or not seen
--   released_at_ms bigint [epoch ms UTC]: quota given back; null while held
--   released_by varchar: quota_released, finished, deleted or reserved_again; null while held
--   fault varchar: preempted or node_lost when the provider took it back
--   last_seen_ms bigint [epoch ms UTC]: latest transition of the object
--   source varchar: source name
--   object_id varchar: object of the transition that opened it
--   line bigint: line of it
-- Rules: a transition seen again is one; quota is held until it is released, the workload finishes or is deleted; a second reservation without a release between closes the first.
-- Source: SPEC 4
with
transitions as (
  select
    raw_scheduler_event.*,
    row_number() over (partition by source, native_id order by fold_order, object_id, line) as occurrence
  from raw_scheduler_event
  where kind = 'workload'
),
marks as (
  select
    transitions.*,
    lead(observed_at_ms) over (
      partition by source, site_id, object_uid
      order by observed_at_ms, case event when 'quota_released' then 0 when 'quota_reserved' then 1 when 'finished' then 2 else 3 end
    ) as next_ms,
    lead(event) over (
      partition by source, site_id, object_uid
      order by observed_at_ms, case event when 'quota_released' then 0 when 'quota_reserved' then 1 when 'finished' then 2 else 3 end
    ) as next_event
  from transitions
  where occurrence = 1 and event in ('quota_reserved', 'quota_released', 'finished', 'deleted')
),
spans as (
  select * from marks where event = 'quota_reserved'
),
milestones as (
  select
    spans.source,
    spans.native_id,
    min(case when moments.event = 'admitted' then moments.observed_at_ms end) as admitted_at_ms,
    min(case when moments.event = 'pods_ready' then moments.observed_at_ms end) as ready_at_ms,
    min(moments.fault) as fault
  from spans
  inner join transitions as moments
    on moments.source = spans.source
    and moments.site_id = spans.site_id
    and moments.object_uid = spans.object_uid
    and moments.observed_at_ms >= spans.observed_at_ms
    and (spans.next_ms is null or moments.observed_at_ms <= spans.next_ms)
  where moments.occurrence = 1
  group by spans.source, spans.native_id
),
latest as (
  select source, site_id, object_uid, max(observed_at_ms) as last_seen_ms
  from transitions
  group by source, site_id, object_uid
)
select
  lower(to_hex(md5(to_utf8(spans.source || '|' || spans.object_uid || '|' || cast(spans.observed_at_ms as varchar))))) as reservation_id,
  spans.object_uid || '|' || cast(spans.observed_at_ms as varchar) as native_id,
  spans.site_id,
  spans.namespace,
  spans.name,
  spans.workload_id,
  spans.tenant_key,
  spans.queue,
  spans.resource_name,
  spans.accelerator_model,
  spans.accelerator_count,
  spans.observed_at_ms as reserved_at_ms,
  milestones.admitted_at_ms,
  milestones.ready_at_ms,
  spans.next_ms as released_at_ms,
  case when spans.next_event = 'quota_reserved' then 'reserved_again' else spans.next_event end as released_by,
  milestones.fault,
  latest.last_seen_ms,
  spans.source,
  spans.object_id,
  spans.line
from spans
inner join milestones
  on milestones.source = spans.source
  and milestones.native_id = spans.native_id
inner join latest
  on latest.source = spans.source
  and latest.site_id = spans.site_id
  and latest.object_uid = spans.object_uid
