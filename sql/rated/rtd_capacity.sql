-- Where the accelerator time of each pool went.
-- Grain: one site, accelerator model and period
-- Key: period, site_id, accelerator_model
-- Inputs: ref_capacity, ref_outage, ref_period, fct_allocation, rtd_allocation_piece
-- Columns:
--   period varchar: yyyy-mm
--   site_id varchar: site
--   accelerator_model varchar: catalog model
--   capacity_gpu_ms bigint [accelerator ms]: inventory × time
--   allocated_gpu_ms bigint [accelerator ms]: held by allocations
--   maintenance_gpu_ms bigint [accelerator ms]: planned outage
--   lost_gpu_ms bigint [accelerator ms]: unplanned outage
--   idle_gpu_ms bigint [accelerator ms]: the rest; allocated + idle + maintenance + lost = capacity
-- Rules: each part rounds once to a millisecond.
-- Source: SPEC 4
with
capacity as (
  select
    periods.period,
    nodes.site_id,
    nodes.accelerator_model,
    cast(round(sum(cast(nodes.accelerator_count as decimal(38, 6))
      * cast(least(nodes.to_ms, periods.end_ms) - greatest(nodes.from_ms, periods.start_ms) as decimal(38, 0))), 0) as bigint) as gpu_ms
  from ref_capacity as nodes
  inner join ref_period as periods
    on nodes.from_ms < periods.end_ms
    and nodes.to_ms > periods.start_ms
  group by periods.period, nodes.site_id, nodes.accelerator_model
),
allocated as (
  select
    pieces.period,
    allocations.site_id,
    allocations.accelerator_model,
    cast(sum(pieces.gpu_ms) as bigint) as gpu_ms
  from rtd_allocation_piece as pieces
  inner join fct_allocation as allocations
    on allocations.allocation_id = pieces.allocation_id
  group by pieces.period, allocations.site_id, allocations.accelerator_model
),
outages as (
  select
    periods.period,
    nodes.site_id,
    nodes.accelerator_model,
    outage.kind,
    cast(round(sum(cast(outage.accelerator_count as decimal(38, 6))
      * cast(least(outage.to_ms, periods.end_ms) - greatest(outage.from_ms, periods.start_ms) as decimal(38, 0))), 0) as bigint) as gpu_ms
  from ref_outage as outage
  inner join ref_period as periods
    on outage.from_ms < periods.end_ms
    and outage.to_ms > periods.start_ms
  inner join ref_capacity as nodes
    on nodes.site_id = outage.site_id
    and nodes.node = outage.node
    and outage.from_ms >= nodes.from_ms
    and outage.from_ms < nodes.to_ms
  group by periods.period, nodes.site_id, nodes.accelerator_model, outage.kind
),
parts as (
  select
    capacity.period,
    capacity.site_id,
    capacity.accelerator_model,
    capacity.gpu_ms as capacity_gpu_ms,
    coalesce(allocated.gpu_ms, 0) as allocated_gpu_ms,
    coalesce(maintenance.gpu_ms, 0) as maintenance_gpu_ms,
    coalesce(lost.gpu_ms, 0) as lost_gpu_ms
  from capacity
  left join allocated
    on allocated.period = capacity.period
    and allocated.site_id = capacity.site_id
    and allocated.accelerator_model = capacity.accelerator_model
  left join outages as maintenance
    on maintenance.period = capacity.period
    and maintenance.site_id = capacity.site_id
    and maintenance.accelerator_model = capacity.accelerator_model
    and maintenance.kind = 'maintenance'
  left join outages as lost
    on lost.period = capacity.period
    and lost.site_id = capacity.site_id
    and lost.accelerator_model = capacity.accelerator_model
    and lost.kind = 'lost'
)
select
  period,
  site_id,
  accelerator_model,
  capacity_gpu_ms,
  allocated_gpu_ms,
  maintenance_gpu_ms,
  lost_gpu_ms,
  capacity_gpu_ms - allocated_gpu_ms - maintenance_gpu_ms - lost_gpu_ms as idle_gpu_ms
from parts
