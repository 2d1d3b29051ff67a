-- Tokens that an order of the price book gives back, with the price at which they were charged.
-- Grain: one period, tenant, site, model, meter, image, price, band and order
-- Key: period, tenant_id, site_id, product, meter, image_digest, price_id, band, rule_id
-- Inputs: fct_token_hour, ref_segment, ref_site, ref_token_policy, ref_token_credit, rtd_price_match
-- Columns:
--   period varchar: yyyy-mm
--   tenant_id varchar: who is billed
--   site_id varchar: site
--   product varchar: model name
--   meter varchar: input_uncached, input_cache_read, input_cache_write or output
--   image_digest varchar: serving image as the record names it; empty when it names none
--   price_id varchar: price
--   band varchar: tariff band
--   rule_id varchar: order
--   quantity decimal(20,6) [millions of tokens]: given back, exact
--   records bigint: requests behind it
-- Rules: an order that names an image takes tokens of that image, and those whose record names none; what is not charged is not given back, and a request once, by the first order.
-- Source: DISTRIBUTION 5
with
requests as (
  select
    segments.period, segments.segment_no, usage.tenant_id, usage.site_id, usage.model, coalesce(usage.image_digest, '') as image_digest,
    min(orders.rule_id) as rule_id,
    usage.input_uncached_tokens, usage.input_cache_read_tokens, usage.input_cache_write_tokens, usage.output_tokens,
    usage.input_uncached_requests, usage.input_cache_read_requests, usage.input_cache_write_requests, usage.output_requests
  from fct_token_hour as usage
  inner join ref_token_credit as orders
    on orders.model = usage.model
    and usage.span_ms >= orders.from_ms
    and usage.span_ms < orders.to_ms
    and (orders.site_id = '' or orders.site_id = usage.site_id)
    and (orders.tenant_id = '' or orders.tenant_id = usage.tenant_id)
    and (orders.image_digest = '' or coalesce(usage.image_digest, '') = '' or orders.image_digest = usage.image_digest)
  inner join ref_segment as segments
    on usage.span_ms >= segments.start_ms
    and usage.span_ms < segments.end_ms
  inner join ref_token_policy as policies
    on policies.period = segments.period
    and policies.status = usage.status
    and policies.charged
  left join ref_site as sites
    on sites.site_id = usage.site_id
  where usage.tenant_id is not null
    and coalesce(sites.bills_tokens, true)
  group by
    usage.object_id, usage.span_ms, usage.source, usage.tenant_key, usage.tenant_id, usage.site_id, usage.model, usage.image_digest, usage.status, usage.usage_source,
    segments.period, segments.segment_no,
    usage.input_uncached_tokens, usage.input_cache_read_tokens, usage.input_cache_write_tokens, usage.output_tokens,
    usage.input_uncached_requests, usage.input_cache_read_requests, usage.input_cache_write_requests, usage.output_requests
),
metered as (
  select period, segment_no, tenant_id, site_id, model, image_digest, rule_id, 'input_uncached' as meter, input_uncached_tokens as tokens, input_uncached_requests as records from requests
  union all
  select period, segment_no, tenant_id, site_id, model, image_digest, rule_id, 'input_cache_read' as meter, input_cache_read_tokens as tokens, input_cache_read_requests as records from requests
  union all
  select period, segment_no, tenant_id, site_id, model, image_digest, rule_id, 'input_cache_write' as meter, input_cache_write_tokens as tokens, input_cache_write_requests as records from requests
  union all
  select period, segment_no, tenant_id, site_id, model, image_digest, rule_id, 'output' as meter, output_tokens as tokens, output_requests as records from requests
)
select
  metered.period,
  metered.tenant_id,
  metered.site_id,
  metered.model as product,
  metered.meter,
  metered.image_digest,
  matches.price_id,
  matches.band,
  metered.rule_id,
  cast(cast(sum(metered.tokens) as decimal(38, 0)) * cast('0.000001' as decimal(7, 6)) as decimal(20, 6)) as quantity,
  cast(sum(metered.records) as bigint) as records
from metered
inner join rtd_price_match as matches
  on matches.period = metered.period
  and matches.segment_no = metered.segment_no
  and matches.tenant_id = metered.tenant_id
  and matches.site_id = metered.site_id
  and matches.product = metered.model
  and matches.meter = metered.meter
  and matches.image_digest = metered.image_digest
where metered.tokens > 0
  and matches.price_id is not null
group by
  metered.period, metered.tenant_id, metered.site_id, metered.model, metered.meter, metered.image_digest,
  matches.price_id, matches.band, metered.rule_id
