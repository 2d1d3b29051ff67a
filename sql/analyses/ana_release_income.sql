-- What every charge line earned, token income by the image that served it: named by the gateway, or known from what was live at the site.
-- Grain: one period, tenant, site, model, image digest, basis and standing
-- Key: period, tenant_id, site_id, model, image_digest, basis, standing
-- Inputs: bill_line, fct_token_hour, ref_period, ref_site, ref_token_policy, ref_token_credit, ref_edge_rollout
-- Columns:
--   period varchar: yyyy-mm
--   tenant_id varchar: who is billed
--   site_id varchar: site
--   model varchar: model that is priced; empty where no tokens are charged
--   image_digest varchar: image that served; empty when nothing tells
--   model_version varchar: version in that image; empty when the fleet does not know it
--   basis varchar: reported (the record names the image), live (it was live at the site then), none (nothing tells), credit (given back), other (no tokens)
--   standing varchar: live, rolled_back (it was, and was taken back), never_live (not live there then), credited (given back by an order), unknown (the fleet does not know the model at the site)
--   million_tokens decimal(38,6) [millions of tokens]: charged; 0 where they are given back, as they were served all the same
--   amount decimal(38,2): what the tenant pays
-- Rules: a line whose requests were served by several images is split by their tokens, to the cent; the largest part takes what rounding leaves.
-- Source: DISTRIBUTION 5
with
spans as (
  select site_id, model, image_digest, live_ms, until_ms, rolled_back
  from ref_edge_rollout
  where live_ms is not null
),
known as (
  select distinct site_id, model from spans
),
versions as (
  select model, image_digest, min(model_version) as model_version
  from ref_edge_rollout
  group by model, image_digest
),
requests as (
  select
    periods.period, usage.tenant_id, usage.site_id, usage.model, coalesce(usage.image_digest, '') as reported, usage.span_ms,
    cast(coalesce(sum(usage.input_uncached_tokens), 0) as bigint) as input_uncached,
    cast(coalesce(sum(usage.input_cache_read_tokens), 0) as bigint) as input_cache_read,
    cast(coalesce(sum(usage.input_cache_write_tokens), 0) as bigint) as input_cache_write,
    cast(coalesce(sum(usage.output_tokens), 0) as bigint) as output_total
  from fct_token_hour as usage
  inner join ref_period as periods
    on usage.span_ms >= periods.start_ms
    and usage.span_ms < periods.end_ms
  inner join ref_token_policy as policies
    on policies.period = periods.period
    and policies.status = usage.status
    and policies.charged
  left join ref_site as sites
    on sites.site_id = usage.site_id
  where usage.tenant_id is not null
    and coalesce(sites.bills_tokens, true)
  group by periods.period, usage.tenant_id, usage.site_id, usage.model, coalesce(usage.image_digest, ''), usage.span_ms
),
served as (
  select
    requests.*,
    spans.image_digest as live_digest,
    spans.rolled_back,
    known.site_id is not null as is_known,
    row_number() over (
      partition by requests.period, requests.tenant_id, requests.site_id, requests.model, requests.reported, requests.span_ms
      order by spans.live_ms desc
    ) as preference
  from requests
  left join known
    on known.site_id = requests.site_id
    and known.model = requests.model
  left join spans
    on spans.site_id = requests.site_id
    and spans.model = requests.model
    and requests.span_ms >= spans.live_ms
    and requests.span_ms < spans.until_ms
    and (requests.reported = '' or requests.reported = spans.image_digest)
),
judged as (
  select
    served.*,
    case when reported <> '' then reported else coalesce(live_digest, '') end as image_digest,
    case when reported <> '' then 'reported' when live_digest is not null then 'live' else 'none' end as basis,
    case
      when not is_known then 'unknown'
      when live_digest is null then 'never_live'
      when rolled_back then 'rolled_back'
      else 'live'
    end as standing
  from served
  where preference = 1
),
metered as (
  select period, tenant_id, site_id, model, reported, image_digest, basis, standing, 'input_uncached' as meter, input_uncached as tokens from judged
  union all
  select period, tenant_id, site_id, model, reported, image_digest, basis, standing, 'input_cache_read' as meter, input_cache_read as tokens from judged
  union all
  select period, tenant_id, site_id, model, reported, image_digest, basis, standing, 'input_cache_write' as meter, input_cache_write as tokens from judged
  union all
  select period, tenant_id, site_id, model, reported, image_digest, basis, standing, 'output' as meter, output_total as tokens from judged
),
cells as (
  select
    period, tenant_id, site_id, model, meter, reported, image_digest, basis, standing,
    cast(sum(tokens) as bigint) as tokens
  from metered
  group by period, tenant_id, site_id, model, meter, reported, image_digest, basis, standing
  having sum(tokens) > 0
),
parts as (
  select
    lines.line_id,
    lines.period,
    lines.tenant_id,
    lines.site_id,
    lines.product as model,
    cells.image_digest,
    cells.basis,
    cells.standing,
    lines.quantity,
    lines.amount,
    cells.tokens,
    cast(sum(cells.tokens) over (partition by lines.period, lines.line_id) as bigint) as all_tokens,
    row_number() over (partition by lines.period, lines.line_id order by cells.tokens desc, cells.image_digest, cells.basis, cells.standing) as place
  from bill_line as lines
  inner join cells
    on cells.period = lines.period
    and cells.tenant_id = lines.tenant_id
    and cells.site_id = lines.site_id
    and cells.model = lines.product
    and cells.meter = lines.meter
    and cells.reported = lines.image_digest
  where lines.kind = 'tokens'
),
shares as (
  select
    parts.*,
    cast(cast(div_half_up(cast(quantity * 1000000 as decimal(38, 0)) * cast(tokens as decimal(38, 0)), all_tokens) as decimal(38, 0)) * cast('0.000001' as decimal(6, 6)) as decimal(38, 6)) as part_quantity,
    cast(cast(div_half_up(cast(amount * 100 as decimal(38, 0)) * cast(tokens as decimal(38, 0)), all_tokens) as decimal(38, 0)) * cast('0.01' as decimal(2, 2)) as decimal(38, 2)) as part_amount
  from parts
),
whole as (
  select
    shares.*,
    cast(quantity - sum(part_quantity) over (partition by period, line_id) as decimal(38, 6)) as left_quantity,
    cast(amount - sum(part_amount) over (partition by period, line_id) as decimal(38, 2)) as left_amount
  from shares
),
earned as (
  select
    period, tenant_id, site_id, model, image_digest, basis, standing,
    cast(part_quantity + case when place = 1 then left_quantity else cast(0 as decimal(38, 6)) end as decimal(38, 6)) as million_tokens,
    cast(part_amount + case when place = 1 then left_amount else cast(0 as decimal(38, 2)) end as decimal(38, 2)) as amount
  from whole
  union all
  select
    lines.period,
    lines.tenant_id,
    lines.site_id,
    case when lines.kind in ('tokens', 'credit') and lines.meter <> 'gpu_hours' then lines.product else '' end as model,
    case when lines.kind in ('tokens', 'credit') and lines.meter <> 'gpu_hours' then coalesce(nullif(lines.image_digest, ''), orders.image_digest, '') else '' end as image_digest,
    case when lines.kind = 'tokens' then 'none' when orders.rule_id is not null then 'credit' else 'other' end as basis,
    case when orders.rule_id is not null then 'credited' else 'unknown' end as standing,
    case when lines.kind = 'tokens' then cast(lines.quantity as decimal(38, 6)) else cast(0 as decimal(38, 6)) end as million_tokens,
    cast(lines.amount as decimal(38, 2)) as amount
  from bill_line as lines
  left join parts
    on parts.period = lines.period
    and parts.line_id = lines.line_id
    and parts.place = 1
  left join ref_token_credit as orders
    on orders.rule_id = lines.rule_id
    and lines.meter <> 'gpu_hours'
  where parts.line_id is null
)
select
  earned.period,
  earned.tenant_id,
  earned.site_id,
  earned.model,
  earned.image_digest,
  coalesce(versions.model_version, '') as model_version,
  earned.basis,
  earned.standing,
  cast(sum(earned.million_tokens) as decimal(38, 6)) as million_tokens,
  cast(sum(earned.amount) as decimal(38, 2)) as amount
from earned
left join versions
  on versions.model = earned.model
  and versions.image_digest = earned.image_digest
group by earned.period, earned.tenant_id, earned.site_id, earned.model, earned.image_digest, coalesce(versions.model_version, ''), earned.basis, earned.standing
