/** Budgets (money) and quotas (GPU-hours, tokens) of a tenant or of the whole centre, a calendar month each (SPEC 6.3). */
import type { Dated } from './effective.ts';
import { below, type Place } from './faults.ts';
import { Rational } from './money.ts';
import type { PriceBook } from './price-book.ts';
import {
  datedEntry,
  type Entry,
  fixed,
  type Provenance,
  provenanceOf,
  type RawDecimal,
  type RawEntry,
  type Reading,
  readAccelerator,
  requireModel,
  requireWholeMonths,
} from './price-entry.ts';
import type { ReferenceRow } from './reference.ts';

export const MEASURES = ['amount', 'gpu_hours', 'million_tokens'] as const;
export type Measure = (typeof MEASURES)[number];

export interface BudgetTerms extends Provenance {
  /** Empty for the whole centre. */
  readonly tenantId: string;
  readonly siteId: string;
  /** Catalog model or model name; empty for all. */
  readonly product: string;
  readonly measure: Measure;
  /** Of the measure, for a month; 6 decimals. */
  readonly limit: string;
  /** Shares of the limit that are announced when used, rising, 6 decimals. */
  readonly thresholds: readonly string[];
  /** Shares of the limit that are announced when the forecast for the month reaches them. */
  readonly forecastThresholds: readonly string[];
  /** Burn rates that are announced: share used ÷ share of the month gone. */
  readonly burnRates: readonly string[];
}
export type Budget = BudgetTerms & Entry;

export interface RawBudget extends RawEntry {
  readonly tenant?: string;
  readonly site?: string;
  readonly accelerator?: string;
  readonly model?: string;
  readonly amount?: RawDecimal;
  readonly gpu_hours?: RawDecimal;
  readonly million_tokens?: RawDecimal;
  readonly thresholds?: readonly RawDecimal[];
  readonly forecast_thresholds?: readonly RawDecimal[];
  readonly burn_rates?: readonly RawDecimal[];
}

const DEFAULT_THRESHOLDS = ['0.5', '0.8', '1'];
const DEFAULT_FORECAST = ['1'];

/**
 * A budget; the selector is tenant, site, product and measure. Defaults: thresholds 0.5, 0.8, 1; forecast 1; no burn rate.
 * Faults: not exactly one of amount, gpu_hours, million_tokens; a limit or share of 0; tokens of an accelerator, GPU-hours of a model;
 * a repeated share; a start or end inside a month.
 */
export function readBudget(reading: Reading, place: Place, raw: RawBudget): Dated<BudgetTerms> | null {
  const { faults } = reading;
  const { tenant = '', site = '', accelerator, model } = raw;
  const measures = MEASURES.filter((measure) => raw[measure] !== undefined);
  const [measure] = measures;
  if (measure === undefined || measures.length > 1) {
    faults.add(place, 'a budget limits one thing', `one of ${MEASURES.join(', ')}`, measure === undefined ? 'none' : measures.join(', '));
    return null;
  }
  const limit = fixed(raw[measure] ?? 0, 6);
  if (Rational.of(limit).n === 0n) faults.add(below(place, measure), 'a limit above 0', 'more than 0', limit);
  if (accelerator !== undefined && (model !== undefined || measure === 'million_tokens')) {
    faults.add(
      below(place, 'accelerator'),
      'one product of its own measure',
      'accelerator with amount or gpu_hours, without model',
      accelerator,
    );
  }
  if (model !== undefined && measure === 'gpu_hours')
    faults.add(below(place, 'model'), 'a model is not metered in GPU-hours', 'amount or million_tokens', model);
  if (model !== undefined) requireModel(reading, place, model);
  const terms: BudgetTerms = {
    ...provenanceOf(raw),
    tenantId: tenant,
    siteId: site,
    product: accelerator === undefined ? (model ?? '') : readAccelerator(reading, place, accelerator),
    measure,
    limit,
    thresholds: shares(reading, below(place, 'thresholds'), raw.thresholds ?? DEFAULT_THRESHOLDS),
    forecastThresholds: shares(reading, below(place, 'forecast_thresholds'), raw.forecast_thresholds ?? DEFAULT_FORECAST),
    burnRates: shares(reading, below(place, 'burn_rates'), raw.burn_rates ?? []),
  };
  const label = `the ${measure} budget of ${tenant === '' ? 'the centre' : tenant}`;
  const dated = datedEntry(reading, place, raw, [tenant, site, terms.product, measure], label, terms);
  if (dated !== null) requireWholeMonths(reading, dated, 'a budget');
  return dated;
}

/** Shares in rising order, 6 decimals. Faults: 0, or one twice. */
function shares({ faults }: Reading, place: Place, raw: readonly RawDecimal[]): string[] {
  const texts = raw.map((share) => fixed(share, 6));
  texts.forEach((text, index) => {
    if (Rational.of(text).n === 0n) faults.add(below(place, index), 'a share above 0', 'more than 0', text);
    if (texts.indexOf(text) < index) faults.add(below(place, index), 'repeated share', 'each share once', text);
  });
  return texts.sort((left, right) => Rational.of(left).compare(Rational.of(right)));
}

/** Rows of ref_budget. */
export function budgetRows(book: PriceBook | null): ReferenceRow[] {
  return (book?.budgets ?? []).map((budget) => ({
    budget_id: budget.id,
    tenant_id: budget.tenantId,
    site_id: budget.siteId,
    product: budget.product,
    measure: budget.measure,
    limit_value: budget.limit,
    from_ms: budget.fromMs,
    to_ms: budget.toMs,
  }));
}
