-- Usage that has no price, tenant or count yet: it stops a close and is never zero.
-- Grain: one line that could not be rated
-- Key: line_id
-- Inputs: rtd_quantity, ref_accelerator
-- Columns:
--   period varchar: yyyy-mm
--   line_id varchar: 16 hex digits
--   kind varchar: gpu_hours, gang_wait or tokens
--   reason varchar: tenant_missing, tenant_unmapped, usage_absent, model_unknown, accelerator_unknown or price_missing
--   tenant_id varchar: who would be billed
--   tenant_key varchar: the source's key where no tenant is known
--   site_id varchar: site
--   sku varchar: accelerator model, or model:meter
--   workload_id varchar: job or service
--   image_digest varchar: serving image
--   quantity decimal(20,6): in unit
--   unit varchar: GPU-Hours, 1000000 Tokens or Requests
--   records bigint: allocations or requests behind it
-- Source: SPEC 3, 6.3
with
quantities as (
  select * from rtd_quantity
),
reasoned as (
  select
    quantities.*,
    case
      when quantities.tenant_id is null and quantities.tenant_key is null then 'tenant_missing'
      when quantities.tenant_id is null then 'tenant_unmapped'
      when quantities.meter = 'usage_absent' then 'usage_absent'
      when quantities.kind = 'tokens' and quantities.product is null then 'model_unknown'
      when quantities.kind <> 'tokens' and (quantities.product is null or accelerators.accelerator_model is null) and quantities.price_id is null then 'accelerator_unknown'
      when quantities.price_id is null then 'price_missing'
    end as reason
  from quantities
  left join ref_accelerator as accelerators
    on accelerators.accelerator_model = quantities.product
)
select
  period,
  substr(lower(to_hex(md5(to_utf8(
    period || chr(31) || 'unrated' || chr(31) || coalesce(tenant_id, '') || chr(31) || coalesce(tenant_key, '') || chr(31) || kind || chr(31) || site_id || chr(31) || workload_id || chr(31) || coalesce(product, '') || chr(31) || meter
      || chr(31) || image_digest || chr(31) || band || chr(31) || coalesce(price_id, '') || chr(31) || coalesce(policy_id, '')
  )))), 1, 16) as line_id,
  kind,
  reason,
  tenant_id,
  tenant_key,
  site_id,
  case when kind = 'tokens' then coalesce(product, '') || ':' || meter else coalesce(product, '') end as sku,
  workload_id,
  image_digest,
  case when meter = 'usage_absent' then cast(amount as decimal(20, 6)) else quantity end as quantity,
  case when meter = 'usage_absent' then 'Requests' when kind = 'tokens' then '1000000 Tokens' else 'GPU-Hours' end as unit,
  records
from reasoned
where reason is not null
