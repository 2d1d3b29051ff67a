/**
 * Compaction: many small files of quiet days become few larger ones. No row changes, none is dropped, repeats are kept, and no commit is touched;
 * the next snapshot only says where the rows lie. What is read is verified, what is written is counted and compared, and nothing of it
 * counts before a snapshot names it. It may die anywhere: what it leaves is an unreferenced file, for the collector.
 */
import { DATASETS } from '../datasets.ts';
import { sha256Hex } from '../domain/canonical-json.ts';
import { assert, KashiError } from '../domain/errors.ts';
import { type Clock, type MergedFile, type ObjectStore, type ParquetMerger, TransientStoreError } from '../ports.ts';
import { ATTEMPT_LIFETIME_MS } from './commit.ts';
import { type CompactPlan, type Group, planCompaction, type QuietRule } from './compact-plan.ts';
import { type CompactionRef, readCompactions, writeCompaction } from './compaction.ts';
import { compactedKey, objectIdOf, snapshotKey } from './keys.ts';
import { patientReads } from './patient.ts';
import { corrupt, seal } from './sealed.ts';
import { newestSnapshot, type Snapshot, type SnapshotBody, snapshotFiles } from './snapshot.ts';

export interface CompactOptions extends Partial<QuietRule> {
  /** A new name for each attempt; letters, digits and '-'. */
  readonly newAttempt: () => string;
  /** Only says what would be done. */
  readonly dryRun?: boolean;
  /** Told after each group: files and bytes of its inputs. */
  readonly onGroup?: (files: number, bytes: number) => void;
  /** Lost races and unknown outcomes before giving up. */
  readonly attempts?: number;
}

export interface CompactedGroup {
  readonly dataset: string;
  readonly partition: string;
  readonly files: number;
  readonly rows: number;
  readonly bytesBefore: number;
  /** Null: not written, in a dry run. */
  readonly bytesAfter: number | null;
  /** planned: a dry run. compacted: a snapshot names the new file. dropped: an input was replaced or compacted by somebody else meanwhile. */
  readonly outcome: 'planned' | 'compacted' | 'dropped';
}

export interface CompactReport {
  /** The newest snapshot that this run knows; null in an empty warehouse. */
  readonly snapshot: number | null;
  readonly groups: readonly CompactedGroup[];
  /** Files that are in no group: not quiet, large already, or too few. */
  readonly left: number;
}

const ATTEMPTS = 64;

/**
 * Compacts what is quiet, partition by partition, each with a snapshot of its own. Running it again compacts nothing twice.
 * The clock says what is quiet, labels the snapshots, and ends attempts that took longer than the collector waits for.
 * Errors: KashiError store_corrupt naming an input with other bytes or a merge that lost a row (no snapshot is written then), conflict when every
 * attempt lost its race or took too long; TransientStoreError when the store stays unreachable.
 */
export async function compact(store: ObjectStore, clock: Clock, merger: ParquetMerger, options: CompactOptions): Promise<CompactReport> {
  const patient = patientReads(store);
  const base = await newestSnapshot(patient);
  if (base === null) return { snapshot: null, groups: [], left: 0 };
  const plan = await planCompaction(patient, base, clock, options);
  if (options.dryRun === true)
    return { snapshot: base.n, groups: plan.groups.map((group) => reportOf(group, null, 'planned')), left: plan.left };
  const done: CompactedGroup[] = [];
  let newest: Snapshot = base;
  for (const groups of partitionsOf(plan)) {
    const deadlineMs = clock.now() + ATTEMPT_LIFETIME_MS;
    const written: Written[] = [];
    for (const group of groups) {
      written.push(await mergeGroup(patient, merger, group, options.newAttempt()));
      options.onGroup?.(group.files.length, group.bytes);
    }
    const published = await publish(patient, clock, newest, written, deadlineMs, options.attempts ?? ATTEMPTS);
    newest = published.snapshot;
    for (const { group, bytes, ref } of written)
      done.push(reportOf(group, bytes, published.refs.has(ref.sha256) ? 'compacted' : 'dropped'));
  }
  return { snapshot: newest.n, groups: done, left: plan.left };
}

interface Written {
  readonly group: Group;
  readonly bytes: number;
  readonly ref: CompactionRef;
}

function partitionsOf({ groups }: CompactPlan): Iterable<Group[]> {
  return Map.groupBy(groups, ({ dataset, partition }) => `${dataset} ${partition}`).values();
}

function reportOf(
  { dataset, partition, files, rows, bytes }: Group,
  after: number | null,
  outcome: CompactedGroup['outcome'],
): CompactedGroup {
  return { dataset, partition, files: files.length, rows, bytesBefore: bytes, bytesAfter: after, outcome };
}

/** Reads, merges, checks and stores one group; nothing names the result yet. */
async function mergeGroup(store: ObjectStore, merger: ParquetMerger, group: Group, attempt: string): Promise<Written> {
  const { dataset, partition, files } = group;
  const merged = await merger.merge(DATASETS[dataset], verified(store, group));
  checkMerged(group, merged);
  const key = compactedKey({ dataset, partition, part: 0, attempt });
  const { rows, bytes, sha256, minMs, maxMs } = merged;
  await putOwn(store, key, merged);
  const ref = await writeCompaction(store, {
    file: { key, dataset, partition, rows, bytes, sha256, min_ms: minMs, max_ms: maxMs },
    inputs: files.map((file) => file.key),
  });
  return { group, bytes, ref };
}

