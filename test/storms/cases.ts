/** Every storm, in the order in which they are played. */
import { CLOCK_SKEW, PERIOD_EDGE } from './clocks.ts';
import { CONFLICTING_ROWS, DUPLICATE_NOTIFICATIONS, DUPLICATE_ROWS } from './duplicates.ts';
import { LATE_FILES, LOST_NOTIFICATIONS } from './lost-and-late.ts';
import type { Storm } from './storm.ts';

export const STORMS: readonly Storm[] = [
  DUPLICATE_NOTIFICATIONS,
  DUPLICATE_ROWS,
  CONFLICTING_ROWS,
  LOST_NOTIFICATIONS,
  LATE_FILES,
  CLOCK_SKEW,
  PERIOD_EDGE,
];
