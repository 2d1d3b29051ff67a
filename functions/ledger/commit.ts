/** The commit point: one object per source content, created once, says that its rows exist. */
import { createHash } from 'node:crypto';
import { assert, KashiError } from '../domain/errors.ts';
import { type Clock, type ObjectStore, TransientStoreError } from '../ports.ts';
import { type CommitRecord, checkRecord } from './commit-record.ts';
import { commitKey, commitPrefix, type LandedName, parseCommitKey, seenKey } from './keys.ts';
import { patientReads, putAnyhow, TRIES } from './patient.ts';
import { corrupt, seal, unseal } from './sealed.ts';

export type { CommitFile, CommitRecord, LineCounts } from './commit-record.ts';

/** Places where a process may die, named so that a test can aim at each. */
export type CrashPoint =
  | 'beforeCommit'
  | 'commitUnknown'
  | 'afterCommit'
  | 'sealer.afterList'
  | 'sealer.midSegments'
  | 'sealer.beforeSnap'
  | 'sealer.snapUnknown';

/**
 * From the first file that an attempt stores to the write that names it, whoever attempts: an ingest, a compaction, a close. The collector waits
 * longer (its grace), so what it finds unnamed and old can never be named any more.
 */
export const ATTEMPT_LIFETIME_MS = 24 * 3_600_000;

export interface CommitOptions {
  /** Called at each crash point; a test throws from it. */
  readonly crash?: (point: CrashPoint) => void;
  /** An attempt past its deadline (epoch ms) must not commit: the collector may have taken its files for abandoned. */
  readonly deadline?: { readonly clock: Clock; readonly atMs: number };
  readonly tries?: number;
}

export interface CommitResult {
  /** created: this attempt's files are the content's rows. exists: another attempt's are, and this attempt's files are waste. */
  readonly outcome: 'created' | 'exists';
  /** The record that stands: this one, or the other attempt's. */
  readonly record: CommitRecord;
}

export interface ContentHasher {
  update(bytes: Uint8Array): void;
  /** The content id of what was given so far; more may follow. */
  soFar(): string;
  /** The content id, 64 hexadecimal digits; once, after the last update. */
  digest(): string;
}

/** A hasher of (source, NUL, raw bytes as landed): the same bytes of one source are one content under every name and on every day. */
export function contentId(source: string): ContentHasher {
  const hash = createHash('sha256').update(source).update('\0');
  return { update: (bytes) => void hash.update(bytes), soFar: () => hash.copy().digest('hex'), digest: () => hash.digest('hex') };
}

/**
 * Commits a record whose files are all stored already. Repeating it with the same record changes nothing and answers 'created' again.
 * An unknown outcome is settled by reading the key back and comparing the attempt.
 * Errors: KashiError conflict past the deadline, store_corrupt for an unreadable stored record; TransientStoreError when the store stays unreachable.
 */
export async function commit(store: ObjectStore, record: CommitRecord, options: CommitOptions = {}): Promise<CommitResult> {
  checkRecord(record);
  const bytes = seal(record);
  const key = commitKey(record.cid, record.generation);
  options.crash?.('beforeCommit');
  const stands = await createOrRead(store, record, bytes, options);
  options.crash?.('afterCommit');
  if (stands.attempt !== record.attempt) return { outcome: 'exists', record: stands };
  assert(stands === record || sameBytes(seal(stands), bytes), `attempt ${record.attempt} committed two records as ${key}`);
  return { outcome: 'created', record: stands };
}

/** The record that stands under the key, whoever wrote it. */
async function createOrRead(store: ObjectStore, record: CommitRecord, bytes: Uint8Array, options: CommitOptions): Promise<CommitRecord> {
  const { cid, generation } = record;
  const key = commitKey(cid, generation);
  let unknown: TransientStoreError | null = null;
  for (let left = options.tries ?? TRIES; left > 0; left -= 1) {
    checkDeadline(options, key);
    try {
      if ((await store.putIfAbsent(key, bytes)) === 'created') return record;
    } catch (error) {
      if (!(error instanceof TransientStoreError)) throw error;
      unknown = error;
      options.crash?.('commitUnknown');
    }
    // Also after 'exists': it may be an earlier try of ours that landed late.
    const stands = await readCommit(patientReads(store), cid, generation);
    if (stands !== null) return stands;
  }
  throw new TransientStoreError(`${key} could not be written`, { cause: unknown });
}

function checkDeadline(options: CommitOptions, key: string): void {
  const { deadline } = options;
  if (deadline === undefined || deadline.clock.now() < deadline.atMs) return;
  throw new KashiError('conflict', 'this attempt is too old to commit', { where: key, hint: 'ingest the object again' });
}

/** The committed record, or null. Errors: KashiError store_corrupt naming the key. */
export async function readCommit(store: ObjectStore, cid: string, generation: number): Promise<CommitRecord | null> {
  const key = commitKey(cid, generation);
  const bytes = await store.get(key);
  if (bytes === null) return null;
  const record = unseal(bytes, key) as CommitRecord;
  // A whole record under another's name is as wrong as a changed byte.
  if (record.cid !== cid || record.generation !== generation)
    throw corrupt(key, `the record of ${record.cid}, generation ${record.generation}`);
  return record;
}

/** The highest committed generation of a content, or null when it has none. */
export async function currentGeneration(store: ObjectStore, cid: string): Promise<number | null> {
  let highest: number | null = null;
  // Generation 10 is listed before generation 2, so every key is looked at.
  for await (const { key } of store.list(commitPrefix(cid))) highest = Math.max(highest ?? 0, parseCommitKey(key).generation);
  return highest;
}

/** What a `_seen` hint says. */
export interface SeenHint {
  readonly cid: string;
  readonly name: string;
  readonly bytes: number;
  readonly last_modified_ms: number;
}

/**
 * Notes that a landed object is committed. Call it after `commit` and before acknowledging: seen implies committed.
 * Errors: TransientStoreError when the store stays unreachable.
 */
export async function markSeen(store: ObjectStore, landed: LandedName, cid: string): Promise<void> {
  const hint: SeenHint = { cid, name: landed.name, bytes: landed.bytes, last_modified_ms: landed.lastModifiedMs };
  await putAnyhow(store, seenKey(landed), seal(hint));
}

function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, place) => byte === right[place]);
}