async function* verified(store: ObjectStore, { files }: Group): AsyncGenerator<Uint8Array> {
  for (const { key, sha256 } of files) {
    const bytes = await store.get(key);
    if (bytes === null) throw corrupt(key, 'no object');
    const found = sha256Hex(bytes);
    if (found !== sha256) throw corrupt(key, `SHA-256 ${found}, where its commit says ${sha256}`);
    yield bytes;
  }
}

/** Every number that a commit states of its file must be found again in the merged one, and the rows as a whole must be the same. */
function checkMerged({ files, dataset, partition }: Group, merged: MergedFile): void {
  const where = `compaction of ${dataset} ${partition}`;
  if (merged.digest !== merged.inputDigest)
    throw new KashiError('store_corrupt', 'a merged file has other rows than its inputs', {
      where,
      allowed: `count and digests ${merged.inputDigest}`,
      found: merged.digest,
    });
  const stated = files.map(({ cid, rows, min_ms, max_ms }) => `${objectIdOf(cid)}: ${rows} rows, ${min_ms} to ${max_ms}`);
  const found = new Set(merged.contents.map(({ object_id, rows, minMs, maxMs }) => `${object_id}: ${rows} rows, ${minMs} to ${maxMs}`));
  const lost = stated.find((one) => !found.has(one));
  if (lost !== undefined || found.size !== stated.length)
    throw new KashiError('store_corrupt', 'a merged file does not have the rows that the commits state', {
      where,
      allowed: lost ?? `${stated.length} contents`,
      found:
        lost === undefined
          ? `${found.size} contents`
          : ([...found].find((one) => one.startsWith(lost.slice(0, 16))) ?? 'none of this content'),
    });
}

/** The key is this attempt's alone, so an unknown outcome may simply be tried again. */
async function putOwn(store: ObjectStore, key: string, merged: MergedFile): Promise<void> {
  for (let left = ATTEMPTS; ; left -= 1) {
    try {
      await store.putIfAbsent(key, { file: merged.file });
      break;
    } catch (error) {
      if (!(error instanceof TransientStoreError) || left <= 1) throw error;
    }
  }
  const stored = await store.head(key);
  if (stored?.bytes !== merged.bytes) throw corrupt(key, stored === null ? 'no object after it was written' : `${stored.bytes} bytes`);
}

/**
 * The next snapshot with those compactions of which every input is current in the newest one; the others are dropped. A lost race or an unknown
 * outcome starts again from what stands.
 */
async function publish(
  store: ObjectStore,
  clock: Clock,
  known: Snapshot,
  written: readonly Written[],
  deadlineMs: number,
  attempts: number,
): Promise<{ readonly snapshot: Snapshot; readonly refs: ReadonlySet<string> }> {
  const own = new Set(written.map(({ ref }) => ref.sha256));
  let unknown: TransientStoreError | null = null;
  for (let left = attempts; left > 0; left -= 1) {
    const newest = await newestSnapshot(store, known.n);
    assert(newest !== null, 'a snapshot disappeared');
    const standing = newest.compacted ?? [];
    const stands = standing.filter(({ sha256 }) => own.has(sha256));
    // An earlier try of ours that landed without an answer.
    if (stands.length > 0) return { snapshot: newest, refs: new Set(stands.map(({ sha256 }) => sha256)) };
    // An input that was compacted by somebody else is listed under another key, one that was replaced not at all.
    const current = new Set((await snapshotFiles(store, newest)).map(({ key }) => key));
    const refs = written.filter(({ group }) => group.files.every(({ key }) => current.has(key))).map(({ ref }) => ref);
    if (refs.length === 0) return { snapshot: newest, refs: new Set() };
    const compacted = [...(await withoutDead(store, standing, current)), ...refs];
    // Nothing is waited for between this look at the clock and the write.
    if (clock.now() >= deadlineMs)
      throw new KashiError('conflict', 'this compaction took so long that its files may be collected', {
        found: `more than ${ATTEMPT_LIFETIME_MS / 3_600_000} hours`,
        hint: 'run it again',
      });
    const { sha256: parent, ...body } = newest;
    const next: SnapshotBody = {
      ...body,
      n: newest.n + 1,
      parent,
      compacted,
      folded_at_ms: clock.now(),
    };
    const bytes = seal(next);
    try {
      if ((await store.putIfAbsent(snapshotKey(next.n), bytes)) === 'created')
        return { snapshot: { ...next, sha256: sha256Hex(bytes) }, refs: new Set(refs.map(({ sha256 }) => sha256)) };
    } catch (error) {
      if (!(error instanceof TransientStoreError)) throw error;
      unknown = error;
    }
  }
  if (unknown !== null) throw new TransientStoreError('the next snapshot could not be written', { cause: unknown });
  throw new KashiError('conflict', 'other writers of snapshots were faster at every attempt', { hint: 'run it again' });
}

/** Those compactions of which at least one content still counts. */
async function withoutDead(store: ObjectStore, refs: readonly CompactionRef[], current: ReadonlySet<string>): Promise<CompactionRef[]> {
  const compactions = await readCompactions(store, refs);
  return refs.filter((_, place) => current.has(compactions[place]!.file.key));
}
