/** Effective dates: entries of one selector follow one another without a hole, so each instant has at most one. */
import { below, type Faults, type Place } from './faults.ts';
import { effectiveInstantMs, effectiveText } from './period.ts';
import { NO_END_MS } from './reference.ts';

/** A half-open span, epoch ms UTC; toMs is NO_END_MS when open. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Since ever: spans without a start. */
export const NO_START_MS = 0;

export const EFFECTIVE_ALLOWED = 'a date such as 2026-10-01, or an RFC 3339 instant with offset';

/** A value that starts at an instant and ends at its own end, or where the next one of its selector starts. */
export interface Dated<T> {
  /** What the value is about, for comparison: two values of one selector must not hold at once. */
  readonly selector: string;
  /** The selector for people, such as `h800 at hq`. */
  readonly label: string;
  readonly fromMs: number;
  /** Null when the file states no end. */
  readonly toMs: number | null;
  readonly place: Place;
  readonly value: T;
}

/** Reads `key` of a mapping as an instant; null (and a fault, unless absent) when it is none. */
export function readEffective(faults: Faults, place: Place, key: string, text: string | undefined, timeZone: string): number | null {
  if (text === undefined) return null;
  const ms = effectiveInstantMs(text, timeZone);
  if (ms === null) faults.add(below(place, key), 'not a date or instant', EFFECTIVE_ALLOWED, JSON.stringify(text));
  return ms;
}

/**
 * Span of a mapping's `from` and `to` (or the keys given), both optional; null when one of them is wrong or `to` is not after `from`.
 * Example: {from: '2026-10-01'} in Asia/Shanghai → [2026-09-30T16:00Z, no end).
 */
export function readSpan(
  faults: Faults,
  place: Place,
  value: { readonly from?: string; readonly to?: string },
  timeZone: string,
): Span | null {
  const fromMs = value.from === undefined ? NO_START_MS : readEffective(faults, place, 'from', value.from, timeZone);
  const toMs = value.to === undefined ? NO_END_MS : readEffective(faults, place, 'to', value.to, timeZone);
  if (fromMs === null || toMs === null) return null;
  if (toMs > fromMs) return { fromMs, toMs };
  faults.add(below(place, 'to'), 'ends before it starts', 'after from', JSON.stringify(value.to));
  return null;
}

/**
 * Ends every value where the next one of its selector starts; an explicit end of the last one stays.
 * Shape: one result per input, in input order, `toMs` filled. Faults: overlap (same start, or an end beyond the next start), gap
 * (an end before the next start). Example: from 1 Oct, from 1 Nov → [1 Oct, 1 Nov), [1 Nov, no end).
 */
export function followOneAnother<T>(
  items: readonly Dated<T>[],
  faults: Faults,
  timeZone: string,
): { readonly value: T; readonly span: Span }[] {
  const spans = new Map<Dated<T>, Span>();
  for (const chain of chainsOf(items)) {
    chain.forEach((item, index) => {
      const next = chain[index + 1];
      spans.set(item, { fromMs: item.fromMs, toMs: item.toMs ?? next?.fromMs ?? NO_END_MS });
      if (next !== undefined) checkPair(item, next, faults, timeZone);
    });
  }
  return items.map((item) => ({ value: item.value, span: spans.get(item) as Span }));
}

/** True when the two half-open spans share an instant. */
export function overlaps(a: Span, b: Span): boolean {
  return a.fromMs < b.toMs && b.fromMs < a.toMs;
}

function chainsOf<T>(items: readonly Dated<T>[]): Dated<T>[][] {
  const chains = new Map<string, Dated<T>[]>();
  for (const item of items) {
    const chain = chains.get(item.selector);
    if (chain === undefined) chains.set(item.selector, [item]);
    else chain.push(item);
  }
  return [...chains.values()].map((chain) => chain.sort((a, b) => a.fromMs - b.fromMs));
}

function checkPair<T>(item: Dated<T>, next: Dated<T>, faults: Faults, timeZone: string): void {
  const nextText = effectiveText(next.fromMs, timeZone);
  if (item.fromMs === next.fromMs) {
    const otherLine = item.place.document.lineOf(item.place.pointer);
    const found = `${nextText}, as the entry at line ${otherLine}`;
    faults.add(
      below(next.place, 'effective_from'),
      `overlap: two entries for ${item.label} start at once`,
      'one entry at any instant',
      found,
    );
  } else if (item.toMs !== null && item.toMs !== next.fromMs) {
    const what = item.toMs > next.fromMs ? 'overlap: ends after' : 'gap: ends before';
    const allowed = `${nextText}, or no effective_to`;
    const found = effectiveText(item.toMs, timeZone);
    faults.add(below(item.place, 'effective_to'), `${what} the next entry for ${item.label} starts`, allowed, found);
  }
}
