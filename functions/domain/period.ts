/** Billing periods: calendar months of the centre's zone, half-open, as two UTC instants (SPEC 2). */
import { DateTime, IANAZone } from 'luxon';
import { KashiError } from './errors.ts';

export interface Period {
  /** yyyy-mm */
  readonly period: string;
  /** IANA zone whose calendar it is. */
  readonly timeZone: string;
  /** Inclusive, epoch ms UTC. */
  readonly startMs: number;
  /** Exclusive, epoch ms UTC. */
  readonly endMs: number;
}

const MONTH = /^(20\d{2})-(0[1-9]|1[0-2])$/;
const DATE = /^(20\d{2})-(\d{2})-(\d{2})$/;
const INSTANT = /^20\d{2}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d{1,3})?(?:[Zz]|[+-]\d{2}:\d{2})$/;

/** True for a zone of the IANA database that this machine knows: `Asia/Shanghai`, `UTC`. */
export function isTimeZone(zone: string): boolean {
  return IANAZone.isValidZone(zone);
}

/**
 * The calendar month as instants. Errors: KashiError usage for a text that is not yyyy-mm (2000–2099) or a zone that is unknown.
 * Example: ('2026-10', 'Asia/Shanghai') → [2026-09-30T16:00Z, 2026-10-31T16:00Z), 744 h; Berlin's October has 745 h.
 */
export function periodOf(period: string, timeZone: string): Period {
  const match = MONTH.exec(period);
  if (match === null) {
    throw new KashiError('usage', 'not a billing period', { allowed: 'yyyy-mm, such as 2026-10', found: JSON.stringify(period) });
  }
  requireZone(timeZone);
  return monthOf(Number(match[1]), Number(match[2]), timeZone);
}

/**
 * The periods that share at least one millisecond with [startMs, endMs), in time order; none when the span is empty.
 * Errors: KashiError usage for an unknown zone.
 */
export function periodsTouching(startMs: number, endMs: number, timeZone: string): Period[] {
  requireZone(timeZone);
  const periods: Period[] = [];
  if (startMs >= endMs) return periods;
  const first = DateTime.fromMillis(startMs, { zone: timeZone });
  let at = monthOf(first.year, first.month, timeZone);
  // Where a zone once set its clock back over midnight of a month's first day, the calendar shows the old month twice.
  if (startMs >= at.endMs) at = nextPeriod(at);
  while (at.startMs < endMs) {
    periods.push(at);
    at = nextPeriod(at);
  }
  return periods;
}

/** The calendar month after this one. Example: 2026-12 → 2027-01. */
export function nextPeriod(period: Period): Period {
  const [year = 0, month = 0] = period.period.split('-').map(Number);
  return month === 12 ? monthOf(year + 1, 1, period.timeZone) : monthOf(year, month + 1, period.timeZone);
}

/**
 * Epoch ms of an effective date in reviewed configuration, or null when the text is neither form:
 * a date is the first instant of that local day; an RFC 3339 instant must carry its offset (a wall time alone would be a guess).
 * Example: ('2026-10-01', 'Asia/Shanghai') → 2026-09-30T16:00:00Z.
 */
export function effectiveInstantMs(text: string, timeZone: string): number | null {
  const date = DATE.exec(text);
  if (date !== null) {
    const [year, month, day] = date.slice(1).map(Number) as [number, number, number];
    // Validity is asked of UTC: a local day may have no midnight, a calendar day either exists or does not.
    return DateTime.utc(year, month, day).isValid ? dayStartMs(year, month, day, timeZone) : null;
  }
  if (!INSTANT.test(text)) return null;
  const instant = DateTime.fromISO(text.replace(' ', 'T').toUpperCase(), { setZone: true });
  return instant.isValid ? instant.toMillis() : null;
}

/** Date (or local instant) for messages and statements. Example: (2026-09-30T16:00Z, 'Asia/Shanghai') → '2026-10-01'. */
export function effectiveText(ms: number, timeZone: string): string {
  const local = DateTime.fromMillis(ms, { zone: timeZone });
  const date = local.toISODate() ?? String(ms);
  return effectiveInstantMs(date, timeZone) === ms ? date : (local.toISO({ suppressMilliseconds: true }) ?? date);
}

function monthOf(year: number, month: number, timeZone: string): Period {
  const startMs = dayStartMs(year, month, 1, timeZone);
  const endMs = month === 12 ? dayStartMs(year + 1, 1, 1, timeZone) : dayStartMs(year, month + 1, 1, timeZone);
  return { period: `${year}-${String(month).padStart(2, '0')}`, timeZone, startMs, endMs };
}

/** First instant of a local day: the earlier midnight when the clock shows it twice, the next existing time when it is skipped. */
function dayStartMs(year: number, month: number, day: number, timeZone: string): number {
  const midnight = DateTime.fromObject({ year, month, day }, { zone: timeZone });
  return (midnight.getPossibleOffsets()[0] ?? midnight).toMillis();
}

function requireZone(timeZone: string): void {
  if (!isTimeZone(timeZone)) {
    throw new KashiError('usage', 'unknown time zone', { allowed: 'an IANA zone, such as Asia/Shanghai', found: JSON.stringify(timeZone) });
  }
}
