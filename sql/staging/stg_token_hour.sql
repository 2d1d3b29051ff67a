-- Requests of an hour that rating cannot tell apart, added up: what is kept of them between two bills.
-- Grain: one object, span inside one UTC hour, source, payer, site, model, image, status and kind of usage
-- Key: object_id, span_ms, source, tenant_key, site_id, model, image_digest, status, usage_source
-- Inputs: stg_token_usage, ref_segment, ref_tenant_key, ref_edge_rollout, ref_token_credit, ref_setting
-- Columns:
--   object_id varchar: landed object
--   span_ms bigint [epoch ms UTC]: start of the hour, or of the span after the last edge in it
--   source varchar: source name
--   tenant_key varchar: the payer as the source names it
--   site_id varchar: site that served
--   model varchar: model that is priced
--   image_digest varchar: digest of the serving image
--   status varchar: success, failure, cache_hit or not_billable
--   usage_source varchar: provider, gateway_estimate or absent
--   first_at_ms bigint [epoch ms UTC]: earliest request
--   last_at_ms bigint [epoch ms UTC]: latest request
--   requests bigint: attempts, duplicates removed
--   input_uncached_tokens bigint [tokens]: prompt tokens read without cache; null when no request states usage
--   input_cache_read_tokens bigint [tokens]: prompt tokens served from cache
--   input_cache_write_tokens bigint [tokens]: prompt tokens written to cache
--   output_tokens bigint [tokens]: completion tokens, reasoning included
--   input_uncached_requests bigint: requests with such tokens
--   input_cache_read_requests bigint: requests with such tokens
--   input_cache_write_requests bigint: requests with such tokens
--   output_requests bigint: requests with such tokens
-- Rules: no price and no tenant is in it, only their edges: an instant inside an hour at which a price, a tenant map, a rollout, an order or a month changes begins a new span, so that whatever holds at its start holds throughout.
-- Source: SPEC 2, 7
with
edges as (
  select start_ms as edge_ms from ref_segment
  union
  select end_ms as edge_ms from ref_segment
  union
  select from_ms as edge_ms from ref_tenant_key
  union
  select to_ms as edge_ms from ref_tenant_key
  union
  select live_ms as edge_ms from ref_edge_rollout where live_ms is not null
  union
  select until_ms as edge_ms from ref_edge_rollout where until_ms is not null
  union
  select from_ms as edge_ms from ref_token_credit
  union
  select to_ms as edge_ms from ref_token_credit
  union
  select correct_from_ms as edge_ms from ref_setting where correct_from_ms is not null
),
starts as (
  select edge_ms - mod(edge_ms, 3600000) as hour_ms, edge_ms as from_ms from edges where mod(edge_ms, 3600000) <> 0
  union
  select edge_ms - mod(edge_ms, 3600000) as hour_ms, edge_ms - mod(edge_ms, 3600000) as from_ms from edges where mod(edge_ms, 3600000) <> 0
),
spans as (
  select
    hour_ms,
    from_ms,
    coalesce(lead(from_ms) over (partition by hour_ms order by from_ms), hour_ms + 3600000) as to_ms
  from starts
),
attempts as (
  select
    stg_token_usage.*,
    coalesce(spans.from_ms, stg_token_usage.event_at_ms - mod(stg_token_usage.event_at_ms, 3600000)) as span_ms
  from stg_token_usage
  left join spans
    on spans.hour_ms = stg_token_usage.event_at_ms - mod(stg_token_usage.event_at_ms, 3600000)
    and stg_token_usage.event_at_ms >= spans.from_ms
    and stg_token_usage.event_at_ms < spans.to_ms
  where stg_token_usage.occurrence = 1
)
select
  object_id,
  span_ms,
  source,
  tenant_key,
  site_id,
  model,
  image_digest,
  status,
  usage_source,
  min(event_at_ms) as first_at_ms,
  max(event_at_ms) as last_at_ms,
  count(*) as requests,
  cast(sum(input_uncached_tokens) as bigint) as input_uncached_tokens,
  cast(sum(input_cache_read_tokens) as bigint) as input_cache_read_tokens,
  cast(sum(input_cache_write_tokens) as bigint) as input_cache_write_tokens,
  cast(sum(output_tokens) as bigint) as output_tokens,
  count(case when input_uncached_tokens > 0 then 1 end) as input_uncached_requests,
  count(case when input_cache_read_tokens > 0 then 1 end) as input_cache_read_requests,
  count(case when input_cache_write_tokens > 0 then 1 end) as input_cache_write_requests,
  count(case when output_tokens > 0 then 1 end) as output_requests
from attempts
group by object_id, span_ms, source, tenant_key, site_id, model, image_digest, status, usage_source
