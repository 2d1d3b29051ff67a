/** Reviewed configuration → the rows of every reference table (functions/domain/reference.ts). */
import type { AcceleratorCatalog } from './accelerator.ts';
import { curvePieces } from './adjustment-curve.ts';
import { poolCostRows, powerSpanRows } from './asset-pool.ts';
import { budgetRows } from './budget-entry.ts';
import type { Config } from './config.ts';
import type { Span } from './effective.ts';
import type { Inventory } from './inventory.ts';
import { requireKnownNames } from './known-names.ts';
import { Rational } from './money.ts';
import type { Period } from './period.ts';
import type { PriceBook } from './price-book.ts';
import { priceRows } from './price-rows.ts';
import { DEFAULT_CHARGED, TOKEN_STATUSES } from './price-rules.ts';
import type { ReferenceRow, ReferenceRows } from './reference.ts';
import { releaseRows } from './release-entry.ts';
import { segmentsOf } from './segments.ts';
import type { TenantMap } from './tenant.ts';

export interface ReferenceInput {
  readonly config: Config;
  /** Null: nothing is priced, so every line is unrated. */
  readonly priceBook: PriceBook | null;
  /** Null: no key is mapped. */
  readonly tenants: TenantMap | null;
  /** Null: no site is configured, so capacity is unknown and generic resource names stay unresolved. */
  readonly inventory: Inventory | null;
  readonly catalog: AcceleratorCatalog;
}

/**
 * Every table of REFERENCE. Shape: periods, segments and token policies of the given periods; everything else whole, because rating
 * joins it by instants and must not depend on which periods are asked for. A missing file gives empty tables; without a token policy only success is charged. A site that is not configured has no row:
 * rating bills both its GPU-hours and its tokens, so that nothing is lost silently.
 * Errors: KashiError price_book_invalid when a price names a site or tenant that the other files do not know.
 */
export function buildReferences(input: ReferenceInput, periods: readonly Period[]): ReferenceRows {
  const { config, priceBook, tenants } = input;
  requireKnownNames(input);
  return {
    ref_period: periods.map(({ period, startMs, endMs }) => ({
      period,
      start_ms: startMs,
      end_ms: endMs,
    })),
    ref_setting: [
      {
        currency: priceBook?.currency ?? config.currency,
        sample_interval_ms: config.sampling.intervalMs,
        sample_carry_ms: config.sampling.intervalMs * config.sampling.carry,
        unmapped_as_is: config.tenants.unmapped === 'as_is',
        // A close sets it.
        correct_from_ms: null,
      },
    ],
    ref_tenant_key: (tenants?.tenants ?? []).flatMap(({ id, keys }) =>
      keys.map((key) => ({ tenant_key: key.key, tenant_id: id, ...fromTo(key) })),
    ),
    ...siteRows(input.inventory),
    ...catalogRows(input.catalog),
    ref_segment: periods.flatMap((period) =>
      segmentsOf(priceBook, period).map((segment, index) => ({
        period: period.period,
        segment_no: index,
        start_ms: segment.startMs,
        end_ms: segment.endMs,
        band: segment.band,
      })),
    ),
    ...priceRows(priceBook),
    ref_allowance: (priceBook?.allowances ?? []).map((allowance) => ({
      tenant_id: allowance.tenantId,
      product: allowance.product,
      meter: allowance.meter,
      quantity: allowance.quantity,
      ...fromTo(allowance),
    })),
    ...adjustmentRows(priceBook),
    ref_token_policy: periods.flatMap((period) => tokenPolicyRows(priceBook, period)),
    ref_credit_rule: (priceBook?.creditRules ?? []).map((rule) => ({
      rule_id: rule.id,
      fault: rule.fault,
      xid: rule.xid,
      credited_ms: rule.creditedMs,
      approved_by: rule.approvedBy,
      ...fromTo(rule),
    })),
    ref_token_credit: (priceBook?.tokenCredits ?? []).map((order) => ({
      rule_id: order.id,
      model: order.model,
      image_digest: order.imageDigest,
      site_id: order.siteId,
      tenant_id: order.tenantId,
      reason: order.note,
      approved_by: order.approvedBy,
      ...fromTo(order),
    })),
    ref_pool_cost: periods.flatMap((period) => poolCostRows(priceBook, period)),
    ref_power_span: periods.flatMap((period) => powerSpanRows(priceBook, period)),
    ...releaseRows(priceBook),
    ref_budget: budgetRows(priceBook),
    // What the fleet adds: see functions/distribution/live-interval.ts.
    ref_edge_rollout: [],
    // What a close adds: see functions/close.
    ref_promise: [],
    ref_issued_line: [],
  };
}

