/** What is folded already, and which commits are new. */
import { PREFIX } from '../contract.ts';
import { KashiError } from '../domain/errors.ts';
import type { ObjectStore } from '../ports.ts';
import { currentGeneration, type SeenHint } from './commit.ts';
import { parseCommitKey, seenKey, seenPrefix, utcDay } from './keys.ts';
import { mapConcurrently } from './patient.ts';
import { unseal } from './sealed.ts';
import { readSegments } from './segment.ts';
import type { Snapshot } from './snapshot.ts';

export interface CommitName {
  readonly cid: string;
  readonly generation: number;
}

/** What a snapshot holds, as far as the next one must know. */
export interface Folded {
  /** By content: its generation, and where its entry lies (index of the segment, place in it). */
  readonly commits: ReadonlyMap<string, { readonly generation: number; readonly segment: number; readonly place: number }>;
  /** Keys of the hints of folded objects, of the days asked for. */
  readonly seen: ReadonlySet<string>;
}

const CONCURRENT_READS = 16;

/** Reads all segments of a snapshot, a few at a time. `days`: landed days whose hint keys are wanted. Errors: KashiError store_corrupt. */
export async function readFolded(store: ObjectStore, snapshot: Snapshot | null, days: readonly string[] = []): Promise<Folded> {
  const commits = new Map<string, { generation: number; segment: number; place: number }>();
  const seen = new Set<string>();
  const wanted = new Set(days);
  let segment = 0;
  for await (const { entries } of readSegments(store, snapshot?.segments ?? [])) {
    for (const [place, { cid, generation, object }] of entries.entries()) {
      // A replaced entry lies before the one that replaced it, so the last one of a content is the one that counts.
      commits.set(cid, { generation, segment, place });
      const landed = { name: object.name, bytes: object.bytes, lastModifiedMs: object.last_modified_ms };
      if (wanted.has(utcDay(landed.lastModifiedMs))) seen.add(seenKey(landed));
    }
    segment += 1;
  }
  return { commits, seen };
}

/**
 * Commits above what is folded, of each content only its highest generation, in the order of their content ids: the order inside a snapshot
 * does not depend on who listed when. `commits`, `since`: as FoldOptions says. Errors: KashiError store_corrupt naming a key.
 */
export async function findNewCommits(
  store: ObjectStore,
  folded: Folded,
  { commits, since }: { readonly commits?: readonly CommitName[]; readonly since?: readonly string[] },
): Promise<CommitName[]> {
  const fresh = new Map<string, number>();
  const found = commits ?? (since === undefined ? listCommits(store) : commitsSeenOn(store, since, folded.seen));
  for await (const { cid, generation } of found) {
    const known = Math.max(folded.commits.get(cid)?.generation ?? -1, fresh.get(cid) ?? -1);
    if (generation > known) fresh.set(cid, generation);
  }
  return [...fresh].map(([cid, generation]) => ({ cid, generation })).sort((left, right) => (left.cid < right.cid ? -1 : 1));
}

async function* listCommits(store: ObjectStore): AsyncGenerator<CommitName> {
  for await (const { key } of store.list(PREFIX.commits)) yield parseCommitKey(key);
}

/** Opens only hints of objects that are not folded yet: new ones, and further names of a folded content. */
async function* commitsSeenOn(store: ObjectStore, days: readonly string[], folded: ReadonlySet<string>): AsyncGenerator<CommitName> {
  for (const day of days) {
    const unopened: string[] = [];
    for await (const { key } of store.list(seenPrefix(day))) {
      if (!folded.has(key)) unopened.push(key);
    }
    yield* await mapConcurrently(unopened, CONCURRENT_READS, (key) => commitOfHint(store, key));
  }
}

async function commitOfHint(store: ObjectStore, key: string): Promise<CommitName> {
  const bytes = await store.get(key);
  if (bytes === null) throw new KashiError('store_corrupt', 'a hint has disappeared', { where: key });
  const { cid } = unseal(bytes, key) as SeenHint;
  const generation = await currentGeneration(store, cid);
  if (generation === null)
    throw new KashiError('store_corrupt', 'a hint names a content that was never committed', { where: key, found: cid });
  return { cid, generation };
}
