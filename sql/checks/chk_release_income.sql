-- Periods in which the income of all model versions and of what belongs to none is not the sum of all bills.
-- Kind: equation
-- Grain: one period
-- Key: period
-- Inputs: ana_release_income, bill
-- Columns:
--   period varchar: yyyy-mm
--   income decimal(38,2): sum over model versions, images that nothing tells, and lines without tokens
--   billed decimal(38,2): sum of the bills
-- Rules: to the cent; splitting a line by images neither makes nor loses money.
-- Source: DISTRIBUTION 5
with
income as (
  select period, cast(sum(amount) as decimal(38, 2)) as amount
  from ana_release_income
  group by period
),
billed as (
  select period, cast(sum(total) as decimal(38, 2)) as amount
  from bill
  group by period
)
select
  coalesce(income.period, billed.period) as period,
  cast(coalesce(income.amount, cast(0 as decimal(38, 2))) as decimal(38, 2)) as income,
  cast(coalesce(billed.amount, cast(0 as decimal(38, 2))) as decimal(38, 2)) as billed
from income
full outer join billed
  on billed.period = income.period
where coalesce(income.amount, cast(0 as decimal(38, 2))) <> coalesce(billed.amount, cast(0 as decimal(38, 2)))
