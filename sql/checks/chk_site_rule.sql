-- Usage that nobody is charged for because its site bills something else (an edge bills tokens, headquarters GPU-hours).
-- Kind: finding
-- Grain: one period, site and kind of usage
-- Key: period, site_id, kind
-- Inputs: rtd_allocation_piece, fct_allocation, fct_token_hour, ref_period, ref_site
-- Columns:
--   period varchar: yyyy-mm
--   site_id varchar: site
--   kind varchar: gpu_hours or tokens
--   amount bigint [accelerator ms, or tokens]: used and not charged
--   records bigint: allocations or requests behind it
-- Rules: what is listed is the platform's own cost; a surprise here is a site whose `bills` is wrong, or usage landed at the wrong site.
-- Source: SPEC 8
with
gpu_time as (
  select
    pieces.period,
    allocations.site_id,
    'gpu_hours' as kind,
    cast(sum(pieces.gpu_ms) as bigint) as amount,
    count(distinct pieces.allocation_id) as records
  from rtd_allocation_piece as pieces
  inner join fct_allocation as allocations
    on allocations.allocation_id = pieces.allocation_id
  inner join ref_site as sites
    on sites.site_id = allocations.site_id
    and not sites.bills_gpu_hours
  group by pieces.period, allocations.site_id
),
tokens as (
  select
    periods.period,
    usage.site_id,
    'tokens' as kind,
    cast(sum(coalesce(usage.input_uncached_tokens, 0) + coalesce(usage.input_cache_read_tokens, 0) + coalesce(usage.input_cache_write_tokens, 0) + coalesce(usage.output_tokens, 0)) as bigint) as amount,
    cast(sum(usage.requests) as bigint) as records
  from fct_token_hour as usage
  inner join ref_period as periods
    on usage.span_ms >= periods.start_ms
    and usage.span_ms < periods.end_ms
  inner join ref_site as sites
    on sites.site_id = usage.site_id
    and not sites.bills_tokens
  group by periods.period, usage.site_id
)
select period, site_id, kind, amount, records
from gpu_time
union all
select period, site_id, kind, amount, records
from tokens
