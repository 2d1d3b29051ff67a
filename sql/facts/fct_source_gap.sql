-- Spans for which a source itself says, or shows, that it lost events.
-- Grain: one gap
-- Key: source, site_id, from_ms, to_ms, reason
-- Inputs: raw_scheduler_event, raw_allocation_event, raw_quarantine
-- Columns:
--   source varchar: source name
--   site_id varchar: site; null when the object in which the gap lies holds nothing else
--   from_ms bigint [epoch ms UTC]: last instant before the gap that is known
--   to_ms bigint [epoch ms UTC]: first instant after it that is known
--   from_at timestamp(3) [UTC]: same as from_ms
--   to_at timestamp(3) [UTC]: same as to_ms
--   reason varchar: scheduler_restarted, events_overwritten, events_not_fetched or watch_expired
--   lost_events bigint: how many at least; null when nothing tells
--   object_id varchar: object that shows it
-- Rules: YuniKorn numbers its events: a page whose oldest number is above the newest known plus one lost those between; a new instance starts at 0 and forgets; an instance of which fewer events were fetched than it numbered lost the rest or has yet to give them. A watch ERROR lost what happened until its object continues.
-- Source: SPEC 3
with
pages as (
  select
    source,
    site_id,
    native_id,
    instance_id,
    min(lowest_event) as lowest_event,
    min(highest_event) as highest_event,
    min(events) as events,
    min(first_event_ms) as first_event_ms,
    min(observed_at_ms) as observed_at_ms,
    min(object_id) as object_id
  from raw_scheduler_event
  where kind = 'page'
  group by source, site_id, native_id, instance_id
),
instances as (
  select
    source,
    site_id,
    instance_id,
    min(coalesce(first_event_ms, observed_at_ms)) as from_ms,
    coalesce(max(case when events > 0 then observed_at_ms end), max(observed_at_ms)) as to_ms,
    cast(max(highest_event) - min(lowest_event) + 1 as bigint) as numbered,
    cast(sum(events) as bigint) as fetched,
    min(object_id) as object_id
  from pages
  group by source, site_id, instance_id
  having max(highest_event) > 0 or sum(events) > 0
),
followed as (
  select
    instances.*,
    lag(to_ms) over (partition by source, site_id order by from_ms, instance_id) as before_ms
  from instances
),
known as (
  select
    pages.*,
    max(highest_event) over (
      partition by source, site_id, instance_id
      order by highest_event, lowest_event, coalesce(first_event_ms, observed_at_ms), native_id
      rows between unbounded preceding and 1 preceding
    ) as known_event,
    max(case when events > 0 then observed_at_ms end) over (
      partition by source, site_id, instance_id
      order by highest_event, lowest_event, coalesce(first_event_ms, observed_at_ms), native_id
      rows between unbounded preceding and 1 preceding
    ) as known_ms
  from pages
),
overwritten as (
  select
    source,
    site_id,
    instance_id,
    known_ms as from_ms,
    coalesce(first_event_ms, observed_at_ms) as to_ms,
    lowest_event - known_event - 1 as lost_events,
    object_id
  from known
  where lowest_event > known_event + 1
),
overwritten_sums as (
  select source, site_id, instance_id, cast(sum(lost_events) as bigint) as lost_events
  from overwritten
  group by source, site_id, instance_id
),
watched as (
  select object_id, line, observed_at_ms, site_id from raw_allocation_event
  union all
  select object_id, line, observed_at_ms, site_id from raw_scheduler_event
),
expired as (
  select
    refusals.source,
    max(watched.site_id) as site_id,
    coalesce(max(case when watched.line < refusals.line then watched.observed_at_ms end), refusals.landed_at_ms) as from_ms,
    coalesce(min(case when watched.line > refusals.line then watched.observed_at_ms end), refusals.landed_at_ms) as to_ms,
    refusals.object_id
  from raw_quarantine as refusals
  left join watched
    on watched.object_id = refusals.object_id
  where refusals.field = 'type' and refusals.found = 'watch ERROR'
  group by refusals.source, refusals.object_id, refusals.line, refusals.landed_at_ms
),
gaps as (
  select source, site_id, before_ms as from_ms, from_ms as to_ms, 'scheduler_restarted' as reason, cast(null as bigint) as lost_events, object_id
  from followed
  where before_ms is not null
  union all
  select source, site_id, from_ms, to_ms, 'events_overwritten' as reason, lost_events, object_id
  from overwritten
  union all
  select
    instances.source, instances.site_id, instances.from_ms, instances.to_ms, 'events_not_fetched' as reason,
    instances.numbered - instances.fetched - coalesce(overwritten_sums.lost_events, 0) as lost_events, instances.object_id
  from instances
  left join overwritten_sums
    on overwritten_sums.source = instances.source
    and overwritten_sums.site_id = instances.site_id
    and overwritten_sums.instance_id = instances.instance_id
  where instances.numbered - instances.fetched - coalesce(overwritten_sums.lost_events, 0) > 0
  union all
  select source, site_id, from_ms, to_ms, 'watch_expired' as reason, cast(null as bigint) as lost_events, object_id
  from expired
)
select
  source,
  site_id,
  coalesce(from_ms, to_ms) as from_ms,
  greatest(coalesce(from_ms, to_ms), to_ms) as to_ms,
  cast(from_unixtime_nanos(coalesce(from_ms, to_ms) * 1000000) as timestamp(3)) as from_at,
  cast(from_unixtime_nanos(greatest(coalesce(from_ms, to_ms), to_ms) * 1000000) as timestamp(3)) as to_at,
  reason,
  cast(lost_events as bigint) as lost_events,
  object_id
from gaps
