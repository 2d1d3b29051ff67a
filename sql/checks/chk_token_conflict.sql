-- Requests logged again under the same key with other content; the first committed counts.
-- Kind: finding
-- Grain: one losing row
-- Key: request_key, object_id, line
-- Inputs: fct_token_repeat
-- Columns:
--   request_key varchar: natural key
--   source varchar: source name
--   native_id varchar: the source's own key
--   object_id varchar: object of the losing row
--   line bigint: line of the losing row
--   first_object_id varchar: object of the row that counts
--   first_line bigint: line of the row that counts
-- Source: SPEC 3
select
  request_key,
  source,
  native_id,
  object_id,
  line,
  first_object_id,
  first_line
from fct_token_repeat
where is_conflict
