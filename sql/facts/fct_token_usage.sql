-- Accepted request attempts with their tenant.
-- Grain: one accepted request attempt, duplicates removed
-- Key: request_key
-- Inputs: stg_token_usage, ref_tenant_key, ref_setting
-- Columns:
--   request_key varchar: natural key, 32 hex digits
--   event_at timestamp(3) [UTC]: when the request started
--   event_at_ms bigint [epoch ms UTC]: the same instant
--   tenant_id varchar: who is billed; null when the key is mapped to nobody
--   tenant_key varchar: the payer as the source names it
--   site_id varchar: site that served
--   model varchar: model that is priced
--   model_alias varchar: public alias
--   image_digest varchar: digest of the serving image
--   input_uncached_tokens bigint [tokens]: prompt tokens read without cache; null when usage is absent
--   input_cache_read_tokens bigint [tokens]: prompt tokens served from cache
--   input_cache_write_tokens bigint [tokens]: prompt tokens written to cache
--   output_tokens bigint [tokens]: completion tokens, reasoning included
--   reasoning_tokens bigint [tokens]: of which reasoning
--   usage_source varchar: provider, gateway_estimate or absent
--   status varchar: success, failure, cache_hit or not_billable
--   attempt_group varchar: id shared by the attempts of one call
--   source varchar: source name
--   native_id varchar: the source's own key
--   object_id varchar: landed object
--   line bigint: line in the object
-- Rules: the tenant map is effective-dated and read at the event's instant; an unmapped key is its own tenant only where the configuration says so.
-- Source: SPEC 3, 12
with
attempts as (
  select * from stg_token_usage where occurrence = 1
),
tenant_keys as (
  select * from ref_tenant_key
),
settings as (
  select unmapped_as_is from ref_setting
)
select
  attempts.request_key,
  cast(from_unixtime_nanos(attempts.event_at_ms * 1000000) as timestamp(3)) as event_at,
  attempts.event_at_ms,
  coalesce(tenant_keys.tenant_id, case when settings.unmapped_as_is then attempts.tenant_key end) as tenant_id,
  attempts.tenant_key,
  attempts.site_id,
  attempts.model,
  attempts.model_alias,
  attempts.image_digest,
  attempts.input_uncached_tokens,
  attempts.input_cache_read_tokens,
  attempts.input_cache_write_tokens,
  attempts.output_tokens,
  attempts.reasoning_tokens,
  attempts.usage_source,
  attempts.status,
  attempts.attempt_group,
  attempts.source,
  attempts.native_id,
  attempts.object_id,
  attempts.line
from attempts
cross join settings
left join tenant_keys
  on tenant_keys.tenant_key = attempts.tenant_key
  and attempts.event_at_ms >= tenant_keys.from_ms
  and attempts.event_at_ms < tenant_keys.to_ms
