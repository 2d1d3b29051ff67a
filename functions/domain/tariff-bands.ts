/** Electricity bands: which one holds at an instant, and the spans of a period inside which it does not change. */
import { IANAZone } from 'luxon';
import type { Dated, Span } from './effective.ts';
import { below, type Place } from './faults.ts';
import { datedEntry, type Entry, type Provenance, provenanceOf, type RawEntry, type Reading } from './price-entry.ts';
import { type BandWindow, minuteSpans, WEEKDAYS, type Weekday, windowHolds } from './tariff.ts';

/** One band of a price book's tariff. */
export interface PriceBand extends BandWindow {
  readonly band: string;
}

export interface TariffTerms extends Provenance {
  readonly pricing: 'blended' | 'time_of_use';
  /** At any time the first that matches holds. */
  readonly bands: readonly PriceBand[];
}
export type Tariff = TariffTerms & Entry;

export interface RawTariff extends RawEntry {
  readonly pricing?: TariffTerms['pricing'];
  readonly bands: readonly PriceBand[];
}

export interface BandSpan {
  readonly startMs: number;
  readonly endMs: number;
  readonly band: string;
}

const DAY_MINUTES = 1440;
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** A tariff; one holds at any instant. Faults: empty hours, a time of the year that no band covers. Default pricing: blended. */
export function readTariff(reading: Reading, place: Place, raw: RawTariff): Dated<TariffTerms> | null {
  for (const [index, { hours = [] }] of raw.bands.entries()) {
    for (const [at, text] of hours.entries()) {
      const [from, to] = text.split('-');
      if (from === to) reading.faults.add(below(place, 'bands', index, 'hours', at), 'empty hours', 'an end other than the start', text);
    }
  }
  const { bands } = raw;
  const terms: TariffTerms = { ...provenanceOf(raw), pricing: raw.pricing ?? 'blended', bands };
  const gap = firstGap(bands);
  if (gap !== null)
    reading.faults.add(below(place, 'bands'), 'gap: a time without band', 'a last band without conditions takes the rest', gap);
  return datedEntry(reading, place, raw, [], 'tariff', terms);
}

/** The band at a local time, or null when none covers it. `month` from 1, `minute` from local midnight. */
export function bandAt(bands: readonly PriceBand[], month: number, weekday: Weekday, minute: number): string | null {
  return bands.find((band) => windowHolds(band, month, weekday, minute))?.band ?? null;
}

/**
 * [fromMs, toMs) cut where the band changes; neighbours differ in band. Hours are the wall clock of the zone, so a band may be an
 * hour longer or shorter on the day the clock changes. Shape: tiles the span, in time order.
 * Example: peak 08:00–11:00, else flat, on one Shanghai day → flat 8 h, peak 3 h, flat 13 h.
 */
export function bandSpans(tariff: Pick<TariffTerms, 'bands'>, { fromMs, toMs }: Span, timeZone: string): BandSpan[] {
  const edges = dayEdges(tariff.bands);
  const spans: BandSpan[] = [];
  for (const piece of steadyPieces(fromMs, toMs, timeZone)) {
    const shiftMs = piece.offsetMinutes * MINUTE_MS;
    let startMs = piece.startMs;
    while (startMs < piece.endMs) {
      const localMs = startMs + shiftMs;
      const midnightMs = Math.floor(localMs / DAY_MS) * DAY_MS;
      const minute = Math.floor((localMs - midnightMs) / MINUTE_MS);
      const nextMinute = edges.find((edge) => edge > minute) ?? DAY_MINUTES;
      const endMs = Math.min(piece.endMs, midnightMs + nextMinute * MINUTE_MS - shiftMs);
      const local = new Date(localMs);
      const weekday = WEEKDAYS[(local.getUTCDay() + 6) % 7] as Weekday;
      const band = bandAt(tariff.bands, local.getUTCMonth() + 1, weekday, minute) ?? '';
      append(spans, { startMs, endMs, band });
      startMs = endMs;
    }
  }
  return spans;
}

function append(spans: BandSpan[], next: BandSpan): void {
  const last = spans.at(-1);
  if (last !== undefined && last.band === next.band) spans[spans.length - 1] = { ...last, endMs: next.endMs };
  else spans.push(next);
}

/** Pieces of a span inside which the zone's offset from UTC does not change. */
function steadyPieces(startMs: number, endMs: number, timeZone: string): { startMs: number; endMs: number; offsetMinutes: number }[] {
  const zone = IANAZone.create(timeZone);
  const pieces: { startMs: number; endMs: number; offsetMinutes: number }[] = [];
  let pieceStart = startMs;
  for (let at = startMs; at < endMs; ) {
    // No zone has changed its clock twice within six hours.
    const next = Math.min(endMs, at + DAY_MS / 4);
    const offset = zone.offset(at);
    if (next < endMs ? zone.offset(next) !== offset : zone.offset(endMs - 1) !== offset) {
      const change = firstWithOtherOffset(zone, at, next, offset);
      pieces.push({ startMs: pieceStart, endMs: change, offsetMinutes: offset });
      pieceStart = change;
    }
    at = next;
  }
  if (pieceStart < endMs) pieces.push({ startMs: pieceStart, endMs, offsetMinutes: zone.offset(pieceStart) });
  return pieces;
}

function firstWithOtherOffset(zone: IANAZone, fromMs: number, toMs: number, offset: number): number {
  let [same, other] = [fromMs, toMs];
  while (other - same > 1) {
    const middle = Math.floor((same + other) / 2);
    if (zone.offset(middle) === offset) same = middle;
    else other = middle;
  }
  return other;
}

/** Minutes of a day at which some band starts or ends. */
function dayEdges(bands: readonly PriceBand[]): number[] {
  const spans = bands.flatMap(({ hours = [] }) => hours.flatMap((text) => minuteSpans(text)));
  return [...new Set(spans.flat())].sort((a, b) => a - b);
}

function firstGap(bands: readonly PriceBand[]): string | null {
  const edges = [...new Set([0, ...dayEdges(bands)])].filter((edge) => edge < DAY_MINUTES);
  for (let month = 1; month <= 12; month += 1) {
    for (const weekday of WEEKDAYS) {
      const minute = edges.find((edge) => bandAt(bands, month, weekday, edge) === null);
      if (minute === undefined) continue;
      const time = `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;
      return `month ${month}, ${weekday}, ${time}`;
    }
  }
  return null;
}
