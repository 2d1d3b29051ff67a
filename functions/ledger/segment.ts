/** Lists of folded commits, named by the hash of their bytes: written once, shared by all later snapshots. */
import { canonicalJson, sha256Hex } from '../domain/canonical-json.ts';
import { KashiError } from '../domain/errors.ts';
import type { ObjectStore } from '../ports.ts';
import type { CommitRecord } from './commit-record.ts';
import { segmentKey } from './keys.ts';
import { mapConcurrently, putAnyhow } from './patient.ts';
import { corrupt } from './sealed.ts';

/** Entries of a full segment. */
export const SEGMENT_ENTRIES = 1000;
/** Segments in memory at once while many are read: about 1 MB each. */
const READ_AHEAD = 4;

/** A commit in the history. `fold_seq` is the number of the snapshot that first held this generation of this content. */
export interface FoldedCommit extends CommitRecord {
  readonly fold_seq: number;
}

export interface SegmentRef {
  readonly sha256: string;
  readonly entries: number;
  /** fold_seq of the first and the last entry, inclusive. */
  readonly first: number;
  readonly last: number;
  /** Places (from 0, ascending) whose commit a higher generation replaced: a full segment is never written again. */
  readonly dropped: readonly number[];
}

/** Stores the entries (1 to SEGMENT_ENTRIES, in fold order) and returns what names them. Errors: TransientStoreError, KashiError store_corrupt. */
export async function writeSegment(store: ObjectStore, entries: readonly FoldedCommit[]): Promise<SegmentRef> {
  const bytes = new TextEncoder().encode(canonicalJson({ entries }));
  const sha256 = sha256Hex(bytes);
  const ref = { sha256, entries: entries.length, first: entries[0]!.fold_seq, last: entries.at(-1)!.fold_seq, dropped: [] };
  // Another folder may have written the same list; it is about to become history, so it must be whole.
  if ((await putAnyhow(store, segmentKey(sha256), bytes)) === 'exists') await readSegment(store, ref);
  return ref;
}

/** All entries of a segment, dropped ones too. Errors: KashiError store_corrupt naming the key when it is missing or any byte differs. */
export async function readSegment(store: ObjectStore, ref: SegmentRef): Promise<readonly FoldedCommit[]> {
  const key = segmentKey(ref.sha256);
  const bytes = await store.get(key);
  if (bytes === null) throw new KashiError('store_corrupt', 'a segment named by a snapshot is missing', { where: key });
  if (sha256Hex(bytes) !== ref.sha256) throw corrupt(key, 'other bytes than its name says');
  const { entries } = JSON.parse(new TextDecoder().decode(bytes)) as { entries: readonly FoldedCommit[] };
  if (entries.length !== ref.entries) throw corrupt(key, `${entries.length} entries, where the snapshot says ${ref.entries}`);
  return entries;
}

/** The segments in order with their entries, a few in memory at a time. */
export async function* readSegments(
  store: ObjectStore,
  refs: readonly SegmentRef[],
): AsyncGenerator<{ ref: SegmentRef; entries: readonly FoldedCommit[] }> {
  for (let start = 0; start < refs.length; start += READ_AHEAD) {
    const group = refs.slice(start, start + READ_AHEAD);
    const read = await mapConcurrently(group, READ_AHEAD, async (ref) => ({ ref, entries: await readSegment(store, ref) }));
    yield* read;
  }
}

/** The entries that still count. */
export function liveEntries(ref: SegmentRef, entries: readonly FoldedCommit[]): readonly FoldedCommit[] {
  if (ref.dropped.length === 0) return entries;
  const dropped = new Set(ref.dropped);
  return entries.filter((_, place) => !dropped.has(place));
}
