-- GPU time that was held where it is charged, and is in no rated quantity, or in several.
-- Kind: equation
-- Grain: one period and kind that is wrong
-- Key: period, kind
-- Inputs: rtd_allocation_piece, fct_allocation, rtd_quantity, ref_site
-- Columns:
--   period varchar: yyyy-mm
--   kind varchar: gpu_hours or gang_wait
--   held_gpu_ms bigint [accelerator ms]: held at sites that charge GPU-hours
--   rated_gpu_ms bigint [accelerator ms]: in quantities, priced or not
-- Source: SPEC 4, RELIABILITY 3.4
with
held as (
  select pieces.period, pieces.kind, cast(sum(pieces.gpu_ms) as bigint) as gpu_ms
  from rtd_allocation_piece as pieces
  inner join fct_allocation as allocations
    on allocations.allocation_id = pieces.allocation_id
  left join ref_site as sites
    on sites.site_id = allocations.site_id
  where coalesce(sites.bills_gpu_hours, true)
  group by pieces.period, pieces.kind
),
rated as (
  select period, kind, cast(sum(amount) as bigint) as gpu_ms
  from rtd_quantity
  where meter = 'gpu_hours'
  group by period, kind
)
select
  held.period,
  held.kind,
  held.gpu_ms as held_gpu_ms,
  coalesce(rated.gpu_ms, 0) as rated_gpu_ms
from held
left join rated
  on rated.period = held.period
  and rated.kind = held.kind
where held.gpu_ms <> coalesce(rated.gpu_ms, 0)
