/**
 * A snapshot in which nothing is half done. An object that goes on where an earlier one ended is committed first, and then the earlier content is
 * released; a fold between the two counts the lines of both. So a close folds, looks at the landing place, and folds again: whatever lay there is
 * noted, so it is released by then, and a release that only the second fold holds shows that the first came in between.
 */
import { KashiError } from '../domain/errors.ts';
import { fold } from '../ledger/fold.ts';
import { type Snapshot, snapshotCommits } from '../ledger/snapshot.ts';
import type { Clock, ObjectStore } from '../ports.ts';
import type { Gate } from './judge.ts';

const TRIES = 8;

/** Gives the newest snapshot, with everything that is committed in it when the caller may write one. */
type BringUpToDate = (store: ObjectStore, clock: Clock) => Promise<Snapshot | null>;

/**
 * What `look` found, and the snapshot that it holds for. Where another process folds (a deployed closer writes no snapshots), `bringUpToDate` reads.
 * Errors: KashiError not_found for an empty warehouse, conflict when an ingest came in between every time; those of fold and look.
 */
export async function settledGate(
  store: ObjectStore,
  clock: Clock,
  look: () => Promise<Gate>,
  bringUpToDate: BringUpToDate = fold,
): Promise<Gate> {
  for (let left = TRIES; left > 0; left -= 1) {
    const snapshot = await bringUpToDate(store, clock);
    if (snapshot === null)
      throw new KashiError('not_found', 'the warehouse is empty', {
        allowed: 'a warehouse into which something was ingested',
        hint: 'kashi ingest <paths>',
      });
    const gate = await look();
    const later = await bringUpToDate(store, clock);
    if (later === null || later.n === snapshot.n || !(await isHalfDone(store, snapshot, later))) return { ...gate, snapshot };
  }
  throw new KashiError('conflict', 'files went on growing under the close at every attempt', { hint: 'run it again' });
}

/** A content counts in the snapshot, and so does the reading that has released it since. */
async function isHalfDone(store: ObjectStore, snapshot: Snapshot, later: Snapshot): Promise<boolean> {
  const counted = new Set<string>();
  const attempts = new Set<string>();
  for await (const { cid, kind, lines, attempt } of snapshotCommits(store, snapshot)) {
    if (kind === 'held' || lines.physical > 0) counted.add(cid);
    attempts.add(attempt);
  }
  for await (const { cid, kind, lines, generation, attempt } of snapshotCommits(store, later)) {
    const isReleased = generation > 0 && kind === 'data' && lines.physical === 0;
    if (isReleased && counted.has(cid) && attempts.has(attempt)) return true;
  }
  return false;
}
