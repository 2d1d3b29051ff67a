-- Tokens that are billed for an image that was not live at the site when it is said to have served: a mistake or a forgery.
-- Kind: finding
-- Grain: one period, tenant, site, model and image digest
-- Key: period, tenant_id, site_id, model, image_digest
-- Inputs: ana_release_income
-- Columns:
--   period varchar: yyyy-mm
--   tenant_id varchar: who is billed
--   site_id varchar: site
--   model varchar: model that is priced
--   image_digest varchar: image that the record names; empty when it names none and nothing was live
--   million_tokens decimal(38,6) [millions of tokens]: charged
--   amount decimal(38,2): what the tenant pays
-- Rules: only where the fleet knows the model at the site.
-- Source: DISTRIBUTION 5
select
  period,
  tenant_id,
  site_id,
  model,
  image_digest,
  cast(sum(million_tokens) as decimal(38, 6)) as million_tokens,
  cast(sum(amount) as decimal(38, 2)) as amount
from ana_release_income
where standing = 'never_live'
group by period, tenant_id, site_id, model, image_digest