/** The tables of one period. Otherwise as buildReferences. */
export function buildReference({ period, ...input }: ReferenceInput & { readonly period: Period }): ReferenceRows {
  return buildReferences(input, [period]);
}

type Rows<K extends keyof ReferenceRows> = Pick<ReferenceRows, K>;

function siteRows(inventory: Inventory | null): Rows<'ref_site' | 'ref_capacity' | 'ref_outage'> {
  const sites = inventory?.sites ?? [];
  return {
    ref_site: sites.map((site) => ({
      site_id: site.id,
      tier: site.tier,
      region: site.region,
      bills_gpu_hours: site.bills.has('gpu_hours'),
      bills_tokens: site.bills.has('tokens'),
    })),
    ref_capacity: sites.flatMap((site) =>
      site.nodes.map((node) => ({
        site_id: site.id,
        node: node.name,
        accelerator_model: node.accelerator,
        accelerator_count: countText(node.count),
        ...fromTo(node),
      })),
    ),
    ref_outage: sites.flatMap((site) =>
      site.outages.map((outage) => ({
        site_id: site.id,
        node: outage.node,
        accelerator_count: countText(outage.count),
        kind: outage.kind,
        ...fromTo(outage),
      })),
    ),
  };
}

function catalogRows(catalog: AcceleratorCatalog): Rows<'ref_accelerator' | 'ref_accelerator_alias' | 'ref_peak'> {
  const models = [...catalog.models.values()];
  return {
    ref_accelerator: models.map(({ model, boostClockMhz, mfuCeiling }) => ({
      accelerator_model: model,
      boost_clock_mhz: boostClockMhz === null ? null : Rational.of(boostClockMhz).toFixed(9),
      mfu_ceiling: mfuCeiling === null ? null : Rational.of(mfuCeiling).toFixed(6),
    })),
    ref_accelerator_alias: [...catalog.aliases].map(([alias, model]) => ({ alias, accelerator_model: model })),
    ref_peak: models.flatMap(({ model, peaks }) =>
      Object.entries(peaks).map(([precision, peak]) => ({
        accelerator_model: model,
        precision,
        peak_flops: peak.flops.toString(),
        peak_version: peak.version,
      })),
    ),
  };
}

function adjustmentRows(book: PriceBook | null): Rows<'ref_adjustment' | 'ref_curve' | 'ref_exemption'> {
  const policies = book?.adjustments ?? [];
  return {
    ref_adjustment: policies.map((policy) => ({
      policy_id: policy.id,
      rule: policy.rule,
      enforcement: policy.enforcement,
      metric: policy.metric,
      low_threshold: policy.lowThreshold,
      low_factor: policy.lowFactor,
      high_threshold: policy.highThreshold,
      high_factor: policy.highFactor,
      min_coverage: policy.minCoverage,
      proxy: policy.proxy,
      mfu_tolerance: policy.mfuTolerance,
      revenue_neutral: policy.revenueNeutral,
      approved_by: policy.approvedBy,
      ...fromTo(policy),
    })),
    ref_curve: policies.flatMap((policy) =>
      curvePieces(policy.points).map(({ xFrom, xTo, yFrom, slope }) => ({
        policy_id: policy.id,
        x_from: xFrom,
        x_to: xTo,
        y_from: yFrom,
        slope,
      })),
    ),
    ref_exemption: policies.flatMap((policy) =>
      policy.exemptions.map(({ kind, value, untilMs }) => ({
        policy_id: policy.id,
        kind,
        value,
        from_ms: policy.fromMs,
        to_ms: Math.min(untilMs, policy.toMs),
      })),
    ),
  };
}

/** Policies change with the month only (readTokenPolicy), so the one at the start holds throughout. */
function tokenPolicyRows(book: PriceBook | null, { period, startMs }: Period): ReferenceRow[] {
  const policy = book?.tokenPolicies.find(({ fromMs, toMs }) => fromMs <= startMs && startMs < toMs);
  const charged = policy?.charged ?? DEFAULT_CHARGED;
  return TOKEN_STATUSES.map((status) => ({ period, status, charged: charged.has(status) }));
}

function fromTo({ fromMs, toMs }: Span): { from_ms: number; to_ms: number } {
  return { from_ms: fromMs, to_ms: toMs };
}

function countText(count: number): string {
  return Rational.of(count).toFixed(6);
}
