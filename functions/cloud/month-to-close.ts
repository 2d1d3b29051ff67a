/** Which month is to be closed now? */
import { lastClosed } from '../cli/closing.ts';
import type { Centre } from '../cli/wiring.ts';
import { monthAfter } from '../close/month-inputs.ts';
import { periodsTouching } from '../domain/period.ts';

const DAY_MS = 86_400_000;

/**
 * The month after the last closed one, when it is over; without a closed one, the month before the running one of the centre's zone. When all
 * that is over is closed: the last closed one. So a month whose close was missed comes before the one that is due.
 */
export async function monthToClose(centre: Centre): Promise<string> {
  const nowMs = centre.clock.now();
  const months = periodsTouching(nowMs - 32 * DAY_MS, nowMs + 1, centre.config.timeZone);
  const over = months.at(-2)?.period ?? '';
  const last = await lastClosed(centre.store);
  if (last === null) return over;
  return last < over ? monthAfter(last) : last;
}
