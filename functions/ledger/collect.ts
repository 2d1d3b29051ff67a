/**
 * Garbage collection: data files that nothing names, and that nothing can come to name. The collector begins with suspects (old enough by the
 * store's own clock) and clears each one that it finds named: by the newest snapshot, by one that was the newest within the window, by
 * one that is pinned, by a commit that no snapshot holds yet, or by a rollup (a cache: what it names lives as long as it does). What is left is deleted. Nothing is remembered between two runs, and garbage
 * stays garbage, so it may die anywhere, and other writers may go on meanwhile:
 * - a commit, a compaction or a pin comes at most ATTEMPT_LIFETIME_MS after its attempt began, which is less than the grace and the window;
 * - history is linear and generations only grow: a file that has left it does not return.
 */
import { PREFIX } from '../contract.ts';
import type { Clock, ObjectInfo, ObjectStore } from '../ports.ts';
import { readCommit } from './commit.ts';
import { type CompactionRef, readPlaces } from './compaction.ts';
import { readFolded } from './fold-find.ts';
import { parseCommitKey, snapshotKey } from './keys.ts';
import { mapConcurrently, patientReads } from './patient.ts';
import { corrupt } from './sealed.ts';
import { liveEntries, readSegments } from './segment.ts';
import { newestSnapshot, readSnapshot, type Snapshot } from './snapshot.ts';

/** A snapshot by number and hash, as a close pins it. */
export type PinnedSnapshot = Pick<Snapshot, 'n' | 'sha256'>;

export interface CollectOptions {
  /** Every snapshot that a close pin or a closed bill names. Errors end the collection before anything is deleted. */
  readonly pinned: (store: ObjectStore) => Promise<readonly PinnedSnapshot[]>;
  /** Keys of derived files that something written since then names. Absent: there are none. */
  readonly derived?: (store: ObjectStore, sinceMs: number) => Promise<readonly string[]>;
  /** Age below which no file is looked at. Must be well above ATTEMPT_LIFETIME_MS. */
  readonly graceMs?: number;
  /** A snapshot stays readable for so long after it was the newest. Must be well above ATTEMPT_LIFETIME_MS. */
  readonly windowMs?: number;
  /** Only says what would be deleted. */
  readonly dryRun?: boolean;
  /** Told after each deleted file. */
  readonly onDelete?: (file: ObjectInfo) => void;
}

export interface CollectReport {
  /** The newest snapshot; null in a warehouse without any. */
  readonly snapshot: number | null;
  /** Snapshots whose files are kept, in ascending order. */
  readonly retained: readonly number[];
  /** Data files, and those of them that are old enough to be looked at. */
  readonly files: number;
  readonly old: number;
  /** Deleted, or to be deleted (dry run), by key. */
  readonly garbage: readonly ObjectInfo[];
}

const DAY_MS = 86_400_000;
export const GRACE_MS = 7 * DAY_MS;
export const WINDOW_MS = 7 * DAY_MS;
const CONCURRENT = 16;

/** Errors: KashiError store_corrupt when anything that may name a file cannot be read: nothing is deleted then; TransientStoreError. */
export async function collect(store: ObjectStore, clock: Clock, options: CollectOptions): Promise<CollectReport> {
  const patient = patientReads(store);
  const nowMs = clock.now();
  const graceSinceMs = nowMs - (options.graceMs ?? GRACE_MS);
  const { files, suspects } = await listSuspects(patient, graceSinceMs);
  const old = suspects.size;
  const newest = await newestSnapshot(patient);
  const retained = await retainedSnapshots(patient, newest, nowMs - (options.windowMs ?? WINDOW_MS), options);
  const clearing = new Clearing(patient, suspects);
  for (const snapshot of [...(newest === null ? [] : [newest]), ...retained]) {
    if (suspects.size === 0) break;
    await clearing.snapshot(snapshot);
  }
  if (suspects.size > 0) await clearing.unfolded(newest);
  if (suspects.size > 0) for (const key of (await options.derived?.(patient, graceSinceMs)) ?? []) suspects.delete(key);
  const garbage = [...suspects.values()];
  if (options.dryRun !== true) {
    await mapConcurrently(garbage, CONCURRENT, async (file) => {
      await patient.delete(file.key);
      options.onDelete?.(file);
    });
  }
  return { snapshot: newest?.n ?? null, retained: retained.map(({ n }) => n), files, old, garbage };
}

