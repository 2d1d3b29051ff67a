/** Every storm, in the order in which they are played. */
import { BIT_FLIPS, CLOSED_FLIPS, TRUNCATED_GZIP } from './broken-bytes.ts';
import { CLOCK_SKEW, PERIOD_EDGE } from './clocks.ts';
import { DISK_FULL } from './disk-full.ts';
import { CONFLICTING_ROWS, DUPLICATE_NOTIFICATIONS, DUPLICATE_ROWS } from './duplicates.ts';
import { POISONED_ROWS, STORE_FAULTS } from './faults.ts';
import { KILLS } from './kills.ts';
import { LATE_FILES, LOST_NOTIFICATIONS } from './lost-and-late.ts';
import { GZIP_BOMBS, MEMORY } from './memory.ts';
import { SCALE } from './scale.ts';
import type { Storm } from './storm.ts';
import { WRITERS } from './writers.ts';

export const STORMS: readonly Storm[] = [
  DUPLICATE_NOTIFICATIONS,
  DUPLICATE_ROWS,
  CONFLICTING_ROWS,
  LOST_NOTIFICATIONS,
  LATE_FILES,
  CLOCK_SKEW,
  PERIOD_EDGE,
  DISK_FULL,
  TRUNCATED_GZIP,
  BIT_FLIPS,
  CLOSED_FLIPS,
  GZIP_BOMBS,
  MEMORY,
  POISONED_ROWS,
  STORE_FAULTS,
  WRITERS,
  SCALE,
  KILLS,
];
