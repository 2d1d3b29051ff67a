/** One landed object → Parquet, quarantine and one commit. Repeating it, under any name, changes nothing. */
import { PARSER_VERSION } from '../contract.ts';
import { KashiError } from '../domain/errors.ts';
import { ATTEMPT_LIFETIME_MS, type CommitRecord, commit, contentId, currentGeneration, markSeen, readCommit } from '../ledger/commit.ts';
import type { CommitName } from '../ledger/fold.ts';
import { seenKey } from '../ledger/keys.ts';
import type { Clock, LandedObject, ObjectStore, ParquetWriter } from '../ports.ts';
import { detectSource, shapeOf } from '../sources/detect.ts';
import type { Source } from '../sources/source.ts';
import { type Attempt, held, type Parsed, recordOf } from './attempt.ts';
import { type EarlierContents, releaseBeginnings } from './earlier.ts';
import { type Limits, ObjectFault } from './limits.ts';
import type { ParsePool } from './object-jobs.ts';
import { BLANK_LINES } from './parse-job.ts';
import { type Peek, peek } from './peek.ts';
import { keepReads, readObject } from './read-object.ts';
import { type HeldContent, hashObject, releaseHeld } from './release.ts';

/** How one object is to be read: the matching landing rule, resolved. */
export interface Reading {
  /** Null: the content decides. */
  readonly source: Source | null;
  readonly siteId: string;
  readonly zone: string | null;
  readonly options: Readonly<Record<string, unknown>>;
  /** Text of the map when the source is made from one: threads make their own. */
  readonly map: { readonly map: string; readonly fileName: string } | null;
  /** SHA-256 of everything above that can change rows; part of the commit. */
  readonly configHash: string;
}

export interface IngestDependencies {
  readonly store: ObjectStore;
  readonly writer: ParquetWriter;
  readonly pool: ParsePool;
  readonly clock: Clock;
  readonly limits: Limits;
  /** A new name for each attempt; letters, digits and '-'. */
  readonly newAttempt: () => string;
  /** Read content again that is committed already, as its next generation. */
  readonly reparse: boolean;
  /** What the newest snapshot holds. */
  readonly heldContents: readonly HeldContent[];
  /** What landed before: an object may be the continuation of another. */
  readonly earlier: () => Promise<EarlierContents>;
  /** Sees every raw chunk that was parsed. */
  readonly onBytes: (bytes: number) => void;
}

export interface IngestOutcome {
  readonly name: string;
  readonly bytes: number;
  /** known: this content was committed before, under this or another name. unfinished: a growing object that would be held; nothing was committed. */
  readonly outcome: 'committed' | 'held' | 'known' | 'unfinished';
  /** The record that stands for this content. */
  readonly record: CommitRecord;
  /** Contents that count as part of this one from now on, in their new, empty generation. */
  readonly released: readonly CommitName[];
}

const UNKNOWN_SOURCE = BLANK_LINES.name;
const SOURCE_UNKNOWN =
  'no source, or more than one, recognises the content; name it with --source or in kashi.yaml, and a log of your own with a map (docs/quick-start.md, step 3)';
const HASHED_FIRST_BYTES = 4 * 1024 ** 2;

/**
 * Errors: whatever the store or the disk throws; bad data never throws.
 * A small object, and one whose name was seen, is hashed before it is read, so that a known content is not read again. A large new one is
 * hashed while it is read: most are new, and a second pass over the bytes costs a fifth of the whole.
 */
export async function ingestObject(object: LandedObject, reading: Reading, dependencies: IngestDependencies): Promise<IngestOutcome> {
  const looked = await look(object, dependencies.limits);
  const source = sourceOf(reading, looked);
  if (object.bytes <= HASHED_FIRST_BYTES || source === null || 'fault' in looked || (await wasSeen(dependencies.store, object))) {
    const cid = await hashObject(object, source?.name ?? UNKNOWN_SOURCE);
    return await conclude(object, reading, cid, source, dependencies, async (attempt) => {
      if ('fault' in looked) return held(looked.fault.reason, looked.fault.message);
      if (source === null) return held('source_unknown', SOURCE_UNKNOWN);
      return await keepReads(await readObject(object, source, reading, looked, dependencies, () => {}), attempt, source, dependencies);
    });
  }
  const hasher = contentId(source.name);
  const reads = await readObject(object, source, reading, looked, dependencies, (chunk) => hasher.update(chunk));
  // A held object was not read to its end.
  const cid = reads.hold === null ? hasher.digest() : await hashObject(object, source.name);
  let kept = false;
  const outcome = await conclude(object, reading, cid, source, dependencies, (attempt) => {
    kept = true;
    return keepReads(reads, attempt, source, dependencies);
  });
  if (!kept) await dependencies.writer.discard([...reads.merged.rows, ...reads.merged.refusals]);
  return outcome;
}

