-- Places of token rows whose natural key seems to occur again: the only ones where it must be decided which row counts.
-- Grain: one line of an object
-- Key: object_id, line
-- Inputs: raw_token_usage
-- Columns:
--   object_id varchar: landed object
--   line bigint: line in the object
-- Rules: keys are compared by a hash of eight bytes, so a place may be listed for nothing, and none that matters is missing.
-- Source: SPEC 3
with
again as (
  select xxhash64(to_utf8(native_id)) as key_hash
  from raw_token_usage
  group by xxhash64(to_utf8(native_id))
  having count(*) > 1
)
select distinct rows_again.object_id, rows_again.line
from raw_token_usage as rows_again
inner join again
  on again.key_hash = xxhash64(to_utf8(rows_again.native_id))