async function listSuspects(store: ObjectStore, beforeMs: number): Promise<{ files: number; suspects: Map<string, ObjectInfo> }> {
  const suspects = new Map<string, ObjectInfo>();
  let files = 0;
  for await (const info of store.list(PREFIX.data)) {
    files += 1;
    if (info.lastModifiedMs < beforeMs) suspects.set(info.key, info);
  }
  return { files, suspects };
}

/** The newest snapshot, those that were the newest at some time since `sinceMs`, and the pinned ones, in ascending order. */
async function retainedSnapshots(
  store: ObjectStore,
  newest: Snapshot | null,
  sinceMs: number,
  { pinned }: CollectOptions,
): Promise<Snapshot[]> {
  const retained = new Map<number, Snapshot>();
  for (let snapshot = newest; snapshot !== null; ) {
    retained.set(snapshot.n, snapshot);
    const info = await store.head(snapshotKey(snapshot.n));
    if (info === null) throw corrupt(snapshotKey(snapshot.n), 'no object');
    // Before this instant the one before it was the newest.
    const older: boolean = snapshot.n > 1 && info.lastModifiedMs > sinceMs;
    snapshot = older ? await readSnapshot(store, snapshot.n - 1) : null;
  }
  for (const { n, sha256 } of await pinned(store)) {
    const snapshot = retained.get(n) ?? (await readSnapshot(store, n));
    if (snapshot.sha256 !== sha256) throw corrupt(snapshotKey(n), `SHA-256 ${snapshot.sha256}, where a pin says ${sha256}`);
    retained.set(n, snapshot);
  }
  return [...retained.values()].sort((left, right) => left.n - right.n);
}

/** Takes named files from the suspects. Snapshots share most of what they list, and a list is read once. */
class Clearing {
  private readonly store: ObjectStore;
  private readonly suspects: Map<string, ObjectInfo>;
  private readonly done = new Set<string>();

  constructor(store: ObjectStore, suspects: Map<string, ObjectInfo>) {
    this.store = store;
    this.suspects = suspects;
  }

  /** As snapshotFiles lists them: a file whose rows lie in a compacted one is not needed by this snapshot. */
  async snapshot({ segments, compacted = [] }: Snapshot): Promise<void> {
    const lists = compacted.map(({ sha256 }: CompactionRef) => sha256).join(' ');
    const fresh = segments.filter(({ sha256, dropped }) => !this.done.has(`${sha256} ${dropped.join(',')} ${lists}`));
    if (fresh.length === 0) return;
    const places = await readPlaces(this.store, compacted);
    for await (const { ref, entries } of readSegments(this.store, fresh)) {
      this.done.add(`${ref.sha256} ${ref.dropped.join(',')} ${lists}`);
      for (const { files } of liveEntries(ref, entries)) for (const { key } of files) this.suspects.delete(places.get(key)?.key ?? key);
    }
  }

  /** Commits that the next snapshot may hold: every generation above the one that counts, for a fold under way may have seen only the lower. */
  async unfolded(newest: Snapshot | null): Promise<void> {
    const folded = await readFolded(this.store, newest);
    const open: { cid: string; generation: number; key: string }[] = [];
    for await (const { key } of this.store.list(PREFIX.commits)) {
      const name = parseCommitKey(key);
      if (name.generation > (folded.commits.get(name.cid)?.generation ?? -1)) open.push({ ...name, key });
    }
    await mapConcurrently(open, CONCURRENT, async ({ cid, generation, key }) => {
      const record = await readCommit(this.store, cid, generation);
      if (record === null) throw corrupt(key, 'no object');
      for (const file of record.files) this.suspects.delete(file.key);
    });
  }
}
