-- Accepted request attempts of an hour, added up, with their tenant: what rating reads in place of single requests.
-- Grain: one object, span inside one UTC hour, source, payer, site, model, image, status and kind of usage
-- Key: object_id, span_ms, source, tenant_key, site_id, model, image_digest, status, usage_source
-- Inputs: stg_token_hour, ref_tenant_key, ref_setting
-- Columns:
--   object_id varchar: landed object
--   span_ms bigint [epoch ms UTC]: start of the hour, or of the span after the last edge in it
--   source varchar: source name
--   tenant_id varchar: who is billed; null when the key is mapped to nobody
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
-- Rules: the tenant map is read at the start of the span, inside which it does not change; fct_token_usage is the same request by request.
-- Source: SPEC 3
with
settings as (
  select unmapped_as_is from ref_setting
)
select
  hours.object_id,
  hours.span_ms,
  hours.source,
  coalesce(tenant_keys.tenant_id, case when settings.unmapped_as_is then hours.tenant_key end) as tenant_id,
  hours.tenant_key,
  hours.site_id,
  hours.model,
  hours.image_digest,
  hours.status,
  hours.usage_source,
  hours.first_at_ms,
  hours.last_at_ms,
  hours.requests,
  hours.input_uncached_tokens,
  hours.input_cache_read_tokens,
  hours.input_cache_write_tokens,
  hours.output_tokens,
  hours.input_uncached_requests,
  hours.input_cache_read_requests,
  hours.input_cache_write_requests,
  hours.output_requests
from stg_token_hour as hours
cross join settings
left join ref_tenant_key as tenant_keys
  on tenant_keys.tenant_key = hours.tenant_key
  and hours.span_ms >= tenant_keys.from_ms
  and hours.span_ms < tenant_keys.to_ms
