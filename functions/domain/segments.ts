/** The spans of a period inside which no price, no policy and no tariff band changes. */

import { overlaps, type Span } from './effective.ts';
import { assert } from './errors.ts';
import type { Period } from './period.ts';
import type { PriceBook } from './price-book.ts';
import { bandSpans } from './tariff-bands.ts';

export interface Segment {
  /** Inclusive, epoch ms UTC. */
  readonly startMs: number;
  /** Exclusive. */
  readonly endMs: number;
  /** Tariff band when time of use is on, else empty. */
  readonly band: string;
}

/**
 * The period cut wherever a price or an adjustment starts or ends, and at band edges while a time-of-use tariff holds (allowances,
 * exemptions and token policies change with the month only; a credit looks at the instant of its fault). Shape: tiles the period, in time order; one segment when nothing cuts.
 * Example: October with a new price from the 15th → [1st, 15th), [15th, 1 November).
 */
export function segmentsOf(book: PriceBook | null, period: Period): Segment[] {
  const bands = book === null ? [] : bandedSpans(book, period);
  const cuts = new Set([period.startMs, period.endMs]);
  for (const ms of book === null ? [] : changes(book)) if (period.startMs < ms && ms < period.endMs) cuts.add(ms);
  for (const { startMs, endMs } of bands) cuts.add(startMs).add(endMs);
  const edges = [...cuts].sort((a, b) => a - b);
  // Both lists are in time order, so one walk finds the band of each segment.
  let at = 0;
  const segments = edges.slice(0, -1).map((startMs, index): Segment => {
    while (bands[at] !== undefined && (bands[at]?.endMs ?? 0) <= startMs) at += 1;
    const span = bands[at];
    const band = span !== undefined && span.startMs <= startMs ? span.band : '';
    return { startMs, endMs: edges[index + 1] ?? period.endMs, band };
  });
  assert(segments[0]?.startMs === period.startMs && segments.at(-1)?.endMs === period.endMs, 'segments tile the period');
  return segments;
}

/** Every instant at which something that is charged by may change. */
function changes(book: PriceBook): number[] {
  const spans: readonly Span[] = [...book.gpuPrices, ...book.tokenPrices, ...book.adjustments];
  return spans.flatMap(({ fromMs, toMs }) => [fromMs, toMs]);
}

function bandedSpans(book: PriceBook, { startMs, endMs, timeZone }: Period): ReturnType<typeof bandSpans> {
  return book.tariffs
    .filter((tariff) => tariff.pricing === 'time_of_use' && overlaps(tariff, { fromMs: startMs, toMs: endMs }))
    .sort((a, b) => a.fromMs - b.fromMs)
    .flatMap((tariff) => bandSpans(tariff, { fromMs: Math.max(startMs, tariff.fromMs), toMs: Math.min(endMs, tariff.toMs) }, timeZone));
}
