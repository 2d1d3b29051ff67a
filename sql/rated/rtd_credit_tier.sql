-- Credits split over the tiers of the line they give back, the last tier first.
-- Grain: one credit of rtd_credit and tier
-- Key: period, tenant_id, site_id, workload_id, product, price_id, band, policy_id, rule_id, tier_no
-- Inputs: rtd_credit, rtd_tier
-- Columns:
--   period varchar: yyyy-mm
--   tenant_id varchar: who is billed
--   site_id varchar: site
--   workload_id varchar: job or service
--   product varchar: accelerator model
--   price_id varchar: price
--   band varchar: tariff band
--   policy_id varchar: adjustment policy
--   rule_id varchar: credit rule
--   tier_no bigint: tier of the price that is given back; −1 for the free allowance
--   quantity decimal(20,6) [GPU-hours]: credited part
--   list_unit_price decimal(18,10): price of the tier; 0 in the allowance
--   records bigint: allocations that were hit
-- Rules: the hours that were lost are those sold last, so a credit empties the workload's last tier first and the allowance last; it never gives back more than was charged.
-- Source: SPEC 4, 6.3
with
given as (
  select
    rtd_credit.*,
    sum(quantity) over (
      partition by period, tenant_id, site_id, workload_id, product, price_id, band, policy_id
      order by rule_id
      rows between unbounded preceding and current row
    ) as given_to
  from rtd_credit
),
sold as (
  select
    rtd_tier.*,
    sum(quantity) over (
      partition by period, tenant_id, site_id, workload_id, product, price_id, band, policy_id
      order by tier_no desc
      rows between unbounded preceding and current row
    ) as sold_to
  from rtd_tier
  where kind = 'gpu_hours'
),
parts as (
  select
    given.period,
    given.tenant_id,
    given.site_id,
    given.workload_id,
    given.product,
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
