-- Prompt tokens that would have come from the cache had a tenant reused prompts as the others of its model do.
-- Grain: one tenant, site, model and period
-- Key: period, tenant_id, site_id, product
-- Inputs: bill_line
-- Columns:
--   period varchar: yyyy-mm
--   tenant_id varchar: who holds or pays; empty where nobody does
--   site_id varchar: site
--   product varchar: accelerator model or model name
--   workload_id varchar: job or service; empty for a pool or tokens
--   quantity decimal(20,6): millions of tokens
--   unit varchar: 1000000 Tokens
--   unit_value decimal(18,10): lowest price of uncached input less highest price of cached input on the tenant's lines
--   amount decimal(38,2): quantity × unit_value, rounded once
--   basis varchar: price: what the tenant pays
--   evidence varchar: what was measured
-- Rules: the yardstick is the share of cached input over all tenants of the model at the site; a tenant below it is asked to reach it, not to beat it.
-- Source: SPEC 10
with
inputs as (
  select
    period, tenant_id, site_id, product,
    sum(case when meter = 'input_cache_read' then quantity else cast(0 as decimal(20, 6)) end) as cached,
    sum(quantity) as total,
    min(case when meter = 'input_uncached' and tier_no >= 0 then unit_price end) as uncached_price,
    max(case when meter = 'input_cache_read' and tier_no >= 0 then unit_price end) as cached_price
  from bill_line
  where kind = 'tokens'
    and meter in ('input_uncached', 'input_cache_read', 'input_cache_write')
  group by period, tenant_id, site_id, product
),
compared as (
  select
    inputs.*,
    sum(cached) over (partition by period, site_id, product) as all_cached,
    sum(total) over (partition by period, site_id, product) as all_total,
    max(cached_price) over (partition by period, site_id, product) as any_cached_price
  from inputs
),
missed as (
  select
    compared.*,
    cast(cast('0.000001' as decimal(7, 6)) * div_half_up(
      cast(total * cast(1000000 as decimal(18, 0)) as decimal(38, 0)) * cast(all_cached * cast(1000000 as decimal(18, 0)) as decimal(38, 0)),
      cast(all_total * cast(1000000 as decimal(18, 0)) as decimal(38, 0))
    ) as decimal(20, 6)) - cast(cached as decimal(20, 6)) as missed,
    cast(uncached_price - coalesce(cached_price, any_cached_price) as decimal(18, 10)) as saved_price
  from compared
  where all_total > cast(0 as decimal(20, 6))
)
select
  period,
  tenant_id,
  site_id,
  product,
  '' as workload_id,
  cast(missed as decimal(20, 6)) as quantity,
  '1000000 Tokens' as unit,
  saved_price as unit_value,
  cast(round(cast(missed as decimal(38, 6)) * cast(saved_price as decimal(38, 10)), 2) as decimal(38, 2)) as amount,
  'price' as basis,
  cast(cast(cached as decimal(20, 6)) as varchar) || ' of ' || cast(cast(total as decimal(20, 6)) as varchar) || ' million from cache; all tenants ' || cast(cast(all_cached as decimal(20, 6)) as varchar) || ' of ' || cast(cast(all_total as decimal(20, 6)) as varchar) as evidence
from missed
where missed > cast(0 as decimal(20, 6))
  and saved_price > cast(0 as decimal(18, 10))
