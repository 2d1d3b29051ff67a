-- What is to be issued so that everything issued for a period equals what it is rated to now: recomputed − issued.
-- Grain: one line of the period, price as charged, and part
-- Key: line_id, list_unit_price, factor, part
-- Inputs: bill_line, ref_issued_line
-- Columns:
--   line_id varchar: line of the period's bill that is corrected
--   part varchar: difference; or reversal and restatement, where the price changed or the rounded amounts differ by other than the rounded difference
--   tenant_id varchar: who is billed
--   kind varchar: kind of the corrected line
--   site_id varchar: site
--   sku varchar: accelerator model, or model:meter
--   workload_id varchar: job or service; empty for tokens
--   image_digest varchar: serving image; empty when unknown
--   band varchar: tariff band; empty without time of use
--   price_id varchar: price
--   tier_no bigint: tier of the price
--   policy_id varchar: adjustment policy
--   rule_id varchar: credit rule
--   quantity decimal(20,6): in unit; negative for what is taken back
--   unit varchar: GPU-Hours or 1000000 Tokens
--   list_unit_price decimal(18,10): price per unit before the factor
--   factor decimal(10,6): factor
--   unit_price decimal(18,10): list_unit_price × factor
--   exact_amount decimal(38,16): quantity × unit_price, exact
--   amount decimal(38,2): rounded once; all amounts of a line add up to what it is rated to now
--   issued_amount decimal(38,2): issued so far at this price
--   recomputed_amount decimal(38,2): rated now at this price
--   records bigint: allocations or requests behind the recomputed line; 0 when nothing is left of it
--   hfu decimal(10,6) [ratio 0–1]: of the recomputed line
--   mfu decimal(10,6) [ratio 0–1]: of the recomputed line
--   adjustment varchar: of the recomputed line
-- Rules: a line that changed its price is taken back at the old one and stated at the new one, so every correction can be multiplied by hand.
-- Source: RELIABILITY 3.3
with
issued as (
  select
    line_id, list_unit_price, factor, unit_price,
    min(tenant_id) as tenant_id, min(kind) as kind, min(site_id) as site_id, min(sku) as sku, min(workload_id) as workload_id,
    min(image_digest) as image_digest, min(band) as band, min(price_id) as price_id, min(tier_no) as tier_no,
    min(policy_id) as policy_id, min(rule_id) as rule_id, min(unit) as unit,
    cast(sum(quantity) as decimal(20, 6)) as quantity,
    cast(sum(amount) as decimal(38, 2)) as amount
  from ref_issued_line
  group by line_id, list_unit_price, factor, unit_price
),
recomputed as (
  select * from bill_line
),
beside as (
  select
    coalesce(recomputed.line_id, issued.line_id) as line_id,
    coalesce(recomputed.tenant_id, issued.tenant_id) as tenant_id,
    coalesce(recomputed.kind, issued.kind) as kind,
    coalesce(recomputed.site_id, issued.site_id) as site_id,
    coalesce(recomputed.sku, issued.sku) as sku,
    coalesce(recomputed.workload_id, issued.workload_id) as workload_id,
    coalesce(recomputed.image_digest, issued.image_digest) as image_digest,
    coalesce(recomputed.band, issued.band) as band,
    coalesce(recomputed.price_id, issued.price_id) as price_id,
    coalesce(recomputed.tier_no, issued.tier_no) as tier_no,
    coalesce(recomputed.policy_id, issued.policy_id) as policy_id,
    coalesce(recomputed.rule_id, issued.rule_id) as rule_id,
    coalesce(recomputed.unit, issued.unit) as unit,
    coalesce(recomputed.list_unit_price, issued.list_unit_price) as list_unit_price,
    coalesce(recomputed.factor, issued.factor) as factor,
    coalesce(recomputed.unit_price, issued.unit_price) as unit_price,
    coalesce(issued.quantity, cast(0 as decimal(20, 6))) as issued_quantity,
    coalesce(issued.amount, cast(0 as decimal(38, 2))) as issued_amount,
    coalesce(recomputed.quantity, cast(0 as decimal(20, 6))) as recomputed_quantity,
    coalesce(recomputed.amount, cast(0 as decimal(38, 2))) as recomputed_amount,
    coalesce(recomputed.records, 0) as records,
    recomputed.hfu,
    recomputed.mfu,
    recomputed.adjustment
  from recomputed
  full outer join issued
    on issued.line_id = recomputed.line_id
    and issued.list_unit_price = recomputed.list_unit_price
    and issued.factor = recomputed.factor
    and issued.unit_price = recomputed.unit_price
),
changed as (
  select
    beside.*,
    cast(recomputed_quantity - issued_quantity as decimal(20, 6)) as more_quantity,
    cast(recomputed_amount - issued_amount as decimal(38, 2)) as more_amount,
    count(*) over (partition by line_id) as prices
  from beside
  where recomputed_quantity <> issued_quantity or recomputed_amount <> issued_amount
),
judged as (
  select
    changed.*,
    cast(round(cast(more_quantity as decimal(38, 6)) * cast(unit_price as decimal(38, 10)), 2) as decimal(38, 2)) = more_amount as is_one_line
  from changed
),
parts as (
  select
    judged.*,
    case
      when prices > 1 and recomputed_quantity = cast(0 as decimal(20, 6)) then 'reversal'
      when prices > 1 and issued_quantity = cast(0 as decimal(20, 6)) then 'restatement'
      else 'difference'
    end as part,
    more_quantity as quantity,
    more_amount as amount
  from judged
  where is_one_line
  union all
  select judged.*, 'reversal' as part, cast(-issued_quantity as decimal(20, 6)) as quantity, cast(-issued_amount as decimal(38, 2)) as amount
  from judged
  where not is_one_line
  union all
  select judged.*, 'restatement' as part, recomputed_quantity as quantity, recomputed_amount as amount
  from judged
  where not is_one_line
)
select
  line_id,
  part,
  tenant_id,
  kind,
  site_id,
  sku,
  workload_id,
  image_digest,
  band,
  price_id,
  tier_no,
  policy_id,
  rule_id,
  quantity,
  unit,
  list_unit_price,
  factor,
  unit_price,
  cast(cast(quantity as decimal(38, 6)) * cast(unit_price as decimal(38, 10)) as decimal(38, 16)) as exact_amount,
  amount,
  issued_amount,
  recomputed_amount,
  records,
  hfu,
  mfu,
  adjustment
from parts
