/** Rows small enough for a history of a few milliseconds, read by the real ingest: a source, a spool, a writer and a merger without an engine. */
import { inlinePool } from '../../functions/adapters/inline-pool.ts';
import { canonicalJson, sha256Hex } from '../../functions/domain/canonical-json.ts';
import type { Reading } from '../../functions/ingest/ingest-object.ts';
import type { ParsePool } from '../../functions/ingest/object-jobs.ts';
import { type JobDescription, ParseJob } from '../../functions/ingest/parse-job.ts';
import type { ParquetMerger, ParquetWriter, RowSpool, StoredRow } from '../../functions/ports.ts';
import { SOURCES } from '../../functions/sources/registry.ts';
import { reject, type Source } from '../../functions/sources/source.ts';

/** One line of usage as its producer wrote it. `u` is unique among all lines ever written; a copy of a line has its `u` too. */
export interface UsageLine {
  readonly u: number;
  /** Native id; null for rows that have none. */
  readonly id: string | null;
  readonly at: number;
  readonly t: string;
  readonly n: number;
}

/** A row as it is stored. */
export interface UsageRow extends UsageLine {
  readonly object_id: string;
  readonly line: number;
}

export const SOURCE_NAME = 'simulated';

/** What the second parser adds to every n, so that what was read again can be told apart. */
export const SECOND_PARSER_ADDS = 1000;

const usage: Source = {
  name: SOURCE_NAME,
  fact: 'token_usage',
  framing: 'text',
  detect: () => false,
  open: ({ options }) => ({
    parse(record, _place, emit) {
      let line: UsageLine;
      try {
        line = JSON.parse(record as string) as UsageLine;
      } catch {
        return reject('invalid_json');
      }
      emit({ ...line, event_at_ms: line.at, n: line.n + (options['second'] === true ? SECOND_PARSER_ADDS : 0) });
      return 'valid';
    },
  }),
};

// A thread finds a source by its name, so it must be among them.
(SOURCES as Source[]).push(usage);

function reading(second: boolean): Reading {
  return { source: usage, siteId: 'hq', zone: null, options: { second }, map: null, configHash: sha256Hex(`parser ${second ? 2 : 1}`) };
}

export const FIRST_PARSER = reading(false);
export const SECOND_PARSER = reading(true);

type Spooled = readonly { readonly row: StoredRow; readonly line: number }[];

/** Files of a process that the store takes over: spools and finished files, by name. */
export class Files {
  private readonly contents = new Map<string, Uint8Array>();
  private readonly spools = new Map<string, Spooled>();
  private names = 0;

  bytes(file: string): Uint8Array {
    const found = this.contents.get(file);
    if (found === undefined) throw new Error(`no file ${file}`);
    return found;
  }

  keep(bytes: Uint8Array): string {
    this.names += 1;
    this.contents.set(`file ${this.names}`, bytes);
    return `file ${this.names}`;
  }

  spool(rows: Spooled): string {
    this.names += 1;
    this.spools.set(`spool ${this.names}`, rows);
    return `spool ${this.names}`;
  }

  spooled(file: string): Spooled {
    return this.spools.get(file) ?? [];
  }
}

export function poolOver(files: Files): ParsePool {
  return inlinePool((description: JobDescription) => new ParseJob(description, ({ partitionBy }) => spoolInto(files, partitionBy)));
}

function spoolInto(files: Files, partitionBy: string): RowSpool {
  const rows: { row: StoredRow; line: number }[] = [];
  const declined = (): never => {
    throw new Error('the simulated source gives whole rows');
  };
  return {
    append: (row, line) => void rows.push({ row, line }),
    finish: () => {
      if (rows.length === 0) return null;
      const times = rows.map(({ row }) => Number(row[partitionBy]));
      return { file: files.spool(rows), rows: rows.length, minMs: Math.min(...times), maxMs: Math.max(...times), groups: [] };
    },
    abort: () => {},
    columnIndex: declined,
    span: declined,
    text: declined,
    integer: declined,
    endRow: declined,
  };
}

/**
 * Files of one month each. `salt` makes the bytes of every writing different: nothing promises that an engine writes the same bytes twice.
 */
export function writerOver(files: Files, salt: () => string): ParquetWriter {
  return {
    directory: 'simulated',
    async write({ partitionBy }, spools, { object_id }) {
      const rows = spools.flatMap(({ file }) => files.spooled(file)).map(({ row, line }) => ({ ...row, object_id, line }) as StoredRow);
      const months = Map.groupBy(rows, (row) => new Date(Number(row[partitionBy])).toISOString().slice(0, 7));
      return [...months.keys()].sort().map((partition) => {
        const own = months.get(partition)!;
        const bytes = fileOf(own, salt());
        const times = own.map((row) => Number(row[partitionBy]));
        return {
          file: files.keep(bytes),
          partition,
          rows: own.length,
          bytes: bytes.length,
          sha256: sha256Hex(bytes),
          minMs: Math.min(...times),
          maxMs: Math.max(...times),
        };
      });
    },
    discard: async () => {},
    close: async () => {},
  };
}

/** `isLossy`: every third file lacks its last row, for a mutant. */
export function mergerOver(files: Files, salt: () => string, isLossy: boolean): ParquetMerger {
  let merged = 0;
  return {
    async merge(_dataset, inputs) {
      const rows: UsageRow[] = [];
      for await (const bytes of inputs) rows.push(...rowsOf(bytes));
      const sorted = [...rows].sort((left, right) => left.at - right.at || (left.object_id < right.object_id ? -1 : 1));
      merged += 1;
      const bytes = fileOf(isLossy && merged % 3 === 0 ? sorted.slice(0, -1) : sorted, salt());
      const times = rows.map(({ at }) => at);
      const contents = [...Map.groupBy(sorted, ({ object_id }) => object_id)].map(([object_id, own]) => {
        const ownTimes = own.map(({ at }) => at);
        return { object_id, rows: own.length, minMs: Math.min(...ownTimes), maxMs: Math.max(...ownTimes) };
      });
      return {
        file: files.keep(bytes),
        rows: rows.length,
        bytes: bytes.length,
        sha256: sha256Hex(bytes),
        minMs: Math.min(...times),
        maxMs: Math.max(...times),
        inputDigest: multisetOf(rows),
        digest: multisetOf(rowsOf(bytes)),
        contents,
      };
    },
    close: async () => {},
  };
}

function multisetOf(rows: readonly UsageRow[]): string {
  return rows
    .map((row) => JSON.stringify([row.u, row.object_id, row.line, row.n]))
    .sort()
    .join('\n');
}

function fileOf(rows: readonly object[], salt: string): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ salt, rows }));
}

const parsed = new WeakMap<Uint8Array, readonly UsageRow[]>();

/** Of one array of bytes once: a stored file is read many times, and never changes. */
export function rowsOf(bytes: Uint8Array): readonly UsageRow[] {
  let rows = parsed.get(bytes);
  if (rows === undefined) {
    rows = (JSON.parse(new TextDecoder().decode(bytes)) as { rows: UsageRow[] }).rows;
    parsed.set(bytes, rows);
  }
  return rows;
}

/** The line as its producer writes it, with its end. */
export function textOf(line: UsageLine): string {
  return `${canonicalJson(line)}\n`;
}
