/** Landed days that a scheduled run looks at. */
import { utcDay } from '../ledger/keys.ts';

const DAY_MS = 86_400_000;

/** The last `count` UTC days up to and with the one of `nowMs`, oldest first. Example: (0, 2) → ['1969-12-31', '1970-01-01']. */
export function lastDays(nowMs: number, count: number): string[] {
  return Array.from({ length: count }, (_, back) => utcDay(nowMs - back * DAY_MS)).reverse();
}
