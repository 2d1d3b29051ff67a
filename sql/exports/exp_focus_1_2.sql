-- The bill in the columns of FOCUS 1.2 (FinOps Open Cost and Usage Specification), for any FinOps tool.
-- Grain: one charge line of one bill or estimate
-- Key: x_LineId
-- Inputs: doc_line, ref_site
-- Columns:
--   BilledCost decimal(38,2): what is charged; sums up to the statement of its InvoiceId
--   BillingAccountId varchar: the centre
--   BillingAccountName varchar: the centre
--   BillingCurrency varchar: ISO 4217
--   BillingPeriodEnd timestamp: exclusive end of the month in whose bill the line stands
--   BillingPeriodStart timestamp: inclusive start of that month
--   ChargeCategory varchar: Usage; or Credit for hours given back after a fault
--   ChargeClass varchar: Correction for what repairs a closed month, else null
--   ChargeDescription varchar: kind, SKU and workload
--   ChargeFrequency varchar: Usage-Based
--   ChargePeriodEnd timestamp: exclusive end of the month in which the usage was; of a correction, the corrected month
--   ChargePeriodStart timestamp: inclusive start of that month
--   CommitmentDiscountStatus varchar: always null: no commitment discounts are offered; rules of other columns read it
--   ConsumedQuantity decimal(38,6): GPU-hours, or single tokens; null unless Usage
--   ConsumedUnit varchar: GPU-Hours or Tokens
--   ContractedCost decimal(38,16): ContractedUnitPrice × PricingQuantity, exact
--   ContractedUnitPrice decimal(18,10): list price × HFU/MFU factor
--   EffectiveCost decimal(38,2): as BilledCost
--   InvoiceId varchar: month and tenant of the statement; null for an estimate
--   InvoiceIssuerName varchar: the centre
--   ListCost decimal(38,16): ListUnitPrice × PricingQuantity, exact
--   ListUnitPrice decimal(18,10): price of the price book
--   PricingCategory varchar: Standard; Other where a factor applied
--   PricingCurrency varchar: as BillingCurrency
--   PricingCurrencyContractedUnitPrice decimal(18,10): as ContractedUnitPrice
--   PricingCurrencyEffectiveCost decimal(38,2): as EffectiveCost
--   PricingCurrencyListUnitPrice decimal(18,10): as ListUnitPrice
--   PricingQuantity decimal(20,6): in PricingUnit; negative for a credit and for what a correction takes back
--   PricingUnit varchar: GPU-Hours or 1000000 Tokens
--   ProviderName varchar: the centre
--   PublisherName varchar: the centre
--   RegionId varchar: region of the site, or the site
--   RegionName varchar: as RegionId
--   ResourceId varchar: site and workload, or site and serving image; null when neither is known
--   ResourceName varchar: workload or serving image
--   ResourceType varchar: Workload or Model Release
--   ServiceCategory varchar: Compute, or AI and Machine Learning
--   ServiceName varchar: GPU Hours or Token Inference
--   ServiceSubcategory varchar: Other (Compute) or Generative AI
--   SkuId varchar: accelerator model, or model:meter
--   SkuMeter varchar: GPU Hours, or the token class
--   SkuPriceDetails varchar [JSON]: tier and tariff band of the price
--   SkuPriceId varchar: price id, meter, band and tier
--   SubAccountId varchar: tenant
--   SubAccountName varchar: name of the tenant
--   Tags varchar [JSON]: provider-defined tags, prefix kashi:
--   x_Adjustment varchar: penalty, reward, curve, none, unrated or exempt; null for tokens
--   x_BillSha256 varchar: hash of the closed bill; null for an estimate
--   x_CentreName varchar: the centre, as it writes itself
--   x_CorrectionCause varchar: late, reparse, rerate, capacity_fix or tenant_fix
--   x_CorrectsBillSha256 varchar: hash of the closed bill that is corrected
--   x_CorrectsLineId varchar: the line of it that is corrected
--   x_Coverage decimal(10,6) [ratio 0–1]: share of device time with evidence
--   x_Factor decimal(10,6): HFU/MFU factor
--   x_HFU decimal(10,6) [ratio 0–1]: hardware FLOPs utilisation
--   x_MFU decimal(10,6) [ratio 0–1]: model FLOPs utilisation
--   x_LineId varchar: id of the charge line
--   x_SiteId varchar: site
--   x_State varchar: bill or estimate
--   x_TenantName varchar: name of the tenant, as it writes itself
-- Rules: prices are never negative: a credit is a negative quantity at the price that was charged. Text of FOCUS columns is ASCII: other characters stand as \uXXXX, and names as they are written in x_CentreName and x_TenantName.
-- Source: FORMATS D
with
lines as (
  select
    doc_line.*,
    case when list_unit_price < cast(0 as decimal(18, 10)) then cast(-list_unit_price as decimal(18, 10)) else list_unit_price end as list_price,
    case when list_unit_price < cast(0 as decimal(18, 10)) then cast(-unit_price as decimal(18, 10)) else unit_price end as contracted_price,
    case when list_unit_price < cast(0 as decimal(18, 10)) then cast(-quantity as decimal(20, 6)) else quantity end as pricing_quantity,
    coalesce(corrects_kind, kind) as usage_kind
  from doc_line
),
placed as (
  select
    lines.*,
    coalesce(nullif(sites.region, ''), lines.site_id) as region,
    nullif(coalesce(nullif(lines.workload_id, ''), lines.image_digest), '') as resource
  from lines
  left join ref_site as sites
    on sites.site_id = lines.site_id
)
select
  amount as BilledCost,
  centre as BillingAccountId,
  centre as BillingAccountName,
  currency as BillingCurrency,
  from_unixtime_nanos(billing_end_ms * 1000000) as BillingPeriodEnd,
  from_unixtime_nanos(billing_start_ms * 1000000) as BillingPeriodStart,
  case when usage_kind = 'credit' then 'Credit' else 'Usage' end as ChargeCategory,
  case when kind = 'correction' then 'Correction' end as ChargeClass,
  usage_kind || ' ' || sku || coalesce(' ' || nullif(workload_id, ''), '') || case when kind = 'correction' then ', correction: ' || coalesce(cause, '') else '' end as ChargeDescription,
  'Usage-Based' as ChargeFrequency,
  from_unixtime_nanos(charge_end_ms * 1000000) as ChargePeriodEnd,
  from_unixtime_nanos(charge_start_ms * 1000000) as ChargePeriodStart,
  cast(null as varchar) as CommitmentDiscountStatus,
  case
    when usage_kind = 'credit' then null
    when usage_kind = 'tokens' then cast(cast(pricing_quantity as decimal(38, 6)) * cast(1000000 as decimal(38, 0)) as decimal(38, 6))
    else cast(pricing_quantity as decimal(38, 6))
  end as ConsumedQuantity,
  case when usage_kind = 'credit' then null when usage_kind = 'tokens' then 'Tokens' else unit end as ConsumedUnit,
  exact_amount as ContractedCost,
  contracted_price as ContractedUnitPrice,
  amount as EffectiveCost,
  case when bill_sha256 is not null then period || ':' || tenant_id end as InvoiceId,
  centre as InvoiceIssuerName,
  cast(cast(pricing_quantity as decimal(38, 6)) * cast(list_price as decimal(38, 10)) as decimal(38, 16)) as ListCost,
  list_price as ListUnitPrice,
  case when factor = cast(1 as decimal(10, 6)) then 'Standard' else 'Other' end as PricingCategory,
  currency as PricingCurrency,
  contracted_price as PricingCurrencyContractedUnitPrice,
  amount as PricingCurrencyEffectiveCost,
  list_price as PricingCurrencyListUnitPrice,
  pricing_quantity as PricingQuantity,
  unit as PricingUnit,
  centre as ProviderName,
  centre as PublisherName,
  region as RegionId,
  region as RegionName,
  site_id || ':' || resource as ResourceId,
  resource as ResourceName,
  case when resource is null then null when workload_id <> '' then 'Workload' else 'Model Release' end as ResourceType,
  case when usage_kind = 'tokens' then 'AI and Machine Learning' else 'Compute' end as ServiceCategory,
  case when usage_kind = 'tokens' then 'Token Inference' else 'GPU Hours' end as ServiceName,
  case when usage_kind = 'tokens' then 'Generative AI' else 'Other (Compute)' end as ServiceSubcategory,
  sku as SkuId,
  case meter
    when 'gpu_hours' then 'GPU Hours'
    when 'input_uncached' then 'Input Tokens'
    when 'input_cache_read' then 'Cached Input Tokens'
    when 'input_cache_write' then 'Cache Write Input Tokens'
    when 'output' then 'Output Tokens'
    else meter
  end as SkuMeter,
  sku_price_details as SkuPriceDetails,
  price_id || ':' || sku || coalesce(':' || nullif(band, ''), '') || ':' || cast(tier_no as varchar) as SkuPriceId,
  tenant_id as SubAccountId,
  tenant_ascii as SubAccountName,
  tags as Tags,
  adjustment as x_Adjustment,
  bill_sha256 as x_BillSha256,
  centre_name as x_CentreName,
  cause as x_CorrectionCause,
  corrects_bill as x_CorrectsBillSha256,
  corrects_line_id as x_CorrectsLineId,
  coverage as x_Coverage,
  factor as x_Factor,
  hfu as x_HFU,
  mfu as x_MFU,
  line_id as x_LineId,
  site_id as x_SiteId,
  state as x_State,
  tenant_name as x_TenantName
from placed
