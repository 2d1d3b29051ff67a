-- Allocations with tenant, catalog model and GPU time.
-- Grain: one allocation, whole
-- Key: allocation_id
-- Inputs: stg_allocation, fct_device_overlap, ref_tenant_key, ref_setting, ref_accelerator_alias, ref_capacity, ref_period
-- Columns:
--   allocation_id varchar: natural key, 32 hex digits
--   workload_id varchar: job or service
--   tenant_id varchar: who is billed; null when the key is mapped to nobody
--   tenant_key varchar: namespace, account or mapped key
--   site_id varchar: site
--   accelerator_model varchar: catalog model; the source's own word when the catalog does not know it; null when nothing tells
--   accelerator_count decimal(12,6) [accelerators]: held accelerators, a fraction for a share of one
--   start_at timestamp(3) [UTC]: devices bound
--   end_at timestamp(3) [UTC]: devices released; for an open allocation the end of the last period asked for
--   end_kind varchar: observed, inferred or open
--   start_at_ms bigint [epoch ms UTC]: same as start_at
--   end_at_ms bigint [epoch ms UTC]: same as end_at
--   running_at_ms bigint [epoch ms UTC]: all containers started
--   gpu_ms bigint [accelerator ms]: held time × accelerators, less what a shared device gave to its other owners
--   node varchar: node, or nodes
--   namespace varchar: Kubernetes namespace
--   pod varchar: Kubernetes pod
--   job_id varchar: HPC job id
--   queue varchar: queue or partition
--   gang varchar: pod group
--   labels varchar: sorted key=value pairs
--   device_ids varchar: held devices
--   state varchar: the source's last state word
--   fault varchar: node_lost or preempted
--   hfu decimal(18,9) [ratio 0–1]: job average stated by the source
--   mfu decimal(18,9) [ratio 0–1]: job average stated by the source
--   gpu_util decimal(18,9) [ratio 0–1]: job average of the busy-time proxy
--   source varchar: source name
--   native_id varchar: the source's own key
--   object_id varchar: object of the deciding observation
--   line bigint: line of it
-- Rules: model = what the source states, by alias; else the node's; else the only model of the site. gpu_ms rounds once, so cutting cannot change its sum.
-- Source: SPEC 4
with
horizon as (
  select max(end_ms) as end_ms from ref_period
),
settings as (
  select unmapped_as_is from ref_setting
),
held as (
  select
    allocations.*,
    case
      when allocations.start_at_ms is null then null
      else greatest(allocations.start_at_ms, coalesce(allocations.end_at_ms, horizon.end_ms))
    end as held_until_ms
  from stg_allocation as allocations
  cross join horizon
),
losses as (
  select
    allocation_id,
    cast(sum(div_half_up(
      cast(share_ppm as decimal(38, 0)) * cast(end_at_ms - start_at_ms as decimal(38, 0)) * cast(claimed_ppm - 1000000 as decimal(38, 0)),
      cast(claimed_ppm as decimal(38, 0)) * cast(1000000 as decimal(38, 0))
    )) as bigint) as lost_gpu_ms
  from fct_device_overlap
  group by allocation_id
),
node_models as (
  select held.allocation_id, min(nodes.accelerator_model) as accelerator_model
  from held
  inner join ref_capacity as nodes
    on nodes.site_id = held.site_id
    and nodes.node = held.node
    and held.start_at_ms >= nodes.from_ms
    and held.start_at_ms < nodes.to_ms
  group by held.allocation_id
  having count(distinct nodes.accelerator_model) = 1
),
site_models as (
  select site_id, min(accelerator_model) as accelerator_model
  from ref_capacity
  group by site_id
  having count(distinct accelerator_model) = 1
)
select
  held.allocation_id,
  held.workload_id,
  coalesce(tenant_keys.tenant_id, case when settings.unmapped_as_is then held.tenant_key end) as tenant_id,
  held.tenant_key,
  held.site_id,
  coalesce(aliases.accelerator_model, lower(held.accelerator_model), node_models.accelerator_model, site_models.accelerator_model) as accelerator_model,
  held.accelerator_count,
  cast(from_unixtime_nanos(held.start_at_ms * 1000000) as timestamp(3)) as start_at,
  cast(from_unixtime_nanos(held.held_until_ms * 1000000) as timestamp(3)) as end_at,
  held.end_kind,
  held.start_at_ms,
  held.held_until_ms as end_at_ms,
  held.running_at_ms,
  coalesce(cast(round(cast(held.accelerator_count as decimal(38, 6)) * cast(held.held_until_ms - held.start_at_ms as decimal(38, 0)), 0) as bigint), 0)
    - coalesce(losses.lost_gpu_ms, 0) as gpu_ms,
  held.node,
  held.namespace,
  held.pod,
  held.job_id,
  held.queue,
  held.gang,
  held.labels,
  held.device_ids,
  held.state,
  held.fault,
  held.hfu,
  held.mfu,
  held.gpu_util,
  held.source,
  held.native_id,
  held.object_id,
  held.line
from held
cross join settings
left join losses
  on losses.allocation_id = held.allocation_id
left join ref_tenant_key as tenant_keys
  on tenant_keys.tenant_key = held.tenant_key
  and held.start_at_ms >= tenant_keys.from_ms
  and held.start_at_ms < tenant_keys.to_ms
left join ref_accelerator_alias as aliases
  on aliases.alias = lower(trim(held.accelerator_model))
left join node_models
  on node_models.allocation_id = held.allocation_id
left join site_models
  on site_models.site_id = held.site_id
