-- Lines that share an id, which would make an explanation ambiguous.
-- Kind: equation
-- Grain: one shared id
-- Key: line_id
-- Inputs: bill_line
-- Columns:
--   line_id varchar: shared id
--   lines bigint: how often it occurs
-- Source: SPEC 7
with
lines as (
  select * from bill_line
)
select
  line_id,
  count(*) as lines
from lines
group by line_id
having count(*) > 1
