/**
 * A file that grew, or was rotated away after it had been read, is a new content that begins with the bytes of an earlier one. Its rows are all
 * in the new one, so the earlier content is released: a next generation without rows. Every line counts once then, also where rows have no
 * natural key, and the half line at which an earlier reading ended leaves the quarantine.
 */
import { type CommitRecord, contentId, currentGeneration, readCommit } from '../ledger/commit.ts';
import type { CommitName } from '../ledger/fold.ts';
import { patientReads } from '../ledger/patient.ts';
import { newestSnapshot, snapshotCommits } from '../ledger/snapshot.ts';
import type { LandedObject, ObjectStore } from '../ports.ts';
import { type HeldContent, release } from './release.ts';

/** What stands between a log's name and the number or date that a rotation adds. */
const ROTATION_MARKS = '.-_~@';
/** A log that a rotation numbers: what was usage.log.1 is usage.log.2 after the next one. */
const NUMBERED = /^(.*[^/]\.)([1-9]\d{0,2})$/s;

/** Contents by the name under which they landed. About 300 bytes each. */
export class EarlierContents {
  private readonly byName = new Map<string, HeldContent[]>();

  /** Of a record that was committed. One without lines that is not held has nothing left to release. */
  add({ cid, source, object, kind, lines }: CommitRecord): void {
    if (object.bytes === 0 || (kind === 'data' && lines.physical === 0)) return;
    const standing = this.byName.get(object.name) ?? [];
    if (!standing.some((one) => one.cid === cid)) this.byName.set(object.name, [...standing, { cid, source, bytes: object.bytes }]);
  }

  remove(name: string, cid: string): void {
    const left = (this.byName.get(name) ?? []).filter((one) => one.cid !== cid);
    if (left.length > 0) this.byName.set(name, left);
    else this.byName.delete(name);
  }

  /**
   * Smaller contents that landed under this name, or under one that a rotation turns into it, in the same folder: lengthened by a mark and more, or
   * with a lower number. Example: usage.log.2 and usage.log-20261120 may continue usage.log, and usage.log.2 usage.log.1; part-10 does not continue part-1.
   */
  of({ name, bytes }: Pick<LandedObject, 'name' | 'bytes'>): { readonly name: string; readonly content: HeldContent }[] {
    return formerNames(name).flatMap((former) =>
      (this.byName.get(former) ?? []).filter((content) => content.bytes < bytes).map((content) => ({ name: former, content })),
    );
  }
}

/** Names that a log may have had before it had this one. */
function formerNames(name: string): string[] {
  const names: string[] = [];
  for (let end = name.lastIndexOf('/') + 2; end <= name.length; end++)
    if (end === name.length || ROTATION_MARKS.includes(name[end]!)) names.push(name.slice(0, end));
  const [, log = '', number = ''] = NUMBERED.exec(name) ?? [];
  for (let former = Number(number) - 1; former >= 0; former--) names.push(`${log}${former}`);
  return names;
}

/** Everything that the newest snapshot holds. Errors: TransientStoreError when one read failed at every try. */
export async function earlierContents(from: ObjectStore): Promise<EarlierContents> {
  const earlier = new EarlierContents();
  const store = patientReads(from);
  const snapshot = await newestSnapshot(store);
  if (snapshot !== null) for await (const commit of snapshotCommits(store, snapshot)) earlier.add(commit);
  return earlier;
}

/** Releases every earlier content with which the object that `read` stands for begins; gives the commits. Repeating it changes nothing. */
export async function releaseBeginnings(
  store: ObjectStore,
  object: LandedObject,
  read: CommitRecord,
  all: EarlierContents,
): Promise<CommitName[]> {
  const released: CommitName[] = [];
  if (read.kind === 'data') {
    for (const { name, content } of await beginnings(object, all.of(object))) {
      if (content.cid !== read.cid && (await stands(store, content.cid))) released.push(await release(store, read, content));
      all.remove(name, content.cid);
    }
  }
  return released;
}

type Candidate = ReturnType<EarlierContents['of']>[number];

/** Those candidates whose bytes are the object's first. Reads the object up to the longest. */
async function beginnings(object: LandedObject, candidates: readonly Candidate[]): Promise<Candidate[]> {
  if (candidates.length === 0) return [];
  const found: Candidate[] = [];
  for (const source of new Set(candidates.map(({ content }) => content.source))) {
    const own = candidates.filter(({ content }) => content.source === source).sort((a, b) => a.content.bytes - b.content.bytes);
    const hasher = contentId(source);
    let at = 0;
    let next = 0;
    for await (const chunk of object.open()) {
      let from = 0;
      for (; next < own.length && own[next]!.content.bytes <= at + chunk.length; next++) {
        const to = own[next]!.content.bytes - at;
        hasher.update(chunk.subarray(from, to));
        from = to;
        if (hasher.soFar() === own[next]!.content.cid) found.push(own[next]!);
      }
      if (next === own.length) break;
      hasher.update(chunk.subarray(from));
      at += chunk.length;
    }
  }
  return found;
}

/** False when another ingest has released the content already. */
async function stands(store: ObjectStore, cid: string): Promise<boolean> {
  const generation = await currentGeneration(store, cid);
  const record = generation === null ? null : await readCommit(store, cid, generation);
  return record !== null && (record.kind === 'held' || record.lines.physical > 0);
}
