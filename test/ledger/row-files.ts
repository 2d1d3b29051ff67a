/** Data files that tests can read: a JSON text of rows, and a merger of such files that obeys the port. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sha256Hex } from '../../functions/domain/canonical-json.ts';
import { type CommitRecord, commit, markSeen } from '../../functions/ledger/commit.ts';
import { type CompactOptions, type CompactReport, compact } from '../../functions/ledger/compact.ts';
import { dataKey, objectIdOf } from '../../functions/ledger/keys.ts';
import { type Snapshot, snapshotFiles } from '../../functions/ledger/snapshot.ts';
import type { Clock, MergedContent, ObjectStore, ParquetMerger } from '../../functions/ports.ts';
import { LANDED_AT_MS, type RecordParts, recordOf } from './records.ts';

/** Three days after the rows were written and landed: they are quiet. */
export const LATER: Clock = { now: () => LANDED_AT_MS + 3 * 86_400_000 };

export interface Row {
  readonly object_id: string;
  readonly line: number;
  readonly at_ms: number;
  readonly text: string;
}

export function rowsOf(bytes: Uint8Array): Row[] {
  return JSON.parse(new TextDecoder().decode(bytes)) as Row[];
}

/** Stores the rows of a content (its last two lines are the same row twice), commits them and notes the object. */
export async function ingestRows(store: ObjectStore, parts: RecordParts): Promise<CommitRecord> {
  const plain = recordOf(parts);
  const { cid, generation, attempt } = plain;
  const count = parts.rows ?? 3;
  const rows: Row[] = Array.from({ length: count }, (_, line) => ({
    object_id: objectIdOf(cid),
    line: line + 1,
    at_ms: LANDED_AT_MS + Math.min(line, count - 2),
    text: `${parts.content} g${generation} ${Math.min(line, count - 2)}`,
  }));
  const bytes = new TextEncoder().encode(JSON.stringify(rows));
  const key = dataKey({ dataset: 'token_usage', partition: '2026-10', cid, part: 0, attempt });
  const times = rows.map(({ at_ms }) => at_ms);
  const span = { min_ms: Math.min(...times), max_ms: Math.max(...times) };
  const record = {
    ...plain,
    files: [{ ...plain.files[0]!, key, rows: count, bytes: bytes.length, sha256: sha256Hex(bytes), ...span }],
  };
  await store.putIfAbsent(key, bytes);
  const result = await commit(store, record);
  await markSeen(store, { name: parts.name ?? parts.content, bytes: 1, lastModifiedMs: LANDED_AT_MS }, cid);
  return result.record;
}

/** What a reader of the snapshot sees, in any order: it opens exactly the listed files and takes of each the rows of the listed content. */
export async function readRows(store: ObjectStore, snapshot: Snapshot): Promise<string[]> {
  const seen: string[] = [];
  const read = new Map<string, Row[]>();
  for (const { key, sha256, cid, rows: stated } of await snapshotFiles(store, snapshot)) {
    const bytes = read.has(key) ? null : await store.get(key);
    if (bytes !== null && sha256Hex(bytes) !== sha256) throw new Error(`${key} has other bytes than the snapshot says`);
    if (bytes !== null) read.set(key, rowsOf(bytes));
    const rows = read.get(key);
    if (rows === undefined) throw new Error(`${key} is named by snapshot ${snapshot.n} and missing`);
    const own = rows.filter(({ object_id }) => object_id === objectIdOf(cid));
    if (own.length !== stated) throw new Error(`${key} has ${own.length} rows of ${cid}, the snapshot says ${stated}`);
    seen.push(...own.map((row) => JSON.stringify(row)));
  }
  return seen.sort();
}

/** Merges row files. `spoil` changes the rows that are written, to show that the check sees it. Close it: it has a folder. */
export function rowMerger(spoil: (rows: Row[]) => Row[] = (rows) => rows): ParquetMerger {
  const folder = mkdtempSync(join(tmpdir(), 'kashi-rows-'));
  let merges = 0;
  return {
    async merge(_dataset, files) {
      const inputs: Row[] = [];
      for await (const bytes of files) inputs.push(...rowsOf(bytes));
      const rows = spoil([...inputs].sort((left, right) => left.at_ms - right.at_ms || left.line - right.line));
      const bytes = new TextEncoder().encode(JSON.stringify(rows));
      merges += 1;
      const file = join(folder, String(merges));
      writeFileSync(file, bytes);
      const times = rows.map(({ at_ms }) => at_ms);
      return {
        file,
        rows: rows.length,
        bytes: bytes.length,
        sha256: sha256Hex(bytes),
        minMs: Math.min(...times),
        maxMs: Math.max(...times),
        inputDigest: digestOf(inputs),
        digest: digestOf(rows),
        contents: contentsOf(rows),
      };
    },
    async close() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

let attempts = 0;

/** One compaction of everything that is quiet, from two files on. */
export async function compactAll(
  store: ObjectStore,
  options: Partial<CompactOptions> = {},
  spoil?: (rows: Row[]) => Row[],
): Promise<CompactReport> {
  const merger = rowMerger(spoil);
  const newAttempt = (): string => {
    attempts += 1;
    return `c${attempts}`;
  };
  try {
    return await compact(store, LATER, merger, { newAttempt, minFiles: 2, ...options });
  } finally {
    await merger.close();
  }
}

function digestOf(rows: readonly Row[]): string {
  return sha256Hex(
    rows
      .map((row) => JSON.stringify(row))
      .sort()
      .join('\n'),
  );
}

function contentsOf(rows: readonly Row[]): MergedContent[] {
  return [...Map.groupBy(rows, ({ object_id }) => object_id)].map(([object_id, own]) => ({
    object_id,
    rows: own.length,
    minMs: Math.min(...own.map(({ at_ms }) => at_ms)),
    maxMs: Math.max(...own.map(({ at_ms }) => at_ms)),
  }));
}
