-- Credits split over the tiers of the line they give back, the last tier first.
-- Grain: one credit of rtd_credit or rtd_token_credit and tier
-- Key: period, tenant_id, site_id, workload_id, product, meter, image_digest, price_id, band, policy_id, rule_id, tier_no
-- Inputs: rtd_credit, rtd_token_credit, rtd_tier
-- Columns:
--   period varchar: yyyy-mm
--   tenant_id varchar: who is billed
--   site_id varchar: site
--   workload_id varchar: job or service; empty for tokens
--   product varchar: accelerator model or model name
--   meter varchar: what was counted
--   image_digest varchar: serving image; empty when unknown
--   price_id varchar: price
--   band varchar: tariff band
--   policy_id varchar: adjustment policy; null for tokens
--   rule_id varchar: credit rule, or order
--   tier_no bigint: tier of the price that is given back; −1 for the free allowance
--   quantity decimal(20,6) [GPU-hours, or millions of tokens]: credited part
--   list_unit_price decimal(18,10): price of the tier; 0 in the allowance
--   records bigint: allocations that were hit, or requests
-- Rules: what is given back was sold last, so a credit empties the last tier of its line first and the allowance last; it never gives back more than was charged.
-- Source: SPEC 4, 6.3; DISTRIBUTION 5
with
credits as (
  select
    period, tenant_id, site_id, workload_id, product, 'gpu_hours' as meter, '' as image_digest, price_id, band, policy_id, rule_id, quantity, records
  from rtd_credit
  union all
  select
    period, tenant_id, site_id, '' as workload_id, product, meter, image_digest, price_id, band, cast(null as varchar) as policy_id, rule_id, quantity, records
  from rtd_token_credit
),
given as (
  select
    credits.*,
    sum(quantity) over (
      partition by period, tenant_id, site_id, workload_id, product, meter, image_digest, price_id, band, policy_id
      order by rule_id
      rows between unbounded preceding and current row
    ) as given_to
  from credits
),
sold as (
  select
    rtd_tier.*,
    sum(quantity) over (
      partition by period, tenant_id, site_id, workload_id, product, meter, image_digest, price_id, band, policy_id
      order by tier_no desc
      rows between unbounded preceding and current row
    ) as sold_to
  from rtd_tier
  where kind in ('gpu_hours', 'tokens')
),
parts as (
  select
    given.period,
    given.tenant_id,
    given.site_id,
    given.workload_id,
    given.product,
    given.meter,
    given.image_digest,
    given.price_id,
    given.band,
    given.policy_id,
    given.rule_id,
    sold.tier_no,
    least(cast(given.given_to as decimal(38, 6)), cast(sold.sold_to as decimal(38, 6)))
      - greatest(cast(given.given_to - given.quantity as decimal(38, 6)), cast(sold.sold_to - sold.quantity as decimal(38, 6))) as part,
    sold.list_unit_price,
    given.records
  from given
  inner join sold
    on sold.period = given.period
    and sold.tenant_id = given.tenant_id
    and sold.site_id = given.site_id
    and sold.workload_id = given.workload_id
    and sold.product = given.product
    and sold.meter = given.meter
    and sold.image_digest = given.image_digest
    and sold.price_id = given.price_id
    and sold.band = given.band
    and coalesce(sold.policy_id, '') = coalesce(given.policy_id, '')
)
select
  period,
  tenant_id,
  site_id,
  workload_id,
  product,
  meter,
  image_digest,
  price_id,
  band,
  policy_id,
  rule_id,
  tier_no,
  cast(part as decimal(20, 6)) as quantity,
  list_unit_price,
  records
from parts
where part > 0
