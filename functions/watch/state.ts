/** What a watcher leaves behind for people, for `kashi status`, and for the watcher after it. Derived: losing it loses no row. */
import type { Failing } from './landing-view.ts';
import { afterFailure, type Retry } from './retry.ts';

export interface StageFault extends Retry {
  readonly stage: StageName;
}

export type StageName = 'look' | 'ingest' | 'fold' | 'bill' | 'tidy';

export interface WatchState {
  readonly host: string;
  readonly pid: number;
  readonly started_at_ms: number;
  /** Ended with SIGTERM or at the end of --once; null while it runs, and after it was killed. */
  readonly ended_at_ms: number | null;
  /** The heartbeat: end of the last cycle, or of the last object within it. */
  readonly cycle_at_ms: number;
  /** End of the last cycle in which everything worked; null when there was none yet. */
  readonly ok_at_ms: number | null;
  /** Landed files that are being written, or wait for another try. */
  readonly waiting: number;
  /** The object being read: a process that dies over it leaves its name here. */
  readonly in_hand: { readonly name: string; readonly last_modified_ms: number; readonly since_ms: number } | null;
  readonly failing: readonly Failing[];
  readonly faults: readonly StageFault[];
  /** The last fold that made a snapshot. */
  readonly fold: { readonly snapshot: number; readonly at_ms: number } | null;
  /** The last refresh of provisional bills: everything up to this snapshot is in them. */
  readonly bill: { readonly snapshot: number; readonly at_ms: number } | null;
  /** The last compaction and collection; absent in the state of a watcher that did not tidy. */
  readonly tidy?: { readonly at_ms: number } | null;
}

/** Failures that a new process begins with: those of the one before, and, when that one `died`, the object it had in hand. */
export function inheritedFailures(former: WatchState | null, died: boolean, nowMs: number): Failing[] {
  if (former === null) return [];
  const { failing, in_hand } = former;
  if (in_hand === null || !died) return [...failing];
  const { name, last_modified_ms } = in_hand;
  const same = failing.find((one) => one.name === name && one.last_modified_ms === last_modified_ms) ?? null;
  const retry = afterFailure(same, 'the process ended while it read this file', nowMs);
  return [...failing.filter((one) => one.name !== name), { name, last_modified_ms, ...retry }];
}
