-- What each model release earned from tokens and what its serving accelerators cost, site by site.
-- Grain: one site, release, model and image digest, period
-- Key: period, site_id, release_id, model, image_digest
-- Inputs: bill_line, ref_release, ref_release_workload, ref_period, rtd_allocation_piece, fct_allocation, ref_site, ana_pool
-- Columns:
--   period varchar: yyyy-mm
--   site_id varchar: site
--   release_id varchar: release of the price book; empty for income or accelerators that no release names
--   model varchar: model that is priced; empty on cost that no release names
--   image_digest varchar: serving image on the charge lines; empty when unknown, and on cost
--   million_tokens decimal(38,6) [millions of tokens]: charged
--   income decimal(38,2): what tenants pay for them
--   serving_hours decimal(20,6) [GPU-hours]: held by workloads that serve it
--   serving_cost decimal(38,2): their cost; null when no cost of the pool is known
-- Rules: the most specific release that holds at the period's end takes the income; cost is that of sites that sell tokens, or of workloads that a release names.
-- Source: SPEC 9
with
earned as (
  select
    lines.period,
    lines.site_id,
    lines.product as model,
    lines.image_digest,
    cast(sum(case when lines.kind = 'tokens' then lines.quantity else cast(0 as decimal(20, 6)) end) as decimal(38, 6)) as million_tokens,
    cast(sum(lines.amount) as decimal(38, 2)) as income
  from bill_line as lines
  where lines.meter <> 'gpu_hours'
    and lines.kind in ('tokens', 'credit')
  group by lines.period, lines.site_id, lines.product, lines.image_digest
),
named_income as (
  select
    earned.*,
    releases.release_id,
    row_number() over (partition by earned.period, earned.site_id, earned.model, earned.image_digest order by releases.specificity desc, releases.release_id) as preference
  from earned
  inner join ref_period as periods
    on periods.period = earned.period
  left join ref_release as releases
    on releases.model = earned.model
    and (releases.image_digest = '' or releases.image_digest = earned.image_digest)
    and (releases.site_id = '' or releases.site_id = earned.site_id)
    and periods.end_ms > releases.from_ms
    and periods.end_ms <= releases.to_ms
),
held as (
  select
    pieces.period,
    allocations.site_id,
    allocations.workload_id,
    coalesce(allocations.accelerator_model, '') as accelerator_model,
    cast(sum(pieces.gpu_ms) as decimal(14, 0)) as gpu_ms
  from rtd_allocation_piece as pieces
  inner join fct_allocation as allocations
    on allocations.allocation_id = pieces.allocation_id
  group by pieces.period, allocations.site_id, allocations.workload_id, coalesce(allocations.accelerator_model, '')
),
served as (
  select
    held.period,
    held.site_id,
    coalesce(releases.release_id, '') as release_id,
    coalesce(releases.model, '') as model,
    held.accelerator_model,
    held.gpu_ms
  from held
  inner join ref_period as periods
    on periods.period = held.period
  left join ref_site as sites
    on sites.site_id = held.site_id
  left join (
    select ref_release.*, workloads.workload_id
    from ref_release
    inner join ref_release_workload as workloads
      on workloads.release_id = ref_release.release_id
      and workloads.role = 'serving'
  ) as releases
    on releases.workload_id = held.workload_id
    and (releases.site_id = '' or releases.site_id = held.site_id)
    and periods.end_ms > releases.from_ms
    and periods.end_ms <= releases.to_ms
  where releases.release_id is not null
    or (coalesce(sites.bills_tokens, false) and not coalesce(sites.bills_gpu_hours, true))
),
pooled as (
  select
    period, site_id, release_id, model, accelerator_model,
    cast(round(cast(sum(gpu_ms) as decimal(14, 0)) * cast('0.000000277777777777777778' as decimal(24, 24)), 6) as decimal(20, 6)) as hours
  from served
  group by period, site_id, release_id, model, accelerator_model
),
spent as (
  select
    pooled.period,
    pooled.site_id,
    pooled.release_id,
    pooled.model,
    sum(pooled.hours) as serving_hours,
    case when count(*) = count(pools.cost_per_gpu_hour)
      then sum(cast(round(cast(pooled.hours as decimal(38, 6)) * cast(pools.cost_per_gpu_hour as decimal(38, 10)), 2) as decimal(38, 2))) end as serving_cost
  from pooled
  left join ana_pool as pools
    on pools.period = pooled.period
    and pools.site_id = pooled.site_id
    and pools.accelerator_model = pooled.accelerator_model
  group by pooled.period, pooled.site_id, pooled.release_id, pooled.model
),
rows_of_both as (
  select
    period, site_id, coalesce(release_id, '') as release_id, model, image_digest,
    million_tokens, income, cast(0 as decimal(20, 6)) as serving_hours, cast(0 as decimal(38, 2)) as serving_cost
  from named_income
  where preference = 1
  union all
  select
    period, site_id, release_id, model, '' as image_digest,
    cast(0 as decimal(38, 6)) as million_tokens, cast(0 as decimal(38, 2)) as income, serving_hours, serving_cost
  from spent
)
select
  period,
  site_id,
  release_id,
  model,
  image_digest,
  cast(sum(million_tokens) as decimal(38, 6)) as million_tokens,
  cast(sum(income) as decimal(38, 2)) as income,
  cast(sum(serving_hours) as decimal(20, 6)) as serving_hours,
  cast(case when count(*) = count(serving_cost) then sum(serving_cost) end as decimal(38, 2)) as serving_cost
from rows_of_both
group by period, site_id, release_id, model, image_digest
