/** The real ingest of one object: in memory, where every row can be looked at, or through spools and Parquet on a disk. */
import { readFileSync } from 'node:fs';
import { DuckDBInstance } from '@duckdb/node-api';
import { inlinePool } from '../../functions/adapters/inline-pool.ts';
import { duckdbParquetWriter } from '../../functions/adapters/parquet-duckdb.ts';
import { rowSpool, spooledColumns } from '../../functions/adapters/row-spool.ts';
import { memoryStore } from '../../functions/adapters/store-memory.ts';
import type { Dataset } from '../../functions/datasets.ts';
import { EarlierContents } from '../../functions/ingest/earlier.ts';
import { type IngestOutcome, ingestObject, type Reading } from '../../functions/ingest/ingest-object.ts';
import type { Limits } from '../../functions/ingest/limits.ts';
import { type JobDescription, type JobResult, mergeResults, ParseJob } from '../../functions/ingest/parse-job.ts';
import type { LandedObject, ParquetWriter, RowSpool, StoredRow } from '../../functions/ports.ts';
import { RECEIVED_AT_MS } from './samples.ts';

export interface SpooledRow {
  readonly dataset: string;
  readonly row: StoredRow;
  readonly line: number;
}

/** A spool that keeps what it is given: whole rows, and rows that come column by column, which end up alike. */
function keepingSpool(dataset: Dataset, into: SpooledRow[]): RowSpool {
  const { name, partitionBy } = dataset;
  const columns = spooledColumns(dataset).map((column) => column.name);
  let rows = 0;
  let open: Record<string, string | number> = {};
  const set = (column: number, value: string | number): void => {
    const field = columns[column] as string;
    if (field in open) throw new Error(`${field} is set twice in one row`);
    open[field] = value;
  };
  const append = (row: StoredRow, line: number): void => {
    if (Object.keys(open).length > 0) throw new Error('a row was begun and not ended');
    rows++;
    into.push({ dataset: name, row, line });
  };
  return {
    append,
    columnIndex: (field) => columns.indexOf(field),
    span: (column, bytes, start, end) => set(column, Buffer.from(bytes.subarray(start, end)).toString('utf8')),
    text: set,
    integer: set,
    endRow: (line) => {
      const row = open;
      open = {};
      append(row, line);
    },
    finish: () => (rows === 0 ? null : { file: partitionBy, rows, minMs: RECEIVED_AT_MS, maxMs: RECEIVED_AT_MS, groups: [] }),
    abort: () => {},
  };
}

/** Stores a file of one byte for each dataset: what the commit says of it is the sum of its spools. */
const COUNTING_WRITER: ParquetWriter = {
  directory: '/nowhere',
  write: async (_dataset, spools) =>
    spools.length === 0
      ? []
      : [
          {
            file: import.meta.filename,
            partition: '2026-11',
            rows: spools.reduce((sum, { rows }) => sum + rows, 0),
            bytes: 1,
            sha256: '0'.repeat(64),
            minMs: RECEIVED_AT_MS,
            maxMs: RECEIVED_AT_MS,
          },
        ],
  discard: async () => {},
  close: async () => {},
};

/** Chunk sizes, so that borders fall anywhere. */
export function landed(name: string, bytes: Buffer, sizes: readonly number[]): LandedObject {
  return {
    name,
    bytes: bytes.length,
    lastModifiedMs: RECEIVED_AT_MS,
    async *open() {
      for (let at = 0, turn = 0; at < bytes.length; turn++) {
        const size = Math.max(1, sizes[turn % sizes.length] ?? bytes.length);
        const chunk = Buffer.from(bytes.subarray(at, at + size));
        yield chunk;
        // A chunk is good until the next one is asked for.
        chunk.fill(0xaa);
        at += size;
      }
    },
  };
}

export interface Ingested {
  readonly outcome: IngestOutcome;
  /** Rows and refusals as they went to the spools; those of a held object too. */
  readonly spooled: readonly SpooledRow[];
}

export async function ingestInMemory(object: LandedObject, reading: Reading, limits: Limits): Promise<Ingested> {
  const spooled: SpooledRow[] = [];
  const pool = inlinePool((description: JobDescription) => new ParseJob(description, (dataset) => keepingSpool(dataset, spooled)));
  const outcome = await ingestObject(object, reading, { ...dependencies(limits), store: memoryStore(), writer: COUNTING_WRITER, pool });
  return { outcome, spooled };
}

function dependencies(limits: Limits) {
  return {
    limits,
    clock: { now: () => RECEIVED_AT_MS },
    newAttempt: () => 'a',
    reparse: false,
    heldContents: [],
    earlier: async () => new EarlierContents(),
    onBytes: () => {},
  };
}

/** The rows that jobs make of blocks of whole lines: `jobs` of them side by side, block by block in turn. Cuts are offsets behind line ends. */
export function inBlocks(description: JobDescription, bytes: Buffer, cuts: readonly number[], jobs: number) {
  const spooled: SpooledRow[] = [];
  const open = Array.from({ length: jobs }, () => new ParseJob(description, (dataset) => keepingSpool(dataset, spooled)));
  const borders = [0, ...cuts, bytes.length];
  let line = 1;
  for (let at = 1; at < borders.length; at++) {
    const [start = 0, end = 0] = [borders[at - 1], borders[at]];
    const block = new Uint8Array(bytes.subarray(start, end));
    if (block.length > 0) open[at % jobs]?.take({ bytes: block, line, byteStart: start, tooLongUntil: null, whole: false });
    line += block.filter((byte) => byte === 0x0a).length;
  }
  const results: JobResult[] = open.map((job) => job.finish());
  return { ...mergeResults(results), spooled };
}

/** Files on a disk and the engine: opened once, for many objects. */
export interface ParquetIngest {
  /** `readBack` false: the stored rows are not read again, for objects of which there are too many. */
  ingest(
    object: LandedObject,
    reading: Reading,
    limits: Limits,
    readBack?: boolean,
  ): Promise<{ outcome: IngestOutcome; again: IngestOutcome; stored: Map<string, string[]> }>;
  close(): Promise<void>;
}

export async function parquetIngest(directory: string): Promise<ParquetIngest> {
  const writer = await duckdbParquetWriter(directory);
  const engine = await DuckDBInstance.create(':memory:');
  const connection = await engine.connect();
  const pool = inlinePool((description: JobDescription) => new ParseJob(description, (dataset) => rowSpool(dataset, writer.directory)));
  return {
    async ingest(object, reading, limits, readBack = true) {
      const store = memoryStore();
      const all = { ...dependencies(limits), store, writer, pool };
      const outcome = await ingestObject(object, reading, all);
      const again = await ingestObject({ ...object, name: `${object.name}-again` }, reading, all);
      const stored = new Map<string, string[]>();
      for (const { key, dataset } of readBack ? outcome.record.files : []) {
        const path = await store.localFile(key);
        if (readFileSync(path).length === 0) throw new Error(`${key} is empty`);
        const answer = await connection.runAndReadAll(`select * from read_parquet('${path}')`);
        const names = answer.columnNames();
        const rows = answer
          .getRows()
          .map((cells) => JSON.stringify(cells.map((cell, index) => [names[index], cell === null ? null : String(cell)])));
        stored.set(dataset, [...(stored.get(dataset) ?? []), ...rows]);
      }
      await store.close();
      return { outcome, again, stored };
    },
    async close() {
      connection.closeSync();
      engine.closeSync();
      await writer.close();
    },
  };
}
