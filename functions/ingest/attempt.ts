/** One try to read one content: what it found, its files in the store, and the record that commits them. */
import { PARSER_VERSION } from '../contract.ts';
import { DATASETS, QUARANTINE } from '../datasets.ts';
import type { CommitFile, CommitRecord } from '../ledger/commit.ts';
import { dataKey, objectIdOf, quarantineKey, utcDay } from '../ledger/keys.ts';
import type { Clock, LandedObject, ObjectStore, ParquetWriter, RowOrigin, SpooledRows, WrittenFile } from '../ports.ts';
import type { HoldReason, Source } from '../sources/source.ts';
import type { LineCounts } from './parse-object.ts';

export interface Attempt {
  readonly object: LandedObject;
  readonly cid: string;
  readonly generation: number;
  readonly source: string;
  readonly id: string;
  readonly configHash: string;
}

/** What reading came to: files, or a hold and none. */
export interface Parsed {
  readonly hold: { readonly reason: HoldReason; readonly detail: string } | null;
  readonly lines: LineCounts;
  readonly newlines: number;
  readonly reasons: Readonly<Record<string, number>>;
  readonly files: readonly CommitFile[];
}

export const NO_LINES: LineCounts = { physical: 0, valid: 0, quarantined: 0, blank: 0 };

/** A hold of the whole object. */
export function held(
  reason: HoldReason,
  detail: string,
  lines: LineCounts = NO_LINES,
  reasons: Readonly<Record<string, number>> = {},
): Parsed {
  return { hold: { reason, detail }, lines, newlines: 0, reasons, files: [] };
}

/** Makes Parquet of the spooled rows and hands it to the store, under names of this attempt. */
export async function storeFiles(
  attempt: Attempt,
  source: Source,
  rows: readonly SpooledRows[],
  refusals: readonly SpooledRows[],
  writer: ParquetWriter,
  store: ObjectStore,
): Promise<CommitFile[]> {
  const files: CommitFile[] = [];
  const origin = originOf(attempt);
  for (const [part, written] of (await writer.write(DATASETS[source.fact], rows, origin)).entries()) {
    const key = dataKey({ dataset: source.fact, partition: written.partition, cid: attempt.cid, part, attempt: attempt.id });
    files.push(await storeFile(store, key, source.fact, written));
  }
  for (const written of await writer.write(QUARANTINE, refusals, origin)) {
    const key = quarantineKey({
      landedDay: utcDay(attempt.object.lastModifiedMs),
      cid: attempt.cid,
      generation: attempt.generation,
      attempt: attempt.id,
    });
    files.push(await storeFile(store, key, 'quarantine', written));
  }
  return files;
}

function originOf({ source, cid }: Attempt): RowOrigin {
  return { source, object_id: objectIdOf(cid) };
}

async function storeFile(store: ObjectStore, key: string, dataset: CommitFile['dataset'], written: WrittenFile): Promise<CommitFile> {
  await store.putIfAbsent(key, { file: written.file });
  return {
    key,
    dataset,
    partition: written.partition,
    rows: written.rows,
    bytes: written.bytes,
    sha256: written.sha256,
    min_ms: written.minMs,
    max_ms: written.maxMs,
  };
}

/** The record of an attempt whose files are all stored. */
export function recordOf(attempt: Attempt, parsed: Parsed, clock: Clock): CommitRecord {
  const rows: Partial<Record<CommitFile['dataset'], number>> = {};
  for (const file of parsed.files) rows[file.dataset] = (rows[file.dataset] ?? 0) + file.rows;
  return {
    kind: parsed.hold === null ? 'data' : 'held',
    cid: attempt.cid,
    generation: attempt.generation,
    source: attempt.source,
    object: { name: attempt.object.name, bytes: attempt.object.bytes, last_modified_ms: attempt.object.lastModifiedMs },
    parser_version: PARSER_VERSION,
    config_hash: attempt.configHash,
    attempt: attempt.id,
    lines: { ...parsed.lines, newlines: parsed.newlines },
    rows,
    reasons: parsed.reasons,
    hold: parsed.hold,
    files: parsed.files,
    committed_at_ms: clock.now(),
  };
}
