-- Requests logged again under the same key: which row counts, and whether this one says something else.
-- Grain: one repeated row
-- Key: request_key, object_id, line
-- Inputs: stg_token_again
-- Columns:
--   request_key varchar: natural key
--   source varchar: source name
--   native_id varchar: the source's own key
--   object_id varchar: object of the repeat
--   line bigint: line of the repeat
--   first_object_id varchar: object of the row that counts
--   first_line bigint: line of the row that counts
--   is_conflict boolean: it differs from the row that counts
--   input_uncached_tokens bigint [tokens]: prompt tokens read without cache
--   input_cache_read_tokens bigint [tokens]: prompt tokens served from cache
--   input_cache_write_tokens bigint [tokens]: prompt tokens written to cache
--   output_tokens bigint [tokens]: completion tokens, reasoning included
-- Rules: the first committed counts; a repeat that agrees with it is a duplicate, another one has lost a conflict.
-- Source: SPEC 3
with
winners as (
  select * from stg_token_again where occurrence = 1
),
repeats as (
  select * from stg_token_again where occurrence > 1
)
select
  repeats.request_key,
  repeats.source,
  repeats.native_id,
  repeats.object_id,
  repeats.line,
  winners.object_id as first_object_id,
  winners.line as first_line,
  repeats.event_at_ms <> winners.event_at_ms
    or repeats.site_id <> winners.site_id
    or repeats.status <> winners.status
    or repeats.usage_source <> winners.usage_source
    or repeats.tenant_key is distinct from winners.tenant_key
    or repeats.model is distinct from winners.model
    or repeats.image_digest is distinct from winners.image_digest
    or repeats.input_uncached_tokens is distinct from winners.input_uncached_tokens
    or repeats.input_cache_read_tokens is distinct from winners.input_cache_read_tokens
    or repeats.input_cache_write_tokens is distinct from winners.input_cache_write_tokens
    or repeats.output_tokens is distinct from winners.output_tokens as is_conflict,
  repeats.input_uncached_tokens,
  repeats.input_cache_read_tokens,
  repeats.input_cache_write_tokens,
  repeats.output_tokens
from repeats
inner join winners
  on winners.source = repeats.source
  and winners.native_id = repeats.native_id
