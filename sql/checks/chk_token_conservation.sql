-- Charged tokens that are on no line and on no list of unrated usage.
-- Kind: equation
-- Grain: one period and meter that is wrong
-- Key: period, meter
-- Inputs: rtd_usage, rtd_tier, bill_unrated
-- Columns:
--   period varchar: yyyy-mm
--   meter varchar: what is counted
--   used decimal(38,6) [million tokens]: used
--   accounted decimal(38,6) [million tokens]: on lines and unrated
-- Source: SPEC 3
with
used as (
  select period, meter, cast(sum(cast(amount as decimal(38, 0)) * cast('0.000001' as decimal(7, 6))) as decimal(38, 6)) as quantity
  from rtd_usage
  where kind = 'tokens' and meter <> 'usage_absent'
  group by period, meter
),
accounted as (
  select period, meter, cast(sum(quantity) as decimal(38, 6)) as quantity
  from (
    select period, meter, quantity from rtd_tier where kind = 'tokens'
    union all
    select period, case
        when sku like '%:input_uncached' then 'input_uncached'
        when sku like '%:input_cache_read' then 'input_cache_read'
        when sku like '%:input_cache_write' then 'input_cache_write'
        when sku like '%:output' then 'output'
      end as meter, quantity
    from bill_unrated
    where kind = 'tokens' and unit <> 'Requests'
  ) as parts
  group by period, meter
)
select
  used.period,
  used.meter,
  used.quantity as used,
  coalesce(accounted.quantity, cast(0 as decimal(38, 6))) as accounted
from used
left join accounted
  on accounted.period = used.period
  and accounted.meter = used.meter
where used.quantity <> coalesce(accounted.quantity, cast(0 as decimal(38, 6)))
