/** How bad a seed is. Every seed has its own, because faults of one kind hide those of another. */
import type { Random } from '../../functions/generate/random.ts';

export interface Weather {
  /** Of 1,000 calls, how many end with an error; and with the death of their process. */
  readonly errorPermille: number;
  readonly deathPermille: number;
  /** Of 10,000 calls, how many stall for minutes to weeks: a process that lives on beyond its time. */
  readonly stallPerMyriad: number;
  /** Of 1,000 calls, how many take up to five seconds instead of 20 ms. */
  readonly slowPermille: number;
  /** Keys of one page of a listing. */
  readonly pageKeys: number;
  /** Of 1,000 notifications, how many are lost; and how many come twice or more. */
  readonly lostPermille: number;
  readonly doublePermille: number;
  /** How far the clock of a process may be wrong, either way; and of 1,000 calls, at how many it is set anew. */
  readonly skewMs: number;
  readonly clockSetPermille: number;
}

/** What the protocol allows for: clocks of writers and store agree to within a day. */
export const MOST_SKEW_MS = 24 * 3_600_000;

export const CALM: Weather = {
  errorPermille: 0,
  deathPermille: 0,
  stallPerMyriad: 0,
  slowPermille: 0,
  pageKeys: 1000,
  lostPermille: 0,
  doublePermille: 0,
  skewMs: 0,
  clockSetPermille: 0,
};

export function weatherOf(random: Random): Weather {
  return {
    errorPermille: random.pick([0, 5, 20, 50, 100]),
    deathPermille: random.pick([0, 2, 5, 15]),
    stallPerMyriad: random.pick([0, 5, 20, 60]),
    slowPermille: random.pick([0, 50, 300]),
    pageKeys: random.pick([2, 5, 1000, 1000]),
    lostPermille: random.pick([0, 100, 300, 1000]),
    doublePermille: random.pick([0, 200, 500]),
    skewMs: random.pick([0, 60_000, MOST_SKEW_MS]),
    clockSetPermille: random.pick([0, 0, 20]),
  };
}
