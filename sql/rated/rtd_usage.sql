-- What was used, before any price: GPU time and tokens in one shape.
-- Grain: one period, segment, tenant, site, workload, product, meter and kind
-- Key: period, segment_no, kind, tenant_id, tenant_key, site_id, workload_id, product, meter, image_digest
-- Inputs: rtd_allocation_piece, fct_allocation, fct_token_hour, ref_segment, ref_site, ref_token_policy
-- Columns:
--   period varchar: yyyy-mm
--   segment_no bigint: span of the period
--   kind varchar: gpu_hours, gang_wait or tokens
--   tenant_id varchar: who is billed; null when unmapped
--   tenant_key varchar: the source's key, kept only where no tenant is known
--   site_id varchar: site
--   workload_id varchar: job or service; empty for tokens
--   product varchar: accelerator model or model name; null when unknown
--   meter varchar: gpu_hours, input_uncached, input_cache_read, input_cache_write, output, or usage_absent
--   image_digest varchar: serving image; empty when unknown
--   amount bigint [accelerator ms, or tokens]: used; for usage_absent the number of requests
--   records bigint: allocations, or requests with tokens of the meter, behind it
-- Rules: a site bills what its rule says (an unconfigured site bills both); attempts are charged by status; a charged request without usage is kept apart, never zero.
-- Source: SPEC 3, 8
with
gpu_time as (
  select
    pieces.period,
    pieces.segment_no,
    pieces.kind,
    allocations.tenant_id,
    case when allocations.tenant_id is null then allocations.tenant_key end as tenant_key,
    allocations.site_id,
    allocations.workload_id,
    allocations.accelerator_model as product,
    'gpu_hours' as meter,
    '' as image_digest,
    cast(sum(pieces.gpu_ms) as bigint) as amount,
    count(distinct pieces.allocation_id) as records
  from rtd_allocation_piece as pieces
  inner join fct_allocation as allocations
    on allocations.allocation_id = pieces.allocation_id
  left join ref_site as sites
    on sites.site_id = allocations.site_id
  where coalesce(sites.bills_gpu_hours, true)
  group by
    pieces.period, pieces.segment_no, pieces.kind, allocations.tenant_id,
    case when allocations.tenant_id is null then allocations.tenant_key end,
    allocations.site_id, allocations.workload_id, allocations.accelerator_model
),
requests as (
  select
    segments.period,
    segments.segment_no,
    usage.tenant_id,
    case when usage.tenant_id is null then usage.tenant_key end as tenant_key,
    usage.site_id,
    usage.model,
    coalesce(usage.image_digest, '') as image_digest,
    usage.usage_source = 'absent' as is_absent,
    cast(sum(usage.input_uncached_tokens) as bigint) as input_uncached,
    cast(sum(usage.input_cache_read_tokens) as bigint) as input_cache_read,
    cast(sum(usage.input_cache_write_tokens) as bigint) as input_cache_write,
    cast(sum(usage.output_tokens) as bigint) as output_total,
    cast(sum(usage.input_uncached_requests) as bigint) as input_uncached_records,
    cast(sum(usage.input_cache_read_requests) as bigint) as input_cache_read_records,
    cast(sum(usage.input_cache_write_requests) as bigint) as input_cache_write_records,
    cast(sum(usage.output_requests) as bigint) as output_records,
    cast(sum(usage.requests) as bigint) as records
  from fct_token_hour as usage
  inner join ref_segment as segments
    on usage.span_ms >= segments.start_ms
    and usage.span_ms < segments.end_ms
  inner join ref_token_policy as policies
    on policies.period = segments.period
    and policies.status = usage.status
    and policies.charged
  left join ref_site as sites
    on sites.site_id = usage.site_id
  where coalesce(sites.bills_tokens, true)
  group by
    segments.period, segments.segment_no, usage.tenant_id,
    case when usage.tenant_id is null then usage.tenant_key end,
    usage.site_id, usage.model, coalesce(usage.image_digest, ''), usage.usage_source = 'absent'
),
meters as (
  select meter from (values ('input_uncached'), ('input_cache_read'), ('input_cache_write'), ('output'), ('usage_absent')) as names (meter)
),
tokens as (
  select
    requests.period,
    requests.segment_no,
    requests.tenant_id,
    requests.tenant_key,
    requests.site_id,
    requests.model as product,
    meters.meter,
    requests.image_digest,
    case meters.meter
      when 'input_uncached' then requests.input_uncached
      when 'input_cache_read' then requests.input_cache_read
      when 'input_cache_write' then requests.input_cache_write
      when 'output' then requests.output_total
      else case when requests.is_absent then requests.records end
    end as amount,
    case meters.meter
      when 'input_uncached' then requests.input_uncached_records
      when 'input_cache_read' then requests.input_cache_read_records
      when 'input_cache_write' then requests.input_cache_write_records
      when 'output' then requests.output_records
      else requests.records
    end as records
  from requests
  cross join meters
)
select
  period, segment_no, kind, tenant_id, tenant_key, site_id, workload_id, product, meter, image_digest, amount, records
from gpu_time
where amount > 0
union all
select
  period, segment_no, 'tokens' as kind, tenant_id, tenant_key, site_id, '' as workload_id, product, meter, image_digest, amount, records
from tokens
where amount > 0
