-- What producers promised about whole hours, beside what is in the warehouse.
-- Grain: one promise
-- Key: promise_id
-- Inputs: ref_promise, fct_token_hour, raw_gpu_sample, raw_allocation_event, raw_scheduler_event, raw_training_progress
-- Columns:
--   promise_id varchar: kind:source/site/from
--   kind varchar: control, canary or hourly
--   source varchar: source name; null for all sources of the site
--   site_id varchar: site
--   from_ms bigint [epoch ms UTC]: inclusive
--   to_ms bigint [epoch ms UTC]: exclusive
--   requests bigint: promised attempts; null when not stated
--   input_tokens bigint [tokens]: promised; null when not stated
--   output_tokens bigint [tokens]: promised; null when not stated
--   found_rows bigint: rows of any fact in the span
--   found_requests bigint: accepted attempts in the span
--   found_input_tokens bigint [tokens]: all input classes of these
--   found_output_tokens bigint [tokens]: output of these
--   is_kept boolean: found equals promised; for hourly, something was found
-- Rules: duplicates are counted once, as the producer counted them; promises are about whole UTC hours, so that hours are summed before they are compared.
-- Source: RELIABILITY 3.2, 4.6
with
happened as (
  select
    source, site_id, tenant_id, span_ms as at_ms, requests as row_count, requests,
    coalesce(input_uncached_tokens, 0) + coalesce(input_cache_read_tokens, 0) + coalesce(input_cache_write_tokens, 0) as input_tokens,
    coalesce(output_tokens, 0) as output_tokens
  from fct_token_hour
  union all
  select source, site_id, cast(null as varchar) as tenant_id, sampled_at_ms as at_ms, cast(1 as bigint) as row_count, cast(0 as bigint) as requests, 0 as input_tokens, 0 as output_tokens
  from raw_gpu_sample
  union all
  select source, site_id, cast(null as varchar) as tenant_id, observed_at_ms as at_ms, cast(1 as bigint) as row_count, cast(0 as bigint) as requests, 0 as input_tokens, 0 as output_tokens
  from raw_allocation_event
  union all
  select source, site_id, cast(null as varchar) as tenant_id, observed_at_ms as at_ms, cast(1 as bigint) as row_count, cast(0 as bigint) as requests, 0 as input_tokens, 0 as output_tokens
  from raw_scheduler_event
  union all
  select source, site_id, cast(null as varchar) as tenant_id, from_ms as at_ms, cast(1 as bigint) as row_count, cast(0 as bigint) as requests, 0 as input_tokens, 0 as output_tokens
  from raw_training_progress
),
hours as (
  select
    source, site_id, tenant_id, at_ms - mod(at_ms, 3600000) as hour_ms,
    sum(row_count) as row_count, sum(requests) as requests, sum(input_tokens) as input_tokens, sum(output_tokens) as output_tokens
  from happened
  group by source, site_id, tenant_id, at_ms - mod(at_ms, 3600000)
),
compared as (
  select
    promises.promise_id, promises.kind, promises.source, promises.site_id, promises.from_ms, promises.to_ms,
    promises.requests, promises.input_tokens, promises.output_tokens,
    cast(coalesce(sum(hours.row_count), 0) as bigint) as found_rows,
    cast(coalesce(sum(hours.requests), 0) as bigint) as found_requests,
    cast(coalesce(sum(hours.input_tokens), 0) as bigint) as found_input_tokens,
    cast(coalesce(sum(hours.output_tokens), 0) as bigint) as found_output_tokens
  from ref_promise as promises
  left join hours
    on hours.site_id = promises.site_id
    and hours.hour_ms >= promises.from_ms
    and hours.hour_ms < promises.to_ms
    and (promises.source is null or hours.source = promises.source)
    and (promises.tenant_id is null or hours.tenant_id = promises.tenant_id)
  group by
    promises.promise_id, promises.kind, promises.source, promises.site_id, promises.from_ms, promises.to_ms,
    promises.requests, promises.input_tokens, promises.output_tokens
)
select
  promise_id,
  kind,
  source,
  site_id,
  from_ms,
  to_ms,
  requests,
  input_tokens,
  output_tokens,
  found_rows,
  found_requests,
  found_input_tokens,
  found_output_tokens,
  case
    when kind = 'hourly' then found_rows > 0
    else coalesce(requests, found_requests) = found_requests
      and coalesce(input_tokens, found_input_tokens) = found_input_tokens
      and coalesce(output_tokens, found_output_tokens) = found_output_tokens
  end as is_kept
from compared
