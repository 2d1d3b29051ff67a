-- Lines that cannot be multiplied by hand.
-- Kind: equation
-- Grain: one wrong line
-- Key: line_id
-- Inputs: bill_line
-- Columns:
--   period varchar: yyyy-mm
--   line_id varchar: line
--   problem varchar: what does not hold
-- Rules: unit_price = round(list × factor, 10); exact = quantity × unit_price; amount = round(exact, 2).
-- Source: SPEC 7
with
lines as (
  select * from bill_line
)
select
  period,
  line_id,
  case
    when unit_price <> cast(round(cast(list_unit_price as decimal(38, 10)) * cast(factor as decimal(38, 6)), 10) as decimal(18, 10)) then 'unit price'
    when exact_amount <> cast(quantity as decimal(38, 6)) * cast(unit_price as decimal(38, 10)) then 'exact amount'
    else 'rounding'
  end as problem
from lines
where unit_price <> cast(round(cast(list_unit_price as decimal(38, 10)) * cast(factor as decimal(38, 6)), 10) as decimal(18, 10))
  or exact_amount <> cast(quantity as decimal(38, 6)) * cast(unit_price as decimal(38, 10))
  or amount <> cast(round(exact_amount, 2) as decimal(38, 2))
