-- Spans in which the owners of one accelerator claim more than the whole of it.
-- Grain: one allocation, device and span
-- Key: allocation_id, device_id, start_at_ms
-- Inputs: stg_allocation, ref_period
-- Columns:
--   allocation_id varchar: owner
--   site_id varchar: site
--   device_id varchar: shared accelerator; node/index where the source names it by its index
--   start_at_ms bigint [epoch ms UTC]: inclusive
--   end_at_ms bigint [epoch ms UTC]: exclusive
--   share_ppm bigint [millionths of an accelerator]: what this owner claims
--   claimed_ppm bigint [millionths of an accelerator]: what all owners claim, above 1,000,000
-- Rules: an index is a device of its node; where the node is not one, it names no device and is left out. The accelerator is split by declared share, so an owner loses share × (claimed − 1) ÷ claimed of the span; every row is also a finding to report.
-- Source: SPEC 4
with
horizon as (
  select max(end_ms) as end_ms from ref_period
),
holds as (
  select
    allocations.allocation_id,
    allocations.site_id,
    case
      when try_cast(trim(devices.device_id) as bigint) is null or allocations.node is null then trim(devices.device_id)
      when strpos(allocations.node, ',') = 0 and strpos(allocations.node, '[') = 0 then allocations.node || '/' || trim(devices.device_id)
    end as device_id,
    allocations.start_at_ms,
    coalesce(allocations.end_at_ms, horizon.end_ms) as end_at_ms,
    cast(div_half_up(cast(allocations.accelerator_count * 1000000 as decimal(38, 0)), cast(cardinality(split(allocations.device_ids, ',')) as decimal(38, 0))) as bigint) as share_ppm
  from stg_allocation as allocations
  cross join horizon
  cross join unnest(split(allocations.device_ids, ',')) as devices (device_id)
  where allocations.device_ids is not null
    and allocations.start_at_ms is not null
    and coalesce(allocations.end_at_ms, horizon.end_ms) > allocations.start_at_ms
),
edges as (
  select site_id, device_id, start_at_ms as edge_ms from holds where device_id is not null
  union
  select site_id, device_id, end_at_ms as edge_ms from holds where device_id is not null
),
spans as (
  select
    site_id,
    device_id,
    edge_ms as start_at_ms,
    lead(edge_ms) over (partition by site_id, device_id order by edge_ms) as end_at_ms
  from edges
),
owners as (
  select
    holds.allocation_id,
    spans.site_id,
    spans.device_id,
    spans.start_at_ms,
    spans.end_at_ms,
    holds.share_ppm,
    cast(sum(holds.share_ppm) over (partition by spans.site_id, spans.device_id, spans.start_at_ms) as bigint) as claimed_ppm
  from spans
  inner join holds
    on holds.site_id = spans.site_id
    and holds.device_id = spans.device_id
    and holds.start_at_ms <= spans.start_at_ms
    and holds.end_at_ms >= spans.end_at_ms
  where spans.end_at_ms is not null
)
select
  allocation_id,
  site_id,
  device_id,
  start_at_ms,
  end_at_ms,
  share_ppm,
  claimed_ppm
from owners
where claimed_ppm > 1000000
