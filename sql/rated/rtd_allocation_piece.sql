-- Allocations cut at period bounds, price changes, tariff bands and the end of a gang's wait.
-- Grain: one allocation, segment and kind
-- Key: allocation_id, period, segment_no, kind
-- Inputs: fct_allocation, fct_device_overlap, ref_segment
-- Columns:
--   period varchar: yyyy-mm
--   segment_no bigint: span of the period inside which no price changes
--   allocation_id varchar: allocation
--   kind varchar: gpu_hours, or gang_wait while members wait for each other
--   start_ms bigint [epoch ms UTC]: inclusive
--   end_ms bigint [epoch ms UTC]: exclusive
--   gpu_ms bigint [accelerator ms]: GPU time of the piece
-- Rules: a piece is the difference of two running totals rounded from the allocation's start, so pieces always add up to the whole; a gang waits until all members bound before its first end are running.
-- Source: SPEC 4, 7
with
gang_ends as (
  select site_id, namespace, gang, min(end_at_ms) as first_end_ms
  from fct_allocation
  where gang is not null and start_at_ms is not null
  group by site_id, namespace, gang
),
gangs as (
  select members.site_id, members.namespace, members.gang, gang_ends.first_end_ms, max(members.running_at_ms) as running_ms
  from fct_allocation as members
  inner join gang_ends
    on gang_ends.site_id = members.site_id
    and coalesce(gang_ends.namespace, '') = coalesce(members.namespace, '')
    and gang_ends.gang = members.gang
    and members.start_at_ms < gang_ends.first_end_ms
  group by members.site_id, members.namespace, members.gang, gang_ends.first_end_ms
),
parts as (
  select
    allocations.allocation_id,
    allocations.accelerator_count,
    allocations.start_at_ms,
    allocations.end_at_ms,
    case
      when gangs.running_ms is null or allocations.start_at_ms >= gangs.first_end_ms then allocations.start_at_ms
      else least(greatest(gangs.running_ms, allocations.start_at_ms), allocations.end_at_ms)
    end as wait_end_ms
  from fct_allocation as allocations
  left join gangs
    on gangs.site_id = allocations.site_id
    and coalesce(gangs.namespace, '') = coalesce(allocations.namespace, '')
    and gangs.gang = allocations.gang
  where allocations.start_at_ms is not null
),
kinds as (
  select allocation_id, accelerator_count, start_at_ms, 'gang_wait' as kind, start_at_ms as from_ms, wait_end_ms as until_ms from parts
  union all
  select allocation_id, accelerator_count, start_at_ms, 'gpu_hours' as kind, wait_end_ms as from_ms, end_at_ms as until_ms from parts
),
pieces as (
  select
    segments.period,
    segments.segment_no,
    kinds.allocation_id,
    kinds.kind,
    kinds.accelerator_count,
    kinds.start_at_ms,
    greatest(kinds.from_ms, segments.start_ms) as start_ms,
    least(kinds.until_ms, segments.end_ms) as end_ms
  from kinds
  inner join ref_segment as segments
    on kinds.from_ms < segments.end_ms
    and kinds.until_ms > segments.start_ms
),
losses as (
  select
    pieces.allocation_id,
    pieces.period,
    pieces.segment_no,
    pieces.kind,
    cast(sum(
      div_half_up(
        cast(claimed_spans.share_ppm as decimal(38, 0)) * cast(least(claimed_spans.end_at_ms, pieces.end_ms) - claimed_spans.start_at_ms as decimal(38, 0)) * cast(claimed_spans.claimed_ppm - 1000000 as decimal(38, 0)),
        cast(claimed_spans.claimed_ppm as decimal(38, 0)) * cast(1000000 as decimal(38, 0))
      )
      - div_half_up(
        cast(claimed_spans.share_ppm as decimal(38, 0)) * cast(greatest(claimed_spans.start_at_ms, pieces.start_ms) - claimed_spans.start_at_ms as decimal(38, 0)) * cast(claimed_spans.claimed_ppm - 1000000 as decimal(38, 0)),
        cast(claimed_spans.claimed_ppm as decimal(38, 0)) * cast(1000000 as decimal(38, 0))
      )
    ) as bigint) as lost_gpu_ms
  from pieces
  inner join fct_device_overlap as claimed_spans
    on claimed_spans.allocation_id = pieces.allocation_id
    and claimed_spans.start_at_ms < pieces.end_ms
    and claimed_spans.end_at_ms > pieces.start_ms
  group by pieces.allocation_id, pieces.period, pieces.segment_no, pieces.kind
)
select
  pieces.period,
  pieces.segment_no,
  pieces.allocation_id,
  pieces.kind,
  pieces.start_ms,
  pieces.end_ms,
  cast(round(cast(pieces.accelerator_count as decimal(38, 6)) * cast(pieces.end_ms - pieces.start_at_ms as decimal(38, 0)), 0) as bigint)
    - cast(round(cast(pieces.accelerator_count as decimal(38, 6)) * cast(pieces.start_ms - pieces.start_at_ms as decimal(38, 0)), 0) as bigint)
    - coalesce(losses.lost_gpu_ms, 0) as gpu_ms
from pieces
left join losses
  on losses.allocation_id = pieces.allocation_id
  and losses.period = pieces.period
  and losses.segment_no = pieces.segment_no
  and losses.kind = pieces.kind
where pieces.end_ms > pieces.start_ms
