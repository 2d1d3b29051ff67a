/** Numbered, hash-linked snapshots: the one order of everything. A reader takes one number and sees the same commits for ever. */
import { PREFIX } from '../contract.ts';
import type { DatasetName } from '../datasets.ts';
import { sha256Hex } from '../domain/canonical-json.ts';
import { KashiError } from '../domain/errors.ts';
import type { ObjectStore } from '../ports.ts';
import type { CommitFile } from './commit-record.ts';
import { type CompactionRef, readPlaces } from './compaction.ts';
import { parseSnapshotKey, snapshotKey } from './keys.ts';
import { corrupt, unseal } from './sealed.ts';
import { type FoldedCommit, liveEntries, readSegments, type SegmentRef } from './segment.ts';
import type { DatasetTotals, SourceTotals } from './totals.ts';

export type { CompactionRef } from './compaction.ts';
export type { FoldedCommit, SegmentRef } from './segment.ts';
export type { DatasetTotals, SourceTotals } from './totals.ts';

/** What is stored under `_snap/<n>`. */
export interface SnapshotBody {
  /** From 1, without gaps. */
  readonly n: number;
  /** SHA-256 of the stored bytes of snapshot n − 1; null in snapshot 1. */
  readonly parent: string | null;
  readonly segments: readonly SegmentRef[];
  /** By source. */
  readonly totals: Readonly<Record<string, SourceTotals>>;
  /** Quarantined lines by source and reason. */
  readonly quarantine: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly datasets: Readonly<Partial<Record<DatasetName, DatasetTotals>>>;
  /** Files that hold the rows of many commits instead of the files which those name; absent before the first compaction. */
  readonly compacted?: readonly CompactionRef[];
  /** For people only: the order is that of the numbers. */
  readonly folded_at_ms: number;
}

/** A snapshot as read. `sha256` is that of its stored bytes: number and hash together pin it. */
export interface Snapshot extends SnapshotBody {
  readonly sha256: string;
}

/**
 * The rows of one content in one data file: those whose object_id is the content's. `rows`, `min_ms` and `max_ms` are the content's; `key`, `bytes`
 * and `sha256` are the file's, which is listed again for every further content that a compaction put into it.
 */
export interface SnapshotFile extends CommitFile {
  readonly cid: string;
  readonly source: string;
  readonly object_name: string;
  readonly fold_seq: number;
}

/**
 * The snapshot with the highest number, or null in a new warehouse. `from`: a number known to exist, to begin the search there.
 * Errors: KashiError store_corrupt naming the key.
 */
export async function newestSnapshot(store: ObjectStore, from = 0): Promise<Snapshot | null> {
  const n = await newestNumber(store, from);
  return n === 0 ? null : await readSnapshot(store, n);
}

/** Snapshot n. Errors: KashiError not_found when there is none, store_corrupt naming the key when any byte differs. */
export async function readSnapshot(store: ObjectStore, n: number): Promise<Snapshot> {
  const key = snapshotKey(n);
  const bytes = await store.get(key);
  if (bytes === null) throw new KashiError('not_found', `there is no snapshot ${n}`, { where: key });
  const body = unseal(bytes, key) as SnapshotBody;
  if (body.n !== n) throw corrupt(key, `snapshot ${body.n}`);
  return { ...body, sha256: sha256Hex(bytes) };
}

/**
 * Follows the parent hashes from a snapshot (as pinned, or the newest) back to number 1. Returns how many snapshots were verified.
 * Errors: KashiError store_corrupt naming the first snapshot that is missing, damaged, or not the one its successor was made from.
 */
export async function verifyChain(store: ObjectStore, pinned?: Pick<Snapshot, 'n' | 'sha256'>): Promise<number> {
  const start = pinned ?? (await newestSnapshot(store));
  let expected: string | null = start?.sha256 ?? null;
  for (let n = start?.n ?? 0; n > 0; n -= 1) {
    const snapshot = await readSnapshot(store, n).catch((error: unknown) => {
      if (error instanceof KashiError && error.code === 'not_found') throw corrupt(snapshotKey(n), 'no object', error);
      throw error;
    });
    if (snapshot.sha256 !== expected)
      throw corrupt(snapshotKey(n), `SHA-256 ${snapshot.sha256}, where its successor or pin says ${expected}`);
    expected = snapshot.parent;
  }
  if (expected !== null) throw corrupt(snapshotKey(1), 'a parent before the first snapshot');
  return start?.n ?? 0;
}

/** The commits of a snapshot in fold order: of each content its highest generation, once. Errors: KashiError store_corrupt naming a segment. */
export async function* snapshotCommits(store: ObjectStore, snapshot: SnapshotBody): AsyncGenerator<FoldedCommit> {
  for await (const { ref, entries } of readSegments(store, snapshot.segments)) yield* liveEntries(ref, entries);
}

/**
 * What a snapshot holds, by content and file, in fold order, of one dataset or of all: the explicit list a reader queries. A commit counts only
 * by being listed in a segment; a compaction says no more than where its rows lie. Errors: KashiError store_corrupt naming a segment.
 */
export async function snapshotFiles(store: ObjectStore, snapshot: SnapshotBody, dataset?: DatasetName): Promise<SnapshotFile[]> {
  const files: SnapshotFile[] = [];
  const places = await readPlaces(store, snapshot.compacted);
  for await (const { cid, source, object, fold_seq, files: committed } of snapshotCommits(store, snapshot)) {
    for (const file of committed) {
      if (dataset !== undefined && file.dataset !== dataset) continue;
      const { key, bytes, sha256 } = places.get(file.key) ?? file;
      files.push({ ...file, key, bytes, sha256, cid, source, object_name: object.name, fold_seq });
    }
  }
  return files;
}

/** Numbers that one look takes in: a listing comes in pages of more than this anyway. */
const LOOK_AHEAD = 100;

/**
 * The highest snapshot number; `from` (0 for none) when nothing is above it. Asks "which are the first above k?" in growing, then
 * shrinking steps, so a warehouse with years of snapshots is not listed from its beginning, and a gap cannot hide a later one.
 */
async function newestNumber(store: ObjectStore, from: number): Promise<number> {
  let known = from;
  let growing = true;
  for (let step = 0; ; ) {
    const { last, isEnd } = await someAbove(store, known + step);
    // Nothing is above the end of a listing.
    if (isEnd && (last !== null || step === 0)) return last ?? known;
    growing &&= last !== null;
    known = last ?? known;
    step = growing ? Math.max(LOOK_AHEAD, step * 2) : Math.floor(step / 2);
  }
}

/** The last of the first few numbers above n, null when there is none; and whether the listing ended there. */
async function someAbove(store: ObjectStore, n: number): Promise<{ last: number | null; isEnd: boolean }> {
  let last: number | null = null;
  let count = 0;
  for await (const { key } of store.list(PREFIX.snapshots, snapshotKey(n))) {
    last = parseSnapshotKey(key);
    count += 1;
    if (count === LOOK_AHEAD) return { last, isEnd: false };
  }
  return { last, isEnd: true };
}
