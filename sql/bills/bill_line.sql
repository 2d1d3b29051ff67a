-- Charge lines: quantity × unit price = exact amount, rounded once.
-- Grain: one charge line: tenant × site × workload or release × SKU × price × tier × adjustment × period
-- Key: line_id
-- Inputs: rtd_tier, rtd_credit_tier, rtd_adjustment, ref_setting
-- Columns:
--   period varchar: yyyy-mm
--   tenant_id varchar: who is billed
--   line_id varchar: 16 hex digits made of what identifies the line
--   kind varchar: gpu_hours, gang_wait, tokens or credit
--   site_id varchar: site
--   sku varchar: accelerator model, or model:meter
--   product varchar: accelerator model or model name
--   meter varchar: what is counted
--   workload_id varchar: job or service; empty for tokens
--   image_digest varchar: serving image; empty when unknown
--   band varchar: tariff band; empty without time of use
--   price_id varchar: price
--   tier_no bigint: tier of the price; −1 for the free allowance
--   policy_id varchar: adjustment policy; null for tokens
--   rule_id varchar: credit rule, or order to give tokens back; null for charges
--   quantity decimal(20,6): in unit
--   unit varchar: GPU-Hours or 1000000 Tokens
--   list_unit_price decimal(18,10): price per unit before the factor; negative for a credit
--   factor decimal(10,6): HFU/MFU factor charged
--   unit_price decimal(18,10): list_unit_price × factor, quantised half up once
--   exact_amount decimal(38,16): quantity × unit_price, exact
--   amount decimal(38,2): exact_amount rounded half away from zero, once
--   currency varchar: ISO 4217
--   adjustment varchar: penalty, reward, curve, none, unrated, exempt; null for tokens
--   policy_factor decimal(10,6): what the policy gives; differs from factor under a shadow policy
--   hfu decimal(10,6) [ratio 0–1]: measured or stated HFU; null when unknown
--   mfu decimal(10,6) [ratio 0–1]: accepted MFU; null when unknown
--   proxy decimal(10,6) [ratio 0–1]: busy time that decided in their place; else null
--   coverage decimal(10,6) [ratio 0–1]: share of device time with evidence
--   basis varchar: what the evidence is
--   formula varchar: FLOPs formula of the MFU
--   records bigint: allocations or requests behind the line
-- Rules: a credit takes the prices of the tiers it gives back and the factor its line was charged with; a revenue-neutral curve is scaled by list amount ÷ adjusted amount of all its lines.
-- Source: SPEC 7, 8, 12
with
charges as (
  select
    tiers.period, tiers.kind, tiers.tenant_id, tiers.site_id, tiers.workload_id, tiers.product, tiers.meter, tiers.image_digest,
    tiers.price_id, tiers.band, tiers.tier_no, tiers.policy_id, cast(null as varchar) as rule_id,
    tiers.quantity, tiers.list_unit_price, tiers.records
  from rtd_tier as tiers
  union all
  select
    credits.period, 'credit' as kind, credits.tenant_id, credits.site_id, credits.workload_id, credits.product, credits.meter, credits.image_digest,
    credits.price_id, credits.band, credits.tier_no, credits.policy_id, credits.rule_id,
    credits.quantity, cast(-credits.list_unit_price as decimal(18, 10)) as list_unit_price, credits.records
  from rtd_credit_tier as credits
),
adjusted as (
  select
    charges.*,
    adjustments.adjustment,
    adjustments.factor as policy_factor,
    coalesce(adjustments.charged_factor, cast(1 as decimal(10, 6))) as charged_factor,
    coalesce(adjustments.is_neutral, false) as is_neutral,
    adjustments.hfu,
    adjustments.mfu,
    adjustments.proxy,
    adjustments.coverage,
    adjustments.basis,
    adjustments.formula
  from charges
  left join rtd_adjustment as adjustments
    on adjustments.period = charges.period
    and adjustments.site_id = charges.site_id
    and adjustments.workload_id = charges.workload_id
    and adjustments.tenant_id = charges.tenant_id
    and adjustments.policy_id = charges.policy_id
),
neutral as (
  select
    period,
    policy_id,
    cast(round(sum(cast(quantity as decimal(38, 6)) * cast(list_unit_price as decimal(38, 10))), 4) * cast(10000 as decimal(38, 0)) as decimal(38, 0)) as list_amount,
    cast(round(sum(cast(cast(quantity as decimal(38, 6)) * cast(list_unit_price as decimal(38, 10)) as decimal(38, 10)) * cast(charged_factor as decimal(38, 6))), 4) * cast(10000 as decimal(38, 0)) as decimal(38, 0)) as adjusted_amount
  from adjusted
  where is_neutral and adjustment = 'curve' and kind <> 'credit'
  group by period, policy_id
),
scaled as (
  select
    adjusted.*,
    cast(case
      when adjusted.adjustment = 'curve' and neutral.adjusted_amount > 0 then cast(round(
        adjusted.charged_factor
          * cast(div_half_up(neutral.list_amount * cast(1000000000 as decimal(38, 0)), neutral.adjusted_amount) as decimal(38, 0))
          * cast('0.000000001' as decimal(10, 9)),
        6
      ) as decimal(10, 6))
      else adjusted.charged_factor
    end as decimal(10, 6)) as factor
  from adjusted
  left join neutral
    on neutral.period = adjusted.period
    and neutral.policy_id = adjusted.policy_id
    and adjusted.is_neutral
),
priced as (
  select
    scaled.*,
    cast(round(cast(scaled.list_unit_price as decimal(38, 10)) * cast(scaled.factor as decimal(38, 6)), 10) as decimal(18, 10)) as unit_price
  from scaled
)
select
  priced.period,
  priced.tenant_id,
  substr(lower(to_hex(md5(to_utf8(
    priced.period || chr(31) || priced.tenant_id || chr(31) || priced.kind || chr(31) || priced.site_id || chr(31) || priced.workload_id || chr(31) || priced.product || chr(31) || priced.meter
      || chr(31) || priced.image_digest || chr(31) || priced.band || chr(31) || priced.price_id || chr(31) || cast(priced.tier_no as varchar)
      || chr(31) || coalesce(priced.policy_id, '') || chr(31) || coalesce(priced.rule_id, '')
  )))), 1, 16) as line_id,
  priced.kind,
  priced.site_id,
  case when priced.meter = 'gpu_hours' then priced.product else priced.product || ':' || priced.meter end as sku,
  priced.product,
  priced.meter,
  priced.workload_id,
  priced.image_digest,
  priced.band,
  priced.price_id,
  priced.tier_no,
  priced.policy_id,
  priced.rule_id,
  priced.quantity,
  case when priced.meter = 'gpu_hours' then 'GPU-Hours' else '1000000 Tokens' end as unit,
  priced.list_unit_price,
  priced.factor,
  priced.unit_price,
  cast(cast(priced.quantity as decimal(38, 6)) * cast(priced.unit_price as decimal(38, 10)) as decimal(38, 16)) as exact_amount,
  cast(round(cast(priced.quantity as decimal(38, 6)) * cast(priced.unit_price as decimal(38, 10)), 2) as decimal(38, 2)) as amount,
  settings.currency,
  priced.adjustment,
  priced.policy_factor,
  priced.hfu,
  priced.mfu,
  priced.proxy,
  priced.coverage,
  priced.basis,
  priced.formula,
  priced.records
from priced
cross join ref_setting as settings
