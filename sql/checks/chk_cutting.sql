-- Allocations whose pieces inside the periods do not add up to the GPU time held there.
-- Kind: equation
-- Grain: one wrong allocation
-- Key: allocation_id, period
-- Inputs: fct_allocation, rtd_allocation_piece, ref_period
-- Columns:
--   allocation_id varchar: allocation
--   period varchar: yyyy-mm
--   gpu_ms bigint: GPU time of the whole allocation
--   pieces_gpu_ms bigint: sum of its pieces
-- Rules: checked for allocations that lie inside one period whole; there the sum must be exact.
-- Source: SPEC 4
with
inside as (
  select allocations.allocation_id, periods.period, allocations.gpu_ms
  from fct_allocation as allocations
  inner join ref_period as periods
    on allocations.start_at_ms >= periods.start_ms
    and allocations.end_at_ms <= periods.end_ms
),
pieces as (
  select allocation_id, period, cast(sum(gpu_ms) as bigint) as gpu_ms
  from rtd_allocation_piece
  group by allocation_id, period
)
select
  inside.allocation_id,
  inside.period,
  inside.gpu_ms,
  coalesce(pieces.gpu_ms, 0) as pieces_gpu_ms
from inside
left join pieces
  on pieces.allocation_id = inside.allocation_id
  and pieces.period = inside.period
where inside.gpu_ms <> coalesce(pieces.gpu_ms, 0)
