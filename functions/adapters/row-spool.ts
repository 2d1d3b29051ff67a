/** Rows on their way to Parquet: columns in memory, flushed as row groups that may stand in a stored file as they are. */
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type Column, type Dataset, ORIGIN_COLUMNS } from '../datasets.ts';
import type { ColumnWriter, RowSpool, SpooledChunk, SpooledGroup, SpooledRows, StoredRow } from '../ports.ts';
import { ColumnBuffer, integerBounds } from './column-buffer.ts';
import { diskError } from './disk-error.ts';
import { pagesOf } from './parquet-chunk.ts';
import { footer, PARQUET_MAGIC, type PlainColumn } from './parquet-page.ts';
import { TextColumn } from './text-column.ts';

const GROUP_ROWS = 61_440;
const GROUP_BYTES = 16 * 1024 * 1024;
/** Bytes are counted once in so many rows. */
const COUNT_EVERY = 256;

export interface SpooledColumn extends PlainColumn, Pick<Column, 'type'> {
  readonly nullable: boolean;
}

/** The columns a spool of the dataset holds: those that differ from row to row. What the engine cannot take as it is goes as text. */
export function spooledColumns(dataset: Dataset): readonly SpooledColumn[] {
  return dataset.columns
    .filter(({ name }) => name === 'line' || !ORIGIN_COLUMNS.has(name))
    .map(({ name, type, nullable }) => ({ name, type, kind: type === 'BIGINT' ? 'int64' : 'text', nullable: nullable === true }));
}

/** A spool whose file lies in `directory` and is made with the first row group. */
export function rowSpool(dataset: Dataset, directory: string): RowSpool {
  return new PlainSpool(dataset, join(directory, `${dataset.name}-${randomUUID()}.spool`));
}

class PlainSpool implements RowSpool, ColumnWriter {
  private readonly file: string;
  private readonly dataset: Dataset;
  private readonly columns: readonly SpooledColumn[];
  private readonly instantColumn: number;
  private readonly lineColumn: number;
  private readonly place = { rows: 0 };
  private readonly buffers: readonly ColumnBuffer[];
  private readonly groups: SpooledGroup[] = [];
  private descriptor: number | null = null;
  private fileBytes = 0;
  private rows = 0;
  private minMs = Number.POSITIVE_INFINITY;
  private maxMs = Number.NEGATIVE_INFINITY;

  constructor(dataset: Dataset, file: string) {
    this.file = file;
    this.dataset = dataset;
    this.columns = spooledColumns(dataset);
    this.instantColumn = this.columnIndex(dataset.partitionBy);
    this.lineColumn = this.columnIndex('line');
    this.buffers = this.columns.map(({ kind }) => new (kind === 'text' ? TextColumn : ColumnBuffer)(this.place, GROUP_ROWS));
  }

  columnIndex(name: string): number {
    const index = this.columns.findIndex((column) => column.name === name);
    if (index < 0) throw new Error(`invariant broken: ${this.dataset.name} has no column ${name}`);
    return index;
  }

  append(row: StoredRow, line: number): void {
    const { columns } = this;
    for (let i = 0; i < columns.length; i++) {
      const { name, kind, nullable } = columns[i]!;
      if (i === this.lineColumn) continue;
      const value = row[name];
      if (value === null || value === undefined) {
        if (!nullable) throw new Error(`invariant broken: ${name} is null`);
      } else if (kind === 'text') this.buffers[i]!.text(typeof value === 'string' ? value : String(value));
      else if (typeof value === 'number' && Number.isSafeInteger(value)) this.integer(i, value);
      else if (typeof value !== 'number' && i !== this.instantColumn) this.buffers[i]!.wide(BigInt(value));
      else throw new Error(`invariant broken: ${name} is ${value}`);
    }
    this.endRow(line);
  }

  span(column: number, bytes: Uint8Array, start: number, end: number): void {
    this.buffers[column]!.span(bytes, start, end);
  }

  text(column: number, value: string): void {
    this.buffers[column]!.text(value);
  }

  integer(column: number, value: number): void {
    if (column === this.instantColumn) {
      if (value < this.minMs) this.minMs = value;
      if (value > this.maxMs) this.maxMs = value;
    }
    this.buffers[column]!.integer(value);
  }

  endRow(line: number): void {
    this.buffers[this.lineColumn]!.integer(line);
    this.rows++;
    const rows = ++this.place.rows;
    if (rows === GROUP_ROWS || (rows % COUNT_EVERY === 0 && this.pending() > GROUP_BYTES)) this.flush();
  }

  finish(): SpooledRows | null {
    if (this.rows === 0) return null;
    this.flush();
    this.write(footer(this.columns, this.groups));
    this.close();
    return { file: this.file, rows: this.rows, minMs: this.minMs, maxMs: this.maxMs, groups: this.groups };
  }

  abort(): void {
    this.close();
    rmSync(this.file, { force: true });
  }

  private pending(): number {
    return this.buffers.reduce((sum, { pending }) => sum + pending, 0);
  }

  private flush(): void {
    const { rows } = this.place;
    if (rows === 0) return;
    if (this.descriptor === null) {
      this.descriptor = this.onDisk(() => openSync(this.file, 'w'));
      this.write(PARQUET_MAGIC);
    }
    this.groups.push({ rows, chunks: this.buffers.map((buffer) => this.chunk(buffer, rows)) });
    this.place.rows = 0;
    for (const buffer of this.buffers) buffer.clear();
  }

  private chunk(buffer: ColumnBuffer, rows: number): SpooledChunk {
    const values =
      buffer instanceof TextColumn
        ? buffer.finish()
        : { bitmap: buffer.bitmap, values: buffer.bytes.subarray(0, buffer.length), indices: null, bounds: integerBounds(buffer) };
    const { parts, chunk } = pagesOf(values, rows);
    const offset = this.fileBytes;
    for (const part of parts) this.write(part);
    return { ...chunk, offset };
  }

  private write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) at += this.onDisk(() => writeSync(this.descriptor as number, bytes, at));
    this.fileBytes += bytes.length;
  }

  private onDisk<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      throw diskError(error, this.file);
    }
  }

  private close(): void {
    if (this.descriptor !== null) closeSync(this.descriptor);
    this.descriptor = null;
  }
}
