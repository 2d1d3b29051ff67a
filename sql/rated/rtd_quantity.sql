-- Usage with its price and its adjustment policy, segments of one price put together.
-- Grain: one period, tenant, site, workload, product, meter, kind, price, band and policy
-- Key: period, kind, tenant_id, tenant_key, site_id, workload_id, product, meter, image_digest, price_id, band, policy_id
-- Inputs: rtd_usage, rtd_price_match, rtd_allocation_piece, fct_allocation
-- Columns:
--   period varchar: yyyy-mm
--   kind varchar: gpu_hours, gang_wait or tokens
--   tenant_id varchar: who is billed; null when unmapped
--   tenant_key varchar: the source's key where no tenant is known
--   site_id varchar: site
--   workload_id varchar: job or service; empty for tokens
--   product varchar: accelerator model or model name
--   meter varchar: what is counted
--   image_digest varchar: serving image; empty when unknown
--   price_id varchar: price that matches best; null when none does
--   band varchar: tariff band; empty without time of use
--   policy_id varchar: adjustment policy in force; null for tokens or when there is none
--   price_from_ms bigint [epoch ms UTC]: when the price took effect, for the order in which tiers fill
--   amount bigint [accelerator ms, or tokens]: used, exact
--   quantity decimal(20,6) [GPU-hours, or millions of tokens]: amount quantised half up to 0.000001
--   records bigint: allocations or requests behind it, each counted once
-- Rules: GPU-hours are gpu_ms times a 24-digit constant, exactly half up for gpu_ms up to 10^13, ties included, without a division.
-- Source: SPEC 7
with
priced as (
  select
    usage.period,
    usage.kind,
    usage.tenant_id,
    usage.tenant_key,
    usage.site_id,
    usage.workload_id,
    usage.product,
    usage.meter,
    usage.image_digest,
    matches.price_id,
    matches.band,
    matches.price_from_ms,
    matches.policy_id,
    usage.amount,
    usage.records
  from rtd_usage as usage
  inner join rtd_price_match as matches
    on matches.period = usage.period
    and matches.segment_no = usage.segment_no
    and matches.site_id = usage.site_id
    and coalesce(matches.product, '') = coalesce(usage.product, '')
    and matches.meter = usage.meter
    and matches.image_digest = usage.image_digest
    and coalesce(matches.tenant_id, '') = coalesce(usage.tenant_id, '')
),
summed as (
  select
    period, kind, tenant_id, tenant_key, site_id, workload_id, product, meter, image_digest, price_id, band, policy_id,
    min(price_from_ms) as price_from_ms,
    cast(sum(amount) as bigint) as amount,
    cast(sum(records) as bigint) as records
  from priced
  group by period, kind, tenant_id, tenant_key, site_id, workload_id, product, meter, image_digest, price_id, band, policy_id
),
holders as (
  select
    pieces.period,
    pieces.kind,
    coalesce(allocations.tenant_id, '') as tenant_id,
    coalesce(case when allocations.tenant_id is null then allocations.tenant_key end, '') as tenant_key,
    allocations.site_id,
    allocations.workload_id,
    coalesce(allocations.accelerator_model, '') as product,
    coalesce(matches.price_id, '') as price_id,
    matches.band,
    coalesce(matches.policy_id, '') as policy_id,
    count(distinct pieces.allocation_id) as records
  from rtd_allocation_piece as pieces
  inner join fct_allocation as allocations
    on allocations.allocation_id = pieces.allocation_id
  inner join rtd_price_match as matches
    on matches.period = pieces.period
    and matches.segment_no = pieces.segment_no
    and matches.site_id = allocations.site_id
    and coalesce(matches.product, '') = coalesce(allocations.accelerator_model, '')
    and matches.meter = 'gpu_hours'
    and coalesce(matches.tenant_id, '') = coalesce(allocations.tenant_id, '')
  where pieces.gpu_ms > 0
  group by
    pieces.period, pieces.kind, coalesce(allocations.tenant_id, ''),
    coalesce(case when allocations.tenant_id is null then allocations.tenant_key end, ''),
    allocations.site_id, allocations.workload_id, coalesce(allocations.accelerator_model, ''),
    coalesce(matches.price_id, ''), matches.band, coalesce(matches.policy_id, '')
)
select
  summed.period,
  summed.kind,
  summed.tenant_id,
  summed.tenant_key,
  summed.site_id,
  summed.workload_id,
  summed.product,
  summed.meter,
  summed.image_digest,
  summed.price_id,
  summed.band,
  summed.policy_id,
  summed.price_from_ms,
  summed.amount,
  cast(case
    when summed.kind = 'tokens' then cast(summed.amount as decimal(38, 0)) * cast('0.000001' as decimal(7, 6))
    else round(cast(summed.amount as decimal(14, 0)) * cast('0.000000277777777777777778' as decimal(24, 24)), 6)
  end as decimal(20, 6)) as quantity,
  coalesce(holders.records, summed.records) as records
from summed
left join holders
  on summed.meter = 'gpu_hours'
  and holders.period = summed.period
  and holders.kind = summed.kind
  and holders.tenant_id = coalesce(summed.tenant_id, '')
  and holders.tenant_key = coalesce(summed.tenant_key, '')
  and holders.site_id = summed.site_id
  and holders.workload_id = summed.workload_id
  and holders.product = coalesce(summed.product, '')
  and holders.price_id = coalesce(summed.price_id, '')
  and holders.band = summed.band
  and holders.policy_id = coalesce(summed.policy_id, '')
