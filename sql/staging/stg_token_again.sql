-- Logged request attempts in places where a natural key seems to occur again, with their place among the rows that share it.
-- Grain: one stored row
-- Key: source, native_id, occurrence
-- Inputs: raw_token_usage, stg_token_place
-- Columns:
--   request_key varchar: natural key, 32 hex digits
--   occurrence bigint: 1 for the row that counts (first committed), 2 and up for its repeats
--   native_id varchar: the source's own key
--   event_at_ms bigint [epoch ms UTC]: when the request started
--   tenant_key varchar: the payer as the source names it
--   site_id varchar: site that served
--   model varchar: model that is priced
--   model_alias varchar: public alias
--   image_digest varchar: digest of the serving image
--   input_uncached_tokens bigint [tokens]: prompt tokens read without cache
--   input_cache_read_tokens bigint [tokens]: prompt tokens served from cache
--   input_cache_write_tokens bigint [tokens]: prompt tokens written to cache
--   output_tokens bigint [tokens]: completion tokens, reasoning included
--   reasoning_tokens bigint [tokens]: of which reasoning
--   usage_source varchar: provider, gateway_estimate or absent
--   status varchar: success, failure, cache_hit or not_billable
--   attempt_group varchar: id shared by the attempts of one call
--   source varchar: source name
--   object_id varchar: landed object
--   line bigint: line in the object
--   fold_order bigint: place of the object in the warehouse's history
-- Rules: duplicates are found over all retained rows, with no time window; the first committed wins.
-- Source: SPEC 3
with
ranked as (
  select
    raw_rows.*,
    row_number() over (partition by raw_rows.source, raw_rows.native_id order by raw_rows.fold_order, raw_rows.object_id, raw_rows.line) as occurrence
  from raw_token_usage as raw_rows
  inner join stg_token_place as places
    on places.object_id = raw_rows.object_id
    and places.line = raw_rows.line
)
select
  lower(to_hex(md5(to_utf8(source || '|' || native_id)))) as request_key,
  occurrence,
  native_id,
  event_at_ms,
  tenant_key,
  site_id,
  model,
  model_alias,
  image_digest,
  input_uncached_tokens,
  input_cache_read_tokens,
  input_cache_write_tokens,
  output_tokens,
  reasoning_tokens,
  usage_source,
  status,
  attempt_group,
  source,
  object_id,
  line,
  fold_order
from ranked
