-- Where every stored token row of the warehouse went, seen from one period: the right side of the equations of rows and tokens.
-- Grain: one period and class
-- Key: period, class
-- Inputs: fct_token_hour, fct_token_repeat, ref_period, ref_setting, ref_site, ref_token_policy
-- Columns:
--   period varchar: yyyy-mm
--   class varchar: charged, not_charged, site_rule, duplicate, conflict, earlier, later or too_late
--   usage_rows bigint: stored rows
--   input_uncached bigint [tokens]: of these rows
--   input_cache_read bigint [tokens]: of these rows
--   input_cache_write bigint [tokens]: of these rows
--   output_total bigint [tokens]: of these rows
-- Rules: not_charged by the status policy, site_rule where a site bills something else, too_late where no close corrects the month any more.
-- Source: RELIABILITY 3.4
with
settings as (
  select correct_from_ms from ref_setting
),
repeats as (
  select
    case when is_conflict then 'conflict' else 'duplicate' end as class,
    cast(1 as bigint) as requests,
    input_uncached_tokens, input_cache_read_tokens, input_cache_write_tokens, output_tokens
  from fct_token_repeat
),
classed as (
  select
    periods.period,
    case
      when usage.span_ms < coalesce(settings.correct_from_ms, 0) then 'too_late'
      when usage.span_ms < periods.start_ms then 'earlier'
      when usage.span_ms >= periods.end_ms then 'later'
      when not coalesce(policies.charged, false) then 'not_charged'
      when not coalesce(sites.bills_tokens, true) then 'site_rule'
      else 'charged'
    end as class,
    usage.requests,
    usage.input_uncached_tokens, usage.input_cache_read_tokens, usage.input_cache_write_tokens, usage.output_tokens
  from fct_token_hour as usage
  cross join ref_period as periods
  cross join settings
  left join ref_token_policy as policies
    on policies.period = periods.period
    and policies.status = usage.status
  left join ref_site as sites
    on sites.site_id = usage.site_id
  union all
  select
    periods.period, repeats.class, repeats.requests,
    repeats.input_uncached_tokens, repeats.input_cache_read_tokens, repeats.input_cache_write_tokens, repeats.output_tokens
  from repeats
  cross join ref_period as periods
)
select
  period,
  class,
  cast(sum(requests) as bigint) as usage_rows,
  cast(coalesce(sum(input_uncached_tokens), 0) as bigint) as input_uncached,
  cast(coalesce(sum(input_cache_read_tokens), 0) as bigint) as input_cache_read,
  cast(coalesce(sum(input_cache_write_tokens), 0) as bigint) as input_cache_write,
  cast(coalesce(sum(output_tokens), 0) as bigint) as output_total
from classed
group by period, class
