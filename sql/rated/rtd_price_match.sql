-- The price and the adjustment policy in force for whatever was used, segment by segment.
-- Grain: one period, segment, tenant, site, product, meter and image digest that was used
-- Key: period, segment_no, tenant_id, site_id, product, meter, image_digest
-- Inputs: rtd_usage, ref_segment, ref_price, ref_adjustment
-- Columns:
--   period varchar: yyyy-mm
--   segment_no bigint: span of the period
--   tenant_id varchar: who is billed; null when unmapped
--   site_id varchar: site
--   product varchar: accelerator model or model name
--   meter varchar: what is counted
--   image_digest varchar: serving image; empty when unknown
--   price_id varchar: price that matches best; null when none does
--   band varchar: tariff band of that price; empty when it holds for all
--   price_from_ms bigint [epoch ms UTC]: when the price took effect
--   policy_id varchar: adjustment policy in force; null for tokens or when there is none
-- Rules: a price matches when tenant, site, digest and band are its own or "any"; the most specific wins; price and policy are those in force when the segment starts.
-- Source: SPEC 6.3
with
asked as (
  select distinct
    usage.period,
    usage.segment_no,
    segments.start_ms,
    segments.band,
    usage.tenant_id,
    usage.site_id,
    usage.product,
    usage.meter,
    usage.image_digest
  from rtd_usage as usage
  inner join ref_segment as segments
    on segments.period = usage.period
    and segments.segment_no = usage.segment_no
),
candidates as (
  select
    asked.period,
    asked.segment_no,
    asked.tenant_id,
    asked.site_id,
    asked.product,
    asked.meter,
    asked.image_digest,
    prices.price_id,
    prices.from_ms as price_from_ms,
    case when prices.band = '' then '' else asked.band end as band,
    row_number() over (
      partition by asked.period, asked.segment_no, asked.tenant_id, asked.site_id, asked.product, asked.meter, asked.image_digest
      order by prices.specificity desc, prices.price_id
    ) as preference
  from asked
  inner join ref_price as prices
    on prices.product = asked.product
    and prices.meter = asked.meter
    and (prices.tenant_id = '' or prices.tenant_id = asked.tenant_id)
    and (prices.site_id = '' or prices.site_id = asked.site_id)
    and (prices.image_digest = '' or prices.image_digest = asked.image_digest)
    and (prices.band = '' or prices.band = asked.band)
    and asked.start_ms >= prices.from_ms
    and asked.start_ms < prices.to_ms
)
select
  asked.period,
  asked.segment_no,
  asked.tenant_id,
  asked.site_id,
  asked.product,
  asked.meter,
  asked.image_digest,
  candidates.price_id,
  coalesce(candidates.band, '') as band,
  candidates.price_from_ms,
  case when asked.meter = 'gpu_hours' then policies.policy_id end as policy_id
from asked
left join candidates
  on candidates.period = asked.period
  and candidates.segment_no = asked.segment_no
  and candidates.site_id = asked.site_id
  and candidates.product = asked.product
  and candidates.meter = asked.meter
  and candidates.image_digest = asked.image_digest
  and coalesce(candidates.tenant_id, '') = coalesce(asked.tenant_id, '')
  and candidates.preference = 1
left join ref_adjustment as policies
  on asked.start_ms >= policies.from_ms
  and asked.start_ms < policies.to_ms
