-- What an hour of each pool is worth when it is wasted.
-- Grain: one site, accelerator model and period
-- Key: period, site_id, accelerator_model
-- Inputs: ana_pool, ref_price, ref_price_tier, ref_period
-- Columns:
--   period varchar: yyyy-mm
--   site_id varchar: site
--   accelerator_model varchar: catalog model
--   hour_value decimal(18,10): cost of a GPU-hour; without one the lowest list price of everybody; null when neither is stated
--   basis varchar: cost or list_price
-- Rules: prices are those in force at the end of the period; rate cards of single tenants do not count.
-- Source: SPEC 10
with
listed as (
  select
    pools.period,
    pools.site_id,
    pools.accelerator_model,
    min(tiers.unit_price) as unit_price
  from ana_pool as pools
  inner join ref_period as periods
    on periods.period = pools.period
  inner join ref_price as prices
    on prices.product = pools.accelerator_model
    and prices.meter = 'gpu_hours'
    and prices.tenant_id = ''
    and (prices.site_id = '' or prices.site_id = pools.site_id)
    and prices.from_ms < periods.end_ms
    and prices.to_ms >= periods.end_ms
  inner join ref_price_tier as tiers
    on tiers.price_id = prices.price_id
    and tiers.meter = prices.meter
    and tiers.band = prices.band
  group by pools.period, pools.site_id, pools.accelerator_model
)
select
  pools.period,
  pools.site_id,
  pools.accelerator_model,
  coalesce(pools.cost_per_gpu_hour, listed.unit_price) as hour_value,
  case when pools.cost_per_gpu_hour is not null then 'cost' when listed.unit_price is not null then 'list_price' end as basis
from ana_pool as pools
left join listed
  on listed.period = pools.period
  and listed.site_id = pools.site_id
  and listed.accelerator_model = pools.accelerator_model
