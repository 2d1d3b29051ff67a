/** Lines as the cases write them: what says something is stated, what is empty or ordinary is left out. */
import type { BillLine, UnratedLine } from '../../functions/billing/bill-document.ts';

export type PlainLine = Readonly<Record<string, string | number>>;
export type PlainUnrated = Readonly<Record<string, string | number>>;

/** Left out where empty: workload, image_digest, band, rule, hfu, mfu, proxy, formula, adjustment; tier_no 0; a policy factor that is charged. */
export function plainLines(line: BillLine & { readonly tenant_id: string }): PlainLine {
  const adjusted = line.adjustment === null ? {} : { adjustment: line.adjustment, coverage: line.coverage, basis: line.basis };
  return stated({
    tenant: line.tenant_id,
    kind: line.kind,
    site: line.site_id,
    sku: line.sku,
    workload: line.workload_id,
    image_digest: line.image_digest,
    band: line.band,
    price: line.price_id,
    rule: line.rule_id,
    tier_no: line.tier_no === 0 ? null : line.tier_no,
    quantity: line.quantity,
    unit: line.unit,
    list_unit_price: line.list_unit_price,
    factor: line.factor,
    unit_price: line.unit_price,
    exact_amount: line.exact_amount,
    amount: line.amount,
    ...adjusted,
    hfu: line.hfu,
    mfu: line.mfu,
    proxy: line.proxy,
    formula: line.formula,
    policy_factor: line.policy_factor === line.factor ? null : line.policy_factor,
    records: line.records,
  });
}

/** Left out where empty: tenant, tenant_key, workload. */
export function plainUnrated(line: UnratedLine): PlainUnrated {
  return stated({
    reason: line.reason,
    kind: line.kind,
    tenant: line.tenant_id,
    tenant_key: line.tenant_key,
    site: line.site_id,
    sku: line.sku,
    workload: line.workload_id,
    quantity: line.quantity,
    unit: line.unit,
    records: line.records,
  });
}

function stated(fields: Readonly<Record<string, string | number | null>>): PlainLine {
  return Object.fromEntries(
    Object.entries(fields).filter((entry): entry is [string, string | number] => entry[1] !== null && entry[1] !== ''),
  );
}
