-- Priced quantities whose tiers do not add up to them.
-- Kind: equation
-- Grain: one period, tenant, product, meter and kind that is wrong
-- Key: period, tenant_id, product, meter, kind
-- Inputs: rtd_quantity, rtd_tier
-- Columns:
--   period varchar: yyyy-mm
--   tenant_id varchar: who is billed
--   product varchar: accelerator model or model name
--   meter varchar: what is counted
--   kind varchar: gpu_hours, gang_wait or tokens
--   quantity decimal(38,6): priced
--   tiered decimal(38,6): sum over tiers
-- Source: SPEC 6.3
with
priced as (
  select period, tenant_id, product, meter, kind, cast(sum(quantity) as decimal(38, 6)) as quantity
  from rtd_quantity
  where price_id is not null and tenant_id is not null
  group by period, tenant_id, product, meter, kind
),
tiered as (
  select period, tenant_id, product, meter, kind, cast(sum(quantity) as decimal(38, 6)) as quantity
  from rtd_tier
  group by period, tenant_id, product, meter, kind
)
select
  priced.period,
  priced.tenant_id,
  priced.product,
  priced.meter,
  priced.kind,
  priced.quantity,
  coalesce(tiered.quantity, cast(0 as decimal(38, 6))) as tiered
from priced
left join tiered
  on tiered.period = priced.period
  and tiered.tenant_id = priced.tenant_id
  and tiered.product = priced.product
  and tiered.meter = priced.meter
  and tiered.kind = priced.kind
where priced.quantity <> coalesce(tiered.quantity, cast(0 as decimal(38, 6)))
