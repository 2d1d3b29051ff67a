-- What would have been saved had the work run in the cheapest tariff band.
-- Grain: one workload, tenant, site, accelerator model, price, tier and band of a period
-- Key: period, tenant_id, site_id, product, workload_id, unit_value, evidence
-- Inputs: bill_line, ref_segment, ref_price, ref_price_tier
-- Columns:
--   period varchar: yyyy-mm
--   tenant_id varchar: who holds or pays; empty where nobody does
--   site_id varchar: site
--   product varchar: accelerator model or model name
--   workload_id varchar: job or service; empty for a pool or tokens
--   quantity decimal(20,6): GPU-hours in a dearer band
--   unit varchar: GPU-Hours
--   unit_value decimal(18,10): price of the band less that of the cheapest one, times the factor of the line
--   amount decimal(38,2): quantity × unit_value, rounded once
--   basis varchar: price: what the tenant pays
--   evidence varchar: what was measured
-- Rules: bands are those of the period; the same tier of the same price is compared; as far as the work can wait.
-- Source: SPEC 10
with
bands as (
  select distinct period, band
  from ref_segment
  where band <> ''
),
offered as (
  select
    bands.period,
    prices.price_id,
    prices.product,
    tiers.tier_no,
    min(coalesce(own_tiers.unit_price, tiers.unit_price)) as unit_price
  from bands
  inner join ref_price as prices
    on prices.meter = 'gpu_hours'
    and prices.band = ''
  inner join ref_price_tier as tiers
    on tiers.price_id = prices.price_id
    and tiers.meter = prices.meter
    and tiers.band = ''
  left join ref_price_tier as own_tiers
    on own_tiers.price_id = prices.price_id
    and own_tiers.meter = prices.meter
    and own_tiers.band = bands.band
    and own_tiers.tier_no = tiers.tier_no
  group by bands.period, prices.price_id, prices.product, tiers.tier_no
),
dearer as (
  select
    lines.*,
    cast(lines.unit_price - cast(round(cast(offered.unit_price as decimal(38, 10)) * cast(lines.factor as decimal(38, 6)), 10) as decimal(18, 10)) as decimal(18, 10)) as saved_price
  from bill_line as lines
  inner join offered
    on offered.period = lines.period
    and offered.price_id = lines.price_id
    and offered.product = lines.product
    and offered.tier_no = lines.tier_no
    and offered.unit_price < lines.list_unit_price
  where lines.kind = 'gpu_hours'
)
select
  period,
  tenant_id,
  site_id,
  product,
  workload_id,
  quantity,
  unit,
  saved_price as unit_value,
  cast(round(cast(quantity as decimal(38, 6)) * cast(saved_price as decimal(38, 10)), 2) as decimal(38, 2)) as amount,
  'price' as basis,
  'line ' || line_id || ' in band ' || band as evidence
from dearer
