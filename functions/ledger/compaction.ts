/**
 * How a snapshot says that one file holds the rows of many. Commits stay listed exactly as they were committed; a compaction only says where the
 * rows of the files that they name lie now. So there is nothing to undo when a content is read again: its new generation names its own file, the old
 * one is in no segment any more, and a reader takes from a compacted file the rows of those objects only that the snapshot lists.
 */
import { canonicalJson, sha256Hex } from '../domain/canonical-json.ts';
import { KashiError } from '../domain/errors.ts';
import type { ObjectStore } from '../ports.ts';
import type { CommitFile } from './commit-record.ts';
import { segmentKey } from './keys.ts';
import { mapConcurrently, putAnyhow } from './patient.ts';
import { corrupt } from './sealed.ts';

/** Files of one compaction, as many as a segment has commits. */
export const MOST_INPUTS = 1000;
const CONCURRENT_READS = 4;

export interface Compaction {
  readonly file: CommitFile;
  /** Keys of committed files of its dataset and partition, whose rows it holds: of each content one file at most. */
  readonly inputs: readonly string[];
}

/** What a snapshot keeps of a compaction: the SHA-256 that names its list under `_segments/`. */
export interface CompactionRef {
  readonly sha256: string;
  readonly inputs: number;
}

/** Stores the list and returns what names it. Its file is stored already. Errors: TransientStoreError. */
export async function writeCompaction(store: ObjectStore, compaction: Compaction): Promise<CompactionRef> {
  const bytes = new TextEncoder().encode(canonicalJson(compaction));
  const sha256 = sha256Hex(bytes);
  // No two attempts make one list, for it names a file of its attempt: who finds it there has written it.
  await putAnyhow(store, segmentKey(sha256), bytes);
  return { sha256, inputs: compaction.inputs.length };
}

/** Errors: KashiError store_corrupt naming the key when it is missing or any byte differs. */
export async function readCompaction(store: ObjectStore, ref: CompactionRef): Promise<Compaction> {
  const key = segmentKey(ref.sha256);
  const bytes = await store.get(key);
  if (bytes === null) throw new KashiError('store_corrupt', 'a compaction named by a snapshot is missing', { where: key });
  if (sha256Hex(bytes) !== ref.sha256) throw corrupt(key, 'other bytes than its name says');
  const compaction = JSON.parse(new TextDecoder().decode(bytes)) as Compaction;
  if (compaction.inputs.length !== ref.inputs)
    throw corrupt(key, `${compaction.inputs.length} inputs, where the snapshot says ${ref.inputs}`);
  return compaction;
}

/** In the order of the refs. Errors: KashiError store_corrupt naming a list. */
export async function readCompactions(store: ObjectStore, refs: readonly CompactionRef[]): Promise<Compaction[]> {
  return await mapConcurrently(refs, CONCURRENT_READS, (ref) => readCompaction(store, ref));
}

/** Key of a committed file → the file that holds its rows now; committed files that are not in it hold their own. */
export type Places = ReadonlyMap<string, CommitFile>;

/** About 200 bytes of memory for each compacted file. Errors: KashiError store_corrupt naming a list, or a file that two of them claim. */
export async function readPlaces(store: ObjectStore, refs: readonly CompactionRef[] = []): Promise<Places> {
  const places = new Map<string, CommitFile>();
  for (const { file, inputs } of await readCompactions(store, refs)) {
    for (const key of inputs) {
      // Its rows would count twice.
      if (places.has(key)) throw corrupt(key, `its rows in both ${places.get(key)!.key} and ${file.key}`);
      places.set(key, file);
    }
  }
  return places;
}
