-- Spans for which a source says, or shows, that it lost events: what ended or started in them may be missing.
-- Kind: finding
-- Grain: one gap
-- Key: source, site_id, from_ms, to_ms, reason
-- Inputs: fct_source_gap, ref_period
-- Columns:
--   source varchar: source name
--   site_id varchar: site
--   from_ms bigint: last known instant before
--   to_ms bigint: first known instant after
--   reason varchar: why
--   lost_events bigint: how many at least
-- Rules: gaps that touch a billed period.
-- Source: SPEC 3
select
  gaps.source,
  gaps.site_id,
  gaps.from_ms,
  gaps.to_ms,
  gaps.reason,
  gaps.lost_events
from fct_source_gap as gaps
inner join ref_period as periods
  on gaps.from_ms < periods.end_ms
  and gaps.to_ms >= periods.start_ms
