-- The bill in the columns of FOCUS 1.4: who serves and who hosts instead of provider and publisher, and the line of the invoice.
-- Grain: one charge line of one bill or estimate
-- Key: x_LineId
-- Inputs: exp_focus_1_2
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
--   ConsumedQuantity decimal(38,6): GPU-hours, or single tokens; null unless Usage
--   ConsumedUnit varchar: GPU-Hours or Tokens
--   ContractedCost decimal(38,16): ContractedUnitPrice × PricingQuantity, exact
--   ContractedUnitPrice decimal(18,10): list price × HFU/MFU factor
--   EffectiveCost decimal(38,2): as BilledCost
--   HostProviderName varchar: the centre
--   InvoiceDetailId varchar: line of the statement; null for an estimate
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
--   RegionId varchar: region of the site, or the site
--   RegionName varchar: as RegionId
--   ResourceId varchar: site and workload, or site and serving image; null when neither is known
--   ResourceName varchar: workload or serving image
--   ResourceType varchar: Workload or Model Release
--   ServiceCategory varchar: Compute, or AI and Machine Learning
--   ServiceName varchar: GPU Hours or Token Inference
--   ServiceProviderName varchar: the centre
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
-- Rules: corrections are handled as Delta: a correction adds to what was issued for the corrected month.
-- Source: FORMATS D
with
rows as (
  select * from exp_focus_1_2
)
select
  BilledCost,
  BillingAccountId,
  BillingAccountName,
  BillingCurrency,
  BillingPeriodEnd,
  BillingPeriodStart,
  ChargeCategory,
  ChargeClass,
  ChargeDescription,
  ChargeFrequency,
  ChargePeriodEnd,
  ChargePeriodStart,
  ConsumedQuantity,
  ConsumedUnit,
  ContractedCost,
  ContractedUnitPrice,
  EffectiveCost,
  ProviderName as HostProviderName,
  case when InvoiceId is not null then x_LineId end as InvoiceDetailId,
  InvoiceId,
  InvoiceIssuerName,
  ListCost,
  ListUnitPrice,
  PricingCategory,
  PricingCurrency,
  PricingCurrencyContractedUnitPrice,
  PricingCurrencyEffectiveCost,
  PricingCurrencyListUnitPrice,
  PricingQuantity,
  PricingUnit,
  RegionId,
  RegionName,
  ResourceId,
  ResourceName,
  ResourceType,
  ServiceCategory,
  ServiceName,
  ProviderName as ServiceProviderName,
  ServiceSubcategory,
  SkuId,
  SkuMeter,
  SkuPriceDetails,
  SkuPriceId,
  SubAccountId,
  SubAccountName,
  Tags,
  x_Adjustment,
  x_BillSha256,
  x_CentreName,
  x_CorrectionCause,
  x_CorrectsBillSha256,
  x_CorrectsLineId,
  x_Coverage,
  x_Factor,
  x_HFU,
  x_MFU,
  x_LineId,
  x_SiteId,
  x_State,
  x_TenantName
from rows
