-- Quota reserved for workloads, and how much of it their pods held.
-- Grain: one span of reservation
-- Key: reservation_id
-- Inputs: stg_reservation, stg_allocation, ref_period, ref_setting, ref_tenant_key
-- Columns:
--   reservation_id varchar: 32 hex digits
--   workload_id varchar: job or service
--   tenant_id varchar: who reserved; null when the key is mapped to nobody
--   tenant_key varchar: namespace
--   site_id varchar: site
--   queue varchar: queue as users name it
--   accelerator_count decimal(12,6) [accelerators]: reserved
--   reserved_at timestamp(3) [UTC]: quota reserved
--   released_at timestamp(3) [UTC]: quota given back; while held the end of the last period asked for
--   reserved_at_ms bigint [epoch ms UTC]: same as reserved_at
--   released_at_ms bigint [epoch ms UTC]: same as released_at
--   admitted_at_ms bigint [epoch ms UTC]: pods allowed to start; null when never, or not seen
--   released_by varchar: quota_released, finished, deleted or reserved_again; null while held
--   fault varchar: preempted or node_lost when the provider took it back
--   reserved_gpu_ms bigint [accelerator ms]: reserved
--   held_gpu_ms bigint [accelerator ms]: of which its allocations held
--   idle_gpu_ms bigint [accelerator ms]: reserved and not held, never below zero
--   is_billed_alone boolean: no pod of the namespace was logged, so that the reservation itself is the allocation
--   source varchar: source name
--   object_id varchar: object of the transition that opened it
--   line bigint: line of it
-- Rules: allocations are those of the same workload or pod group inside the span; idle is information, it is never charged.
-- Source: SPEC 4
with
horizon as (
  select max(end_ms) as end_ms from ref_period
),
settings as (
  select unmapped_as_is from ref_setting
),
reserved as (
  select
    reservations.*,
    greatest(reservations.reserved_at_ms, coalesce(reservations.released_at_ms, horizon.end_ms)) as until_ms
  from stg_reservation as reservations
  cross join horizon
),
held as (
  select
    reserved.reservation_id,
    bool_or(allocations.allocation_id = reserved.reservation_id) as is_alone,
    sum(cast(allocations.accelerator_count as decimal(38, 6)) * cast(greatest(
      least(coalesce(allocations.end_at_ms, horizon.end_ms), reserved.until_ms) - greatest(allocations.start_at_ms, reserved.reserved_at_ms), 0
    ) as decimal(38, 0))) as gpu_ms
  from reserved
  cross join horizon
  inner join stg_allocation as allocations
    on allocations.site_id = reserved.site_id
    and allocations.namespace = reserved.namespace
    and (allocations.workload_id = reserved.workload_id or allocations.gang = reserved.name)
    and allocations.start_at_ms < reserved.until_ms
    and coalesce(allocations.end_at_ms, horizon.end_ms) > reserved.reserved_at_ms
  group by reserved.reservation_id
)
select
  reserved.reservation_id,
  reserved.workload_id,
  coalesce(tenant_keys.tenant_id, case when settings.unmapped_as_is then reserved.tenant_key end) as tenant_id,
  reserved.tenant_key,
  reserved.site_id,
  reserved.queue,
  reserved.accelerator_count,
  cast(from_unixtime_nanos(reserved.reserved_at_ms * 1000000) as timestamp(3)) as reserved_at,
  cast(from_unixtime_nanos(reserved.until_ms * 1000000) as timestamp(3)) as released_at,
  reserved.reserved_at_ms,
  reserved.until_ms as released_at_ms,
  reserved.admitted_at_ms,
  reserved.released_by,
  reserved.fault,
  cast(round(cast(reserved.accelerator_count as decimal(38, 6)) * cast(reserved.until_ms - reserved.reserved_at_ms as decimal(38, 0)), 0) as bigint) as reserved_gpu_ms,
  cast(round(coalesce(held.gpu_ms, cast(0 as decimal(38, 6))), 0) as bigint) as held_gpu_ms,
  cast(round(greatest(
    cast(reserved.accelerator_count as decimal(38, 6)) * cast(reserved.until_ms - reserved.reserved_at_ms as decimal(38, 0)) - coalesce(held.gpu_ms, cast(0 as decimal(38, 6))),
    cast(0 as decimal(38, 6))
  ), 0) as bigint) as idle_gpu_ms,
  coalesce(held.is_alone, false) as is_billed_alone,
  reserved.source,
  reserved.object_id,
  reserved.line
from reserved
cross join settings
left join held
  on held.reservation_id = reserved.reservation_id
left join ref_tenant_key as tenant_keys
  on tenant_keys.tenant_key = reserved.tenant_key
  and reserved.reserved_at_ms >= tenant_keys.from_ms
  and reserved.reserved_at_ms < tenant_keys.to_ms
