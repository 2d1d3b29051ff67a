/** When to try again, and how long ago something was. Epoch ms throughout. */
import { KashiError } from '../domain/errors.ts';

export interface Retry {
  /** Tries that failed, from 1. */
  readonly tries: number;
  readonly next_try_at_ms: number;
  readonly error: string;
}

const FIRST_WAIT_MS = 5_000;
const LONGEST_WAIT_MS = 10 * 60_000;

/** After one more failure: 5 s, then twice as long each time, up to 10 min. */
export function afterFailure(earlier: Retry | null, error: string, nowMs: number): Retry {
  const tries = (earlier?.tries ?? 0) + 1;
  return { tries, error, next_try_at_ms: nowMs + Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(tries - 1, 20)) };
}

/** A clock that was set back far must not put a try off for hours. */
export function mayTry(retry: Retry | null, nowMs: number): boolean {
  return retry === null || nowMs >= retry.next_try_at_ms || retry.next_try_at_ms - nowMs > LONGEST_WAIT_MS;
}

/** True when `intervalMs` has passed since `atMs` (null: never happened), or when the clock was set back behind it. */
export function isDue(atMs: number | null, intervalMs: number, nowMs: number): boolean {
  return atMs === null || nowMs - atMs >= intervalMs || nowMs < atMs;
}

/** One line of a refused input; of a fault of kashi itself the place too. */
export function errorText(error: unknown): string {
  if (error instanceof KashiError) {
    const { where, allowed, found, hint } = error.details;
    const parts = Object.entries({ where, allowed, found, hint }).flatMap(([name, text]) =>
      text === undefined ? [] : [`${name}: ${text}`],
    );
    return [error.message, ...parts].join('; ');
  }
  if (!(error instanceof Error)) return String(error);
  return error.name === 'TransientStoreError' || 'code' in error
    ? error.message
    : (error.stack ?? error.message)
        .split('\n')
        .slice(0, 3)
        .map((line) => line.trim())
        .join(' ');
}
