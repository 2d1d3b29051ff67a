/** From what a cluster costs to the price of one GPU-hour (total cost of ownership). Exact fractions inside, 10 decimals out. */
import { KashiError } from './errors.ts';
import { Rational } from './money.ts';
import { periodOf } from './period.ts';
import { type BandShare, bandShares, blendedPerKwh, type TariffBand } from './tariff.ts';

/** Decimal text, or an integer. */
export type Amount = string | number;

export const MONTH_BASES = ['textbook', 'calendar', 'actual'] as const;
export type MonthBasis = (typeof MONTH_BASES)[number];

/** The keys of a `kashi price gpu` file (schemas/price-gpu.schema.json). */
export interface GpuPriceInputs {
  readonly currency: string;
  readonly accelerator?: string;
  readonly server: Amount;
  readonly gpus_per_server: Amount;
  readonly gpu: Amount;
  readonly network_port: Amount;
  readonly years: Amount;
  readonly gpu_watts: Amount;
  readonly other_watts_per_gpu: Amount;
  readonly pue: Amount;
  readonly tariff: readonly TariffBand[];
  readonly electricity?: 'blended' | 'time_of_use';
  readonly rack_rent_per_month: Amount;
  readonly bandwidth_per_month: Amount;
  readonly gpus_per_rack: Amount;
  readonly labour_per_month: Amount;
  readonly licences_per_month: Amount;
  readonly gpus_total: Amount;
  readonly markup: Amount;
  readonly sold_utilization?: Amount;
  readonly month_hours?: MonthBasis;
  /** For `actual`: the hours themselves, or a month of a zone whose hours are counted. */
  readonly hours_in_period?: Amount;
  readonly period?: string;
  readonly time_zone?: string;
}

export const COMPONENTS = ['c_hw', 'c_power', 'c_idc', 'c_sw_om'] as const;
export type Component = (typeof COMPONENTS)[number];

/** Exact amounts per GPU-hour on one basis of month hours. */
export interface GpuHourCost {
  readonly monthHours: Rational;
  readonly components: Readonly<Record<Component, Rational>>;
  /** Sum of the components: one hour of one accelerator, sold or not. */
  readonly held: Rational;
  /** held ÷ sold utilization. */
  readonly cost: Rational;
  /** cost × (1 + markup). */
  readonly price: Rational;
}

export interface BandPrice extends BandShare {
  readonly hour: GpuHourCost;
}

export interface GpuPrice {
  readonly basis: MonthBasis;
  readonly chosen: GpuHourCost;
  /** On every basis; actual is null when no period is given. */
  readonly bases: Readonly<Record<MonthBasis, GpuHourCost | null>>;
  readonly perKwh: Rational;
  /** Price of an hour inside each band, on the chosen basis. */
  readonly bands: readonly BandPrice[];
  readonly soldUtilization: Rational;
  readonly markup: Rational;
  /** Share of the hours that must be sold at `price` to pay for all of them; above 1 the price never pays. */
  readonly breakEvenShare: Rational;
  /** How much a year of textbook months is short of a year: 8760 ÷ 8640 − 1 = 1.39 %. */
  readonly textbookExcess: Rational;
}

const YEAR_HOURS = Rational.of(365 * 24);
const ONE = Rational.of(1n);

/**
 * Price of one GPU-hour.
 * c_hw = (server ÷ gpus_per_server + gpu + network_port) ÷ (years × 365 × 24); c_power = (gpu_watts + other_watts_per_gpu) ÷ 1000 × PUE × tariff;
 * c_idc = (rack_rent + bandwidth) ÷ (gpus_per_rack × month hours); c_sw_om = (labour + licences) ÷ (gpus_total × month hours);
 * price = sum ÷ sold_utilization × (1 + markup). Units: currency per GPU-hour.
 * Errors: KashiError config_invalid when `actual` has no period, or the tariff does not cover the year (bandShares).
 * Example: server 600000 of 8, GPU 220000, port 15000, 4 years → c_hw = 310000 ÷ 35040 = 8.8470319635.
 */
export function priceGpuHour(inputs: GpuPriceInputs): GpuPrice {
  const shares = bandShares(inputs.tariff);
  const perKwh = blendedPerKwh(shares);
  const actualHours = hoursInPeriod(inputs);
  const basis = inputs.month_hours ?? 'textbook';
  const hours = { textbook: Rational.of(720n), calendar: YEAR_HOURS.divide(Rational.of(12n)), actual: actualHours };
  const chosenHours = hours[basis];
  if (chosenHours === null) {
    const allowed = 'hours_in_period, or period (yyyy-mm) with time_zone';
    throw new KashiError('config_invalid', 'month_hours: actual needs a period', { where: 'month_hours', allowed, found: 'neither' });
  }
  const at = (monthHours: Rational, tariff: Rational): GpuHourCost => hourCost(inputs, monthHours, tariff);
  const chosen = at(chosenHours, perKwh);
  return {
    basis,
    chosen,
    bases: {
      textbook: at(hours.textbook, perKwh),
      calendar: at(hours.calendar, perKwh),
      actual: actualHours === null ? null : at(actualHours, perKwh),
    },
    perKwh,
    bands: shares.map((share) => ({ ...share, hour: at(chosenHours, share.perKwh) })),
    soldUtilization: Rational.of(inputs.sold_utilization ?? 1),
    markup: Rational.of(inputs.markup),
    breakEvenShare: chosen.price.n === 0n ? ONE : chosen.held.divide(chosen.price),
    textbookExcess: YEAR_HOURS.divide(hours.textbook.multiply(Rational.of(12n))).subtract(ONE),
  };
}

function hourCost(inputs: GpuPriceInputs, monthHours: Rational, perKwh: Rational): GpuHourCost {
  const of = Rational.of;
  const purchase = of(inputs.server).divide(of(inputs.gpus_per_server)).add(of(inputs.gpu)).add(of(inputs.network_port));
  const watts = of(inputs.gpu_watts).add(of(inputs.other_watts_per_gpu));
  const rack = of(inputs.rack_rent_per_month).add(of(inputs.bandwidth_per_month));
  const people = of(inputs.labour_per_month).add(of(inputs.licences_per_month));
  const components = {
    c_hw: purchase.divide(of(inputs.years).multiply(YEAR_HOURS)),
    c_power: watts.divide(of(1000)).multiply(of(inputs.pue)).multiply(perKwh),
    c_idc: rack.divide(of(inputs.gpus_per_rack).multiply(monthHours)),
    c_sw_om: people.divide(of(inputs.gpus_total).multiply(monthHours)),
  };
  const held = COMPONENTS.reduce((sum, name) => sum.add(components[name]), of(0n));
  const cost = held.divide(of(inputs.sold_utilization ?? 1));
  return { monthHours, components, held, cost, price: cost.multiply(ONE.add(of(inputs.markup))) };
}

/** Hours of the stated period, from its two instants; null when none is stated. Errors: KashiError config_invalid when both forms are. */
function hoursInPeriod({ hours_in_period: hours, period, time_zone: zone }: GpuPriceInputs): Rational | null {
  if (hours !== undefined && period !== undefined) {
    throw new KashiError('config_invalid', 'two lengths of one period', {
      where: 'hours_in_period',
      allowed: 'hours_in_period or period',
      found: 'both',
    });
  }
  if (hours !== undefined) return Rational.of(hours);
  if (period === undefined) return null;
  const { startMs, endMs } = periodOf(period, zone ?? 'Asia/Shanghai');
  return Rational.fraction(BigInt(endMs - startMs), 3_600_000n);
}
