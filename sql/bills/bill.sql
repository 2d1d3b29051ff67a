-- Bills: the sum of the rounded lines of a tenant and period.
-- Grain: one tenant and period
-- Key: period, tenant_id
-- Inputs: bill_line
-- Columns:
--   period varchar: yyyy-mm
--   tenant_id varchar: who is billed
--   total decimal(38,2): sum of amounts
--   currency varchar: ISO 4217
--   lines bigint: number of lines
-- Source: SPEC 7
with
lines as (
  select * from bill_line
)
select
  period,
  tenant_id,
  cast(sum(amount) as decimal(38, 2)) as total,
  currency,
  count(*) as lines
from lines
group by period, tenant_id, currency
