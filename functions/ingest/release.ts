/**
 * A content that was held under one source name (or none) and is read under another has two content ids. Once it is read, the
 * held one is released: a next generation that holds nothing, so that a mended file does not stop a close for ever.
 */
import { type CommitRecord, commit, contentId, currentGeneration } from '../ledger/commit.ts';
import type { CommitName } from '../ledger/fold.ts';
import type { LandedObject, ObjectStore } from '../ports.ts';
import { NO_LINES } from './attempt.ts';

/** A held commit of the newest snapshot. */
export interface HeldContent {
  readonly cid: string;
  readonly source: string;
  readonly bytes: number;
}

/** Content id of an object under a source name. Reads the object once. */
export async function hashObject(object: LandedObject, source: string): Promise<string> {
  const hasher = contentId(source);
  for await (const chunk of object.open()) hasher.update(chunk);
  return hasher.digest();
}

/** Releases every held content whose bytes are those that `read` has committed as data; gives the commits. Repeating it changes no number. */
export async function releaseHeld(
  store: ObjectStore,
  object: LandedObject,
  read: CommitRecord,
  all: readonly HeldContent[],
): Promise<CommitName[]> {
  const released: CommitName[] = [];
  if (read.kind !== 'data') return released;
  for (const held of all) {
    if (held.bytes !== object.bytes || held.source === read.source) continue;
    if ((await hashObject(object, held.source)) !== held.cid) continue;
    released.push(await release(store, read, held));
  }
  return released;
}

/** Commits the next generation of a content, which is empty: its lines count as part of `read`. Whoever releases it for `read` writes the same bytes. */
export async function release(store: ObjectStore, read: CommitRecord, content: Pick<HeldContent, 'cid' | 'source'>): Promise<CommitName> {
  const generation = ((await currentGeneration(store, content.cid)) ?? 0) + 1;
  await commit(store, { ...emptied(read, content), generation });
  return { cid: content.cid, generation };
}

/**
 * The record of a content of which nothing is left to read. Its attempt, parser and instant are those of the reading that released it, so that two
 * processes that find this reading at the same time do not contradict each other.
 */
function emptied(read: CommitRecord, { cid, source }: Pick<HeldContent, 'cid' | 'source'>): Omit<CommitRecord, 'generation'> {
  const { object, config_hash, parser_version, attempt, committed_at_ms } = read;
  return {
    kind: 'data',
    cid,
    source,
    object,
    parser_version,
    config_hash,
    attempt,
    lines: { ...NO_LINES, newlines: 0 },
    rows: {},
    reasons: {},
    hold: null,
    files: [],
    committed_at_ms,
  };
}
