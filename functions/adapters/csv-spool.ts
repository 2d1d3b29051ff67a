/** Rows on their way to Parquet: a canonical CSV that only kashi writes and reads. */
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Column, Dataset } from '../datasets.ts';
import type { RowSpool, SpooledRows, StoredRow } from '../ports.ts';

const BUFFER_CHARACTERS = 256 * 1024;
/** Columns that ingest fills, on every dataset. */
const ORIGIN = new Set(['source', 'object_id', 'line']);

/** A spool whose file lies in `directory` and is made with the first row. */
export function csvSpool(dataset: Dataset, directory: string): RowSpool {
  return new CsvSpool(dataset, join(directory, `${dataset.name}-${randomUUID()}.csv`));
}

class CsvSpool implements RowSpool {
  private readonly file: string;
  private readonly name: string;
  private readonly partitionBy: string;
  /** The dataset's own columns; the origin columns come last, as in datasets.ts. */
  private readonly columns: readonly Column[];
  private readonly bytes = Buffer.allocUnsafe(BUFFER_CHARACTERS * 3);
  private descriptor: number | null = null;
  private buffer = '';
  private rows = 0;
  private minMs = Number.POSITIVE_INFINITY;
  private maxMs = Number.NEGATIVE_INFINITY;

  constructor(dataset: Dataset, file: string) {
    this.file = file;
    this.name = dataset.name;
    this.partitionBy = dataset.partitionBy;
    this.columns = dataset.columns.filter(({ name }) => !ORIGIN.has(name));
  }

  append(row: StoredRow, origin: { readonly source: string; readonly object_id: string }, line: number): void {
    const instant = Number(row[this.partitionBy]);
    if (!Number.isSafeInteger(instant)) throw new Error(`invariant broken: ${this.name}.${this.partitionBy} is not an instant`);
    if (instant < this.minMs) this.minMs = instant;
    if (instant > this.maxMs) this.maxMs = instant;
    this.rows++;
    this.buffer += `${cells(this.columns, row)}"${origin.source}","${origin.object_id}",${line}\n`;
    if (this.buffer.length > BUFFER_CHARACTERS) this.flush();
  }

  finish(): SpooledRows | null {
    this.flush();
    this.close();
    return this.rows === 0 ? null : { file: this.file, rows: this.rows, minMs: this.minMs, maxMs: this.maxMs };
  }

  abort(): void {
    this.buffer = '';
    this.close();
    rmSync(this.file, { force: true });
  }

  private close(): void {
    if (this.descriptor !== null) closeSync(this.descriptor);
    this.descriptor = null;
  }

  private flush(): void {
    if (this.buffer === '') return;
    this.descriptor ??= openSync(this.file, 'w');
    // One row may be longer than the buffer is wide in characters; then the slow way is right.
    if (this.buffer.length * 3 <= this.bytes.length) writeSync(this.descriptor, this.bytes, 0, this.bytes.write(this.buffer));
    else writeSync(this.descriptor, this.buffer);
    this.buffer = '';
  }
}

/** Text is always quoted and an empty unquoted field is null, so '' and null stay apart. Sources refuse control characters, so a row is one line. */
function cells(columns: readonly Column[], row: StoredRow): string {
  let line = '';
  for (const column of columns) {
    const value = row[column.name];
    if (value === null || value === undefined) {
      if (column.nullable !== true) throw new Error(`invariant broken: ${column.name} is null`);
      line += ',';
    } else if (column.type === 'VARCHAR') {
      const text = String(value);
      line += text.includes('"') ? `"${text.replaceAll('"', '""')}",` : `"${text}",`;
    } else line += `${String(value)},`;
  }
  return line;
}
