/** Folding: new commits become the next snapshot. Any number of folders may race; the snapshot's slot is created once, and the losers start again. */
import { sha256Hex } from '../domain/canonical-json.ts';
import { KashiError } from '../domain/errors.ts';
import { type Clock, type ObjectStore, TransientStoreError } from '../ports.ts';
import { type CommitRecord, type CrashPoint, readCommit } from './commit.ts';
import { type CommitName, type Folded, findNewCommits, readFolded } from './fold-find.ts';
import { commitKey, snapshotKey } from './keys.ts';
import { mapConcurrently, patientReads } from './patient.ts';
import { seal } from './sealed.ts';
import { type FoldedCommit, liveEntries, readSegment, SEGMENT_ENTRIES, type SegmentRef, writeSegment } from './segment.ts';
import { newestSnapshot, type Snapshot, type SnapshotBody } from './snapshot.ts';
import { sumFrom, type TotalsSum } from './totals.ts';

export type { CommitName } from './fold-find.ts';

export interface FoldOptions {
  /**
   * Landed days (yyyy-mm-dd, UTC): find new commits only through the `_seen` hints of these days, which is cheap enough for every minute.
   * Absent: list all commits. Only that finds a commit whose hint was never written, and a content read again (a higher generation).
   */
  readonly since?: readonly string[];
  /** The commits themselves, where the caller made them: nothing is listed then. Those that are folded already change nothing. */
  readonly commits?: readonly CommitName[];
  readonly crash?: (point: CrashPoint) => void;
  /** Lost races and unknown outcomes before giving up. */
  readonly attempts?: number;
}

const ATTEMPTS = 64;
/** Commits and files asked for at once. */
const CONCURRENT_READS = 16;

/**
 * The newest snapshot after folding: the current one, unchanged, when nothing is new; null in a warehouse without commits.
 * The clock only labels the snapshot. Errors: KashiError store_corrupt naming a commit or a file that is missing or damaged (nothing is folded then),
 * conflict when every attempt lost its race; TransientStoreError when the store stays unreachable.
 */
export async function fold(store: ObjectStore, clock: Clock, options: FoldOptions = {}): Promise<Snapshot | null> {
  const patient = patientReads(store);
  let known = 0;
  let unknown: TransientStoreError | null = null;
  for (let left = options.attempts ?? ATTEMPTS; left > 0; left -= 1) {
    const base = await newestSnapshot(patient, known);
    known = base?.n ?? 0;
    const next = await nextSnapshot(patient, base, clock, options);
    if (next === null) return base;
    options.crash?.('sealer.beforeSnap');
    const bytes = seal(next);
    try {
      if ((await patient.putIfAbsent(snapshotKey(next.n), bytes)) === 'created') return { ...next, sha256: sha256Hex(bytes) };
    } catch (error) {
      if (!(error instanceof TransientStoreError)) throw error;
      unknown = error;
      options.crash?.('sealer.snapUnknown');
    }
    // Lost or unknown: what stands in the store decides, so start again from there.
  }
  if (unknown !== null) throw new TransientStoreError('the next snapshot could not be written', { cause: unknown });
  throw new KashiError('conflict', 'other folders were faster at every attempt', { hint: 'run it again' });
}

/** The successor of `base` with everything new, its segments already written; null when nothing is new. */
async function nextSnapshot(store: ObjectStore, base: Snapshot | null, clock: Clock, options: FoldOptions): Promise<SnapshotBody | null> {
  const folded = await readFolded(store, base, options.since);
  const fresh = await findNewCommits(store, folded, options);
  options.crash?.('sealer.afterList');
  if (fresh.length === 0) return null;

  const n = (base?.n ?? 0) + 1;
  const sum = sumFrom(base === null ? undefined : { sources: base.totals, quarantine: base.quarantine, datasets: base.datasets });
  const kept = await dropReplaced(store, base?.segments ?? [], folded, fresh, sum);
  const segments = await append(store, kept, fresh, n, sum, options);
  const { sources, quarantine, datasets } = sum.result();
  // Where rows lie is not the fold's concern: a compacted content that was replaced is in no segment, and so its rows do not count.
  const compacted = base?.compacted === undefined ? {} : { compacted: base.compacted };
  return { n, parent: base?.sha256 ?? null, segments, totals: sources, quarantine, datasets, ...compacted, folded_at_ms: clock.now() };
}

/** The segments without the commits that a fresh, higher generation replaces; their numbers leave the sum. */
async function dropReplaced(
  store: ObjectStore,
  refs: readonly SegmentRef[],
  folded: Folded,
  fresh: readonly CommitName[],
  sum: TotalsSum,
): Promise<SegmentRef[]> {
  const placesBySegment = new Map<number, number[]>();
  for (const { cid } of fresh) {
    const old = folded.commits.get(cid);
    if (old !== undefined) placesBySegment.set(old.segment, [...(placesBySegment.get(old.segment) ?? []), old.place]);
  }
  const kept = [...refs];
  for (const [segment, places] of placesBySegment) {
    const ref = refs[segment]!;
    const entries = await readSegment(store, ref);
    for (const place of places) sum.subtract(entries[place]!);
    kept[segment] = { ...ref, dropped: [...ref.dropped, ...places].sort((left, right) => left - right) };
  }
  return kept;
}

/** The segments with the fresh commits at their end. Only the last segment is written again, and only when it was not full. */
async function append(
  store: ObjectStore,
  kept: readonly SegmentRef[],
  fresh: readonly CommitName[],
  n: number,
  sum: TotalsSum,
  options: FoldOptions,
): Promise<SegmentRef[]> {
  const refs = [...kept];
  let open: FoldedCommit[] = [];
  const last = refs.at(-1);
  if (last !== undefined && last.entries < SEGMENT_ENTRIES) {
    open = [...liveEntries(last, await readSegment(store, last))];
    refs.pop();
  }
  for (let start = 0; start < fresh.length; ) {
    const end = start + SEGMENT_ENTRIES - open.length;
    const records = await mapConcurrently(fresh.slice(start, end), CONCURRENT_READS, (name) => readVerified(store, name));
    for (const record of records) sum.add(record);
    open.push(...records.map((record) => ({ ...record, fold_seq: n })));
    refs.push(await writeSegment(store, open));
    options.crash?.('sealer.midSegments');
    open = [];
    start = end;
  }
  return refs.filter((ref) => ref.dropped.length < ref.entries);
}

/** The commit, once each file it names is known to be there with its size. Errors: KashiError store_corrupt naming file and commit. */
async function readVerified(store: ObjectStore, name: CommitName): Promise<CommitRecord> {
  const record = await readCommit(store, name.cid, name.generation);
  const commit = commitKey(name.cid, name.generation);
  if (record === null) throw new KashiError('store_corrupt', 'a commit has disappeared', { where: commit });
  for (const file of record.files) {
    const found = await store.head(file.key);
    if (found?.bytes === file.bytes) continue;
    throw new KashiError('store_corrupt', 'a committed file is missing or has another size', {
      where: file.key,
      allowed: `${file.bytes} bytes, as ${commit} says`,
      found: found === null ? 'no object' : `${found.bytes} bytes`,
    });
  }
  return record;
}
