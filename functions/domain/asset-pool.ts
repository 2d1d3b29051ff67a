/** What a pool of accelerators costs its owner per hour, sold or not: the cost side of cost recovery (SPEC 6.1, 9). */
import type { Dated } from './effective.ts';
import { KashiError } from './errors.ts';
import { below, type Place } from './faults.ts';
import { Rational } from './money.ts';
import type { Period } from './period.ts';
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
  requireWholeMonths,
} from './price-entry.ts';
import type { ReferenceRow } from './reference.ts';
import { bandSpans } from './tariff-bands.ts';
import { COMPONENTS, type GpuPriceInputs, priceGpuHour } from './tco.ts';

/** The keys of a `kashi price gpu` file that are about cost; what is sold, and at which markup, is no cost. */
export type PoolCostInputs = Omit<
  GpuPriceInputs,
  'currency' | 'accelerator' | 'electricity' | 'markup' | 'sold_utilization' | 'hours_in_period' | 'period' | 'time_zone'
>;

export interface AssetPoolTerms extends Provenance {
  /** Catalog model. */
  readonly accelerator: string;
  /** Empty for every site. */
  readonly siteId: string;
  /** Currency per GPU-hour of capacity, 10 decimals; null when it follows from `inputs`. */
  readonly costPerGpuHour: string | null;
  readonly inputs: PoolCostInputs | null;
}
export type AssetPool = AssetPoolTerms & Entry;

export interface RawAssetPool extends RawEntry {
  readonly accelerator: string;
  readonly site?: string;
  readonly cost_per_gpu_hour?: RawDecimal;
  readonly cost?: PoolCostInputs;
}

/**
 * Cost of a pool; its selector is accelerator and site. Faults: unknown accelerator, both or neither of cost_per_gpu_hour and cost,
 * a tariff that leaves hours without a price, a start or end inside a month (a month's rent has one amount).
 */
export function readAssetPool(reading: Reading, place: Place, raw: RawAssetPool): Dated<AssetPoolTerms> | null {
  const { faults } = reading;
  const { site = '', cost } = raw;
  const accelerator = readAccelerator(reading, place, raw.accelerator);
  if ((raw.cost_per_gpu_hour === undefined) === (cost === undefined)) {
    const found = cost === undefined ? 'neither' : 'both';
    faults.add(below(place, 'cost'), 'a pool has one cost', 'either cost_per_gpu_hour or cost', found);
  }
  if (cost !== undefined) checkTariff(reading, place, cost);
  const terms: AssetPoolTerms = {
    ...provenanceOf(raw),
    accelerator,
    siteId: site,
    costPerGpuHour: raw.cost_per_gpu_hour === undefined ? null : fixed(raw.cost_per_gpu_hour, 10),
    inputs: cost ?? null,
  };
  const label = `the pool ${accelerator}${site === '' ? '' : ` at ${site}`}`;
  const dated = datedEntry(reading, place, raw, [accelerator, site], label, terms);
  if (dated !== null) requireWholeMonths(reading, dated, 'the cost of a pool');
  return dated;
}

function checkTariff({ faults }: Reading, place: Place, cost: PoolCostInputs): void {
  try {
    priceGpuHour(pricing(cost, '720'));
  } catch (cause) {
    if (!(cause instanceof KashiError)) throw cause;
    const { allowed = '', found = '' } = cause.details;
    faults.add(below(place, 'cost', 'tariff'), cause.message, allowed, found);
  }
}

/** Costs as an input of priceGpuHour. Months have their real hours unless the entry says otherwise: then a month's rent is a month's rent. */
function pricing(cost: PoolCostInputs, hoursInPeriod: string): GpuPriceInputs {
  return { month_hours: 'actual', ...cost, currency: '', markup: '0', hours_in_period: hoursInPeriod };
}

/**
 * Rows of ref_pool_cost: the pools in force in a period. Each component has 10 decimals and the cost is their sum, so that anyone can
 * add them up. Units: currency per GPU-hour of capacity.
 */
export function poolCostRows(book: PriceBook | null, { period, startMs, endMs }: Period): ReferenceRow[] {
  const hours = Rational.fraction(BigInt(endMs - startMs), 3_600_000n).toFixed(10);
  return (book?.assetPools ?? [])
    .filter(({ fromMs, toMs }) => fromMs <= startMs && startMs < toMs)
    .map((pool) => ({
      period,
      pool_id: pool.id,
      accelerator_model: pool.accelerator,
      site_id: pool.siteId,
      ...costOf(pool, hours),
      approved_by: pool.approvedBy,
    }));
}

function costOf({ costPerGpuHour, inputs }: AssetPool, hours: string): ReferenceRow {
  if (inputs === null) return { cost_per_gpu_hour: costPerGpuHour, c_hw: null, c_power: null, c_idc: null, c_sw_om: null };
  const { components } = priceGpuHour(pricing(inputs, hours)).chosen;
  const parts = COMPONENTS.map((name) => [name, components[name].toFixed(10)] as const);
  const sum = parts.reduce((total, [, part]) => total.add(Rational.of(part)), Rational.of(0n));
  return { cost_per_gpu_hour: sum.toFixed(10), ...Object.fromEntries(parts) };
}

/**
 * Rows of ref_power_span: when a period's electricity was dear, for pools whose tariff says at which hours. A tariff that only states load
 * shares has none: it does not say when. Units: currency per GPU-hour. Shape: the spans of a pool tile the period, in time order.
 */
export function powerSpanRows(book: PriceBook | null, period: Period): ReferenceRow[] {
  const { startMs, endMs, timeZone } = period;
  return (book?.assetPools ?? []).flatMap(({ id, fromMs, toMs, inputs }) => {
    if (inputs === null || startMs < fromMs || startMs >= toMs) return [];
    const { tariff, gpu_watts, other_watts_per_gpu, pue } = inputs;
    if (!tariff.some(({ hours, months, weekdays }) => hours !== undefined || months !== undefined || weekdays !== undefined)) return [];
    const kilowatts = Rational.of(gpu_watts).add(Rational.of(other_watts_per_gpu)).divide(Rational.of(1000)).multiply(Rational.of(pue));
    const power = new Map(tariff.map(({ band, per_kwh }) => [band, kilowatts.multiply(Rational.of(per_kwh)).toFixed(10)]));
    const spans = bandSpans({ bands: tariff }, { fromMs: startMs, toMs: endMs }, timeZone).filter(({ band }) => power.has(band));
    const prices = spans.map(({ band }) => Rational.of(power.get(band) ?? '0'));
    const cheapest = prices.reduce((low, price) => (price.compare(low) < 0 ? price : low), prices[0] ?? Rational.of(0n)).toFixed(10);
    return spans.map((span) => ({
      period: period.period,
      pool_id: id,
      band: span.band,
      start_ms: span.startMs,
      end_ms: span.endMs,
      power_per_gpu_hour: power.get(span.band) ?? '0',
      cheapest_per_gpu_hour: cheapest,
    }));
  });
}
