/** Electricity bands: which band an hour belongs to, and the share of the load that runs in each. */
import { KashiError } from './errors.ts';
import { Rational } from './money.ts';

export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type Weekday = (typeof WEEKDAYS)[number];

/** When a band holds, in local time; a part left out means "any". At any time the first band that matches holds. */
export interface BandWindow {
  /** 'HH:MM-HH:MM', end exclusive; 22:00-06:00 wraps within the day. */
  readonly hours?: readonly string[];
  /** 1 to 12. */
  readonly months?: readonly number[];
  readonly weekdays?: readonly Weekday[];
}

export interface TariffBand extends BandWindow {
  readonly band: string;
  /** Currency per kWh. */
  readonly per_kwh: string | number;
  /** Share of the yearly load in this band; on all bands or on none. */
  readonly load?: string | number;
}

export interface BandShare {
  readonly band: string;
  readonly perKwh: Rational;
  /** Share of the load, 0–1; the shares of all bands sum to 1. */
  readonly share: Rational;
}

const DAY_MINUTES = 1440;
/** A common year: a price holds for years, so the leap day is not worth a second answer. */
const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

/** Half-open minute spans of a day. Example: '22:00-06:00' → [[0, 360], [1320, 1440]]. */
export function minuteSpans(hours: string): readonly (readonly [number, number])[] {
  const [from = 0, to = DAY_MINUTES] = hours.split('-').map((clock) => {
    const [hour = 0, minute = 0] = clock.split(':').map(Number);
    return hour * 60 + minute;
  });
  if (from < to) return [[from, to]];
  // 00:00 as an end is midnight.
  return to === 0
    ? [[from, DAY_MINUTES]]
    : [
        [0, to],
        [from, DAY_MINUTES],
      ];
}

/** True when the window holds at a local month (1–12), weekday and minute of the day. */
export function windowHolds(window: BandWindow, month: number, weekday: Weekday, minute: number): boolean {
  if (window.months !== undefined && !window.months.includes(month)) return false;
  if (window.weekdays !== undefined && !window.weekdays.includes(weekday)) return false;
  if (window.hours === undefined) return true;
  return window.hours.some((hours) => minuteSpans(hours).some(([from, to]) => from <= minute && minute < to));
}

/**
 * The share of the load in each band: the declared `load` shares, else the share of the hours of a common year (every weekday
 * equally often), which is the load of a cluster that runs evenly around the clock.
 * Errors: KashiError config_invalid when only some bands state a load, loads do not sum to 1, a time is in no band, or one band
 * name has two prices.
 * Example: peak 08:00-20:00 at 1.00, valley the rest at 0.40 → ½ and ½.
 */
export function bandShares(bands: readonly TariffBand[]): BandShare[] {
  bands.forEach((band, index) => {
    const empty = (band.hours ?? []).find((hours) => hours.split('-')[0] === hours.split('-')[1]);
    if (empty !== undefined) throw refusal(`tariff[${index}].hours`, 'empty hours', 'an end other than the start', empty);
    const twin = bands.find((other) => other.band === band.band && Rational.of(other.per_kwh).compare(Rational.of(band.per_kwh)) !== 0);
    if (twin !== undefined)
      throw refusal(
        `tariff[${index}].per_kwh`,
        'one band with two prices',
        'one price for each band name',
        `${twin.per_kwh} and ${band.per_kwh}`,
      );
  });
  const stated = bands.filter((band) => band.load !== undefined);
  if (stated.length > 0 && stated.length < bands.length) {
    throw refusal('tariff', 'load shares on some bands only', 'load on every band, or on none', `${stated.length} of ${bands.length}`);
  }
  const weights = stated.length > 0 ? declaredLoads(bands) : hourShares(bands);
  const shares = bands.map((band, index) => ({
    band: band.band,
    perKwh: Rational.of(band.per_kwh),
    share: weights[index] ?? Rational.of(0n),
  }));
  return mergeByName(shares);
}

/** Load-weighted price. Units: currency per kWh. Example: ½ at 1.00 and ½ at 0.40 → 0.70. */
export function blendedPerKwh(shares: readonly BandShare[]): Rational {
  return shares.reduce((sum, { perKwh, share }) => sum.add(perKwh.multiply(share)), Rational.of(0n));
}

function declaredLoads(bands: readonly TariffBand[]): Rational[] {
  const loads = bands.map((band) => Rational.of(band.load ?? 0));
  const total = loads.reduce((sum, load) => sum.add(load), Rational.of(0n));
  if (total.compare(Rational.of(1n)) !== 0)
    throw refusal('tariff', 'the load shares do not sum to 1', 'shares that sum to exactly 1', total.toFixed(10));
  return loads;
}

function hourShares(bands: readonly TariffBand[]): Rational[] {
  const edges = [...new Set([0, DAY_MINUTES, ...bands.flatMap(({ hours }) => hours ?? []).flatMap((hours) => minuteSpans(hours).flat())])];
  edges.sort((a, b) => a - b);
  const minutes = bands.map(() => 0n);
  MONTH_DAYS.forEach((days, monthIndex) => {
    for (const weekday of WEEKDAYS) {
      for (const [at, from] of edges.slice(0, -1).entries()) {
        const index = bands.findIndex((band) => windowHolds(band, monthIndex + 1, weekday, from));
        if (index < 0)
          throw refusal(
            'tariff',
            'a time that is in no band',
            'bands that cover every hour, month and weekday',
            `month ${monthIndex + 1}, ${weekday}, ${clockText(from)}`,
          );
        minutes[index] = (minutes[index] ?? 0n) + BigInt(days * ((edges[at + 1] ?? from) - from));
      }
    }
  });
  return minutes.map((held) => Rational.fraction(held, BigInt(365 * WEEKDAYS.length * DAY_MINUTES)));
}

function mergeByName(shares: readonly BandShare[]): BandShare[] {
  const merged = new Map<string, BandShare>();
  for (const share of shares) {
    const before = merged.get(share.band);
    merged.set(share.band, before === undefined ? share : { ...share, share: before.share.add(share.share) });
  }
  return [...merged.values()];
}

function clockText(minute: number): string {
  return `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;
}

function refusal(where: string, what: string, allowed: string, found: string): KashiError {
  return new KashiError('config_invalid', what, { where, allowed, found });
}