/** Commits what `read` makes of the content, unless it is known. */
async function conclude(
  object: LandedObject,
  reading: Reading,
  cid: string,
  source: Source | null,
  { store, clock, heldContents, earlier, reparse, newAttempt }: IngestDependencies,
  read: (attempt: Attempt) => Promise<Parsed>,
): Promise<IngestOutcome> {
  const finish = async (outcome: IngestOutcome['outcome'], record: CommitRecord): Promise<IngestOutcome> => {
    const all = await earlier();
    // First, and also when it was known (another ingest may have committed it): the file may be rotated away from under what follows.
    all.add(record);
    const released = [
      ...(await releaseHeld(store, object, record, heldContents)),
      ...(await releaseBeginnings(store, object, record, all)),
    ];
    await markSeen(store, object, cid);
    return { name: object.name, bytes: object.bytes, outcome, record, released };
  };
  const standing = await standingRecord(store, cid, reading.configHash, reparse);
  if (standing.record !== null) return await finish('known', standing.record);
  const attempt: Attempt = {
    object,
    cid,
    generation: standing.generation,
    source: source?.name ?? UNKNOWN_SOURCE,
    id: newAttempt(),
    configHash: reading.configHash,
  };
  const deadline = { clock, atMs: clock.now() + ATTEMPT_LIFETIME_MS };
  const found = recordOf(attempt, await read(attempt), clock);
  if (object.growing === true && found.hold !== null)
    return { name: object.name, bytes: object.bytes, outcome: 'unfinished', record: found, released: [] };
  await checkUnchanged(object, attempt);
  const { outcome, record } = await commit(store, found, { deadline });
  return await finish(outcome === 'exists' ? 'known' : record.kind === 'held' ? 'held' : 'committed', record);
}

async function wasSeen(store: ObjectStore, object: LandedObject): Promise<boolean> {
  return (await store.head(seenKey(object))) !== null;
}

/** A file that was written anew between two of its readings has rows of one content under the id of another. Errors: KashiError conflict. */
async function checkUnchanged(object: LandedObject, { source, cid }: Attempt): Promise<void> {
  if (object.changed?.() !== true || (await hashObject(object, source)) === cid) return;
  throw new KashiError('conflict', 'a file changed while it was read', {
    where: object.name,
    hint: 'ingest it again when its producer has finished',
  });
}

function sourceOf(reading: Reading, looked: Peek | { readonly fault: ObjectFault }): Source | null {
  if ('fault' in looked) return reading.source;
  if (reading.source !== null) return shapeOf(reading.source, looked.head);
  return detectSource(looked.head) ?? (looked.blank ? BLANK_LINES : null);
}

async function look(object: LandedObject, limits: Limits): Promise<Peek | { readonly fault: ObjectFault }> {
  try {
    return await peek(object, limits);
  } catch (error) {
    if (error instanceof ObjectFault) return { fault: error };
    throw error;
  }
}

/** A committed content stands, unless it was held under another configuration or parser, or is to be read again: then by its next generation. */
async function standingRecord(
  store: ObjectStore,
  cid: string,
  configHash: string,
  reparse: boolean,
): Promise<{ record: CommitRecord | null; generation: number }> {
  const highest = await currentGeneration(store, cid);
  if (highest === null) return { record: null, generation: 0 };
  const record = await readCommit(store, cid, highest);
  const mended = record?.kind === 'held' && (record.config_hash !== configHash || record.parser_version !== PARSER_VERSION);
  // Released: its lines count as part of another content since; read again, they would count twice.
  const released = record?.kind === 'data' && highest > 0 && record.lines.physical === 0;
  return (reparse && !released) || mended || record === null ? { record: null, generation: highest + 1 } : { record, generation: highest };
}
