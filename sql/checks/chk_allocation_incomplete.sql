-- Allocations that cannot be billed because something was never told: when they started, or how much they held.
-- Kind: finding
-- Grain: one site, source and gap in the evidence
-- Key: site_id, source, problem
-- Inputs: stg_allocation_seen
-- Columns:
--   site_id varchar: site
--   source varchar: source that told of them
--   problem varchar: start_unknown (ended, never seen starting) or size_unknown (an audit log without bodies, and no pod object)
--   allocations bigint: how many
--   first_ms bigint: earliest instant known of them
-- Rules: a pod without accelerators looks the same as one of unknown size where only bindings are logged, so unknown size is reported only for sites at which no pod object was ever seen.
-- Source: SPEC 4
with
seen as (
  select
    stg_allocation_seen.*,
    case
      when accelerator_count is null then 'size_unknown'
      when start_at_ms is null and end_at_ms is not null then 'start_unknown'
    end as problem
  from stg_allocation_seen
),
sites_with_objects as (
  select distinct site_id from seen where pod_uid is not null and accelerator_count is not null
)
select
  seen.site_id,
  seen.source,
  seen.problem,
  count(*) as allocations,
  min(coalesce(seen.start_at_ms, seen.end_at_ms)) as first_ms
from seen
left join sites_with_objects
  on sites_with_objects.site_id = seen.site_id
where seen.problem = 'start_unknown'
  or (seen.problem = 'size_unknown' and sites_with_objects.site_id is null)
group by seen.site_id, seen.source, seen.problem
