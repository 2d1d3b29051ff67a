-- Hours for which the warehouse does not hold what the producer promised.
-- Kind: finding
-- Grain: one broken promise
-- Key: promise_id
-- Inputs: rtd_promise
-- Columns:
--   promise_id varchar: kind:source/site/from
--   requests bigint: promised attempts
--   found_requests bigint: accepted attempts
--   input_tokens bigint [tokens]: promised
--   found_input_tokens bigint [tokens]: found
--   output_tokens bigint [tokens]: promised
--   found_output_tokens bigint [tokens]: found
-- Source: RELIABILITY 3.2
select
  promise_id,
  requests,
  found_requests,
  input_tokens,
  found_input_tokens,
  output_tokens,
  found_output_tokens
from rtd_promise
where not is_kept
