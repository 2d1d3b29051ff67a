-- Allocations assembled from everything that was seen of them.
-- Grain: one allocation
-- Key: source, native_id
-- Inputs: raw_allocation_event
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
-- Rules: the earliest bound instant starts it; an observed end beats an inferred one; among observed ends the first committed wins; while open the latest observation speaks.
-- Source: SPEC 4
with
observations as (
  select
    raw_allocation_event.*,
    row_number() over (
      partition by source, native_id
      order by
        case when end_kind = 'observed' then 0 when end_kind = 'inferred' then 1 else 2 end,
        case when end_kind is null then -observed_at_ms else 0 end,
        fold_order,
        object_id,
        line
    ) as speaks
  from raw_allocation_event
),
spans as (
  select
    source,
    native_id,
    min(start_at_ms) as start_at_ms,
    min(running_at_ms) as running_at_ms,
    max(device_ids) as device_ids,
    max(node) as node,
    max(fault) as fault,
    max(observed_at_ms) as last_seen_ms,
    count(*) as observations
  from observations
  group by source, native_id
)
select
  lower(to_hex(md5(to_utf8(observations.source || '|' || observations.native_id)))) as allocation_id,
  observations.native_id,
  observations.workload_id,
  observations.tenant_key,
  observations.site_id,
  coalesce(observations.node, spans.node) as node,
  observations.namespace,
  observations.pod,
  observations.job_id,
  observations.queue,
  observations.gang,
  observations.labels,
  observations.resource_name,
  observations.accelerator_model,
  observations.accelerator_count,
  coalesce(observations.device_ids, spans.device_ids) as device_ids,
  spans.start_at_ms,
  spans.running_at_ms,
  observations.end_at_ms,
  coalesce(observations.end_kind, 'open') as end_kind,
  observations.state,
  spans.fault,
  observations.hfu,
  observations.mfu,
  observations.gpu_util,
  spans.last_seen_ms,
  spans.observations,
  observations.source,
  observations.object_id,
  observations.line
from observations
inner join spans
  on spans.source = observations.source
  and spans.native_id = observations.native_id
where observations.speaks = 1
