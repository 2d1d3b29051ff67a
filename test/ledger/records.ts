/** Commit records for tests: small, whole, and different from each other. */
import { memoryStore } from '../../functions/adapters/store-memory.ts';
import { sha256Hex } from '../../functions/domain/canonical-json.ts';
import { type CommitRecord, contentId } from '../../functions/ledger/commit.ts';
import { dataKey } from '../../functions/ledger/keys.ts';
import type { Clock, ObjectStore } from '../../functions/ports.ts';

export const CLOCK: Clock = { now: () => 1_760_000_000_000 };
export const LANDED_AT_MS = Date.UTC(2026, 9, 5, 8);
export const LANDED_DAY = '2026-10-05';

export interface RecordParts {
  readonly content: string;
  readonly source?: string;
  readonly attempt?: string;
  readonly generation?: number;
  readonly name?: string;
  readonly rows?: number;
  readonly held?: boolean;
}

export function cidOf(content: string, source = 'litellm'): string {
  const hasher = contentId(source);
  hasher.update(new TextEncoder().encode(content));
  return hasher.digest();
}

/** A record of `rows` valid lines, one line quarantined and one blank, in one file; or a held object. */
export function recordOf(parts: RecordParts): CommitRecord {
  const {
    content,
    source = 'litellm',
    generation = 0,
    attempt = `a${generation}`,
    name = `${content}.jsonl`,
    rows = 3,
    held = false,
  } = parts;
  const cid = cidOf(content, source);
  const file = fileBytes(cid, generation, rows);
  const key = dataKey({ dataset: 'token_usage', partition: '2026-10', cid, part: 0, attempt });
  return {
    kind: held ? 'held' : 'data',
    cid,
    generation,
    source,
    object: { name, bytes: content.length, last_modified_ms: LANDED_AT_MS },
    parser_version: 1,
    config_hash: sha256Hex('config'),
    attempt,
    lines: held
      ? { physical: 0, valid: 0, quarantined: 0, blank: 0, newlines: 0 }
      : { physical: rows + 2, valid: rows, quarantined: 1, blank: 1, newlines: rows + 2 },
    rows: held ? {} : { token_usage: rows },
    reasons: held ? {} : { negative: 1 },
    hold: held ? { reason: 'source_unknown', detail: 'no source says yes' } : null,
    files: held
      ? []
      : [
          {
            key,
            dataset: 'token_usage',
            partition: '2026-10',
            rows,
            bytes: file.length,
            sha256: sha256Hex(file),
            min_ms: LANDED_AT_MS,
            max_ms: LANDED_AT_MS + rows,
          },
        ],
    committed_at_ms: LANDED_AT_MS + 60_000,
  };
}

/** Stands for the Parquet file of a record; the protocol only looks at its size. */
function fileBytes(cid: string, generation: number, rows: number): Uint8Array {
  return new TextEncoder().encode(`${cid} ${generation} `.padEnd(70 + rows, '.'));
}

/** Stores the files of a record, as an ingest does before it commits. */
export async function putFiles(store: ObjectStore, record: CommitRecord): Promise<CommitRecord> {
  for (const file of record.files) await store.putIfAbsent(file.key, fileBytes(record.cid, record.generation, file.rows));
  return record;
}

export async function readAll<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

export function newStore(): ObjectStore {
  return memoryStore();
}
