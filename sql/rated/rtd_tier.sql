-- Priced quantities split over free allowance and price tiers.
-- Grain: one quantity of rtd_quantity and tier
-- Key: period, kind, tenant_id, site_id, workload_id, product, meter, image_digest, price_id, band, policy_id, tier_no
-- Inputs: rtd_quantity, ref_price, ref_price_tier, ref_allowance, ref_period
-- Columns:
--   period varchar: yyyy-mm
--   kind varchar: gpu_hours, gang_wait or tokens
--   tenant_id varchar: who is billed
--   site_id varchar: site
--   workload_id varchar: job or service
--   product varchar: accelerator model or model name
--   meter varchar: what is counted
--   image_digest varchar: serving image
--   price_id varchar: price
--   band varchar: tariff band
--   policy_id varchar: adjustment policy
--   tier_no bigint: tier of the price; −1 for the free allowance
--   quantity decimal(20,6) [GPU-hours, or millions of tokens]: part in this tier
--   list_unit_price decimal(18,10): price of the tier; 0 in the allowance
--   records bigint: allocations or requests behind the whole quantity
-- Rules: a tenant's consumption of one product and meter fills the allowance first, then the tiers, in the order price date, price, site, workload, kind, band; the parts add up to the quantity. Volume tiers price all by the total.
-- Source: SPEC 6.3
with
priced as (
  select * from rtd_quantity where price_id is not null and tenant_id is not null
),
ordered as (
  select
    priced.*,
    sum(quantity) over (
      partition by period, tenant_id, product, meter
      order by price_from_ms, price_id, site_id, workload_id, image_digest, kind, band, coalesce(policy_id, '')
      rows between unbounded preceding and current row
    ) as filled_after
  from priced
),
allowances as (
  select
    periods.period,
    allowances.tenant_id,
    allowances.product,
    allowances.meter,
    sum(allowances.quantity) as quantity
  from ref_allowance as allowances
  inner join ref_period as periods
    on allowances.from_ms < periods.end_ms
    and allowances.to_ms > periods.start_ms
  group by periods.period, allowances.tenant_id, allowances.product, allowances.meter
),
positioned as (
  select
    ordered.*,
    cast(ordered.filled_after - ordered.quantity as decimal(38, 6)) as position_from,
    cast(ordered.filled_after as decimal(38, 6)) as position_to,
    cast(coalesce(own.quantity, everybody.quantity, cast(0 as decimal(20, 6))) as decimal(38, 6)) as free_quantity
  from ordered
  left join allowances as own
    on own.period = ordered.period
    and own.tenant_id = ordered.tenant_id
    and own.product = ordered.product
    and own.meter = ordered.meter
  left join allowances as everybody
    on everybody.period = ordered.period
    and everybody.tenant_id = ''
    and everybody.product = ordered.product
    and everybody.meter = ordered.meter
),
charged as (
  select
    positioned.*,
    greatest(position_from - free_quantity, cast(0 as decimal(38, 6))) as charged_from,
    greatest(position_to - free_quantity, cast(0 as decimal(38, 6))) as charged_to,
    greatest(max(position_to) over (partition by period, tenant_id, product, meter) - free_quantity, cast(0 as decimal(38, 6))) as charged_total
  from positioned
),
free as (
  select
    charged.*,
    cast(-1 as bigint) as tier_no,
    least(position_to, free_quantity) - position_from as part,
    cast(0 as decimal(18, 10)) as list_unit_price
  from charged
  where position_from < free_quantity
    and position_to > position_from
),
tiered as (
  select
    charged.*,
    tiers.tier_no,
    case
      when prices.tier_mode = 'volume' then charged.charged_to - charged.charged_from
      else least(charged.charged_to, cast(tiers.to_quantity as decimal(38, 6))) - greatest(charged.charged_from, cast(tiers.from_quantity as decimal(38, 6)))
    end as part,
    tiers.unit_price as list_unit_price
  from charged
  inner join ref_price as prices
    on prices.price_id = charged.price_id
    and prices.product = charged.product
    and prices.meter = charged.meter
    and prices.band = charged.band
  inner join ref_price_tier as tiers
    on tiers.price_id = charged.price_id
    and tiers.meter = charged.meter
    and tiers.band = prices.band
  where charged.charged_to > charged.charged_from
    and (
      (prices.tier_mode = 'volume' and charged.charged_total > tiers.from_quantity and charged.charged_total <= tiers.to_quantity)
      or (prices.tier_mode <> 'volume' and charged.charged_from < tiers.to_quantity and charged.charged_to > tiers.from_quantity)
    )
)
select
  period, kind, tenant_id, site_id, workload_id, product, meter, image_digest, price_id, band, policy_id, tier_no,
  cast(part as decimal(20, 6)) as quantity, list_unit_price, records
from free
union all
select
  period, kind, tenant_id, site_id, workload_id, product, meter, image_digest, price_id, band, policy_id, tier_no,
  cast(part as decimal(20, 6)) as quantity, list_unit_price, records
from tiered
