/**
 * Rows → Parquet through the embedded engine. Rows are first spooled as a canonical CSV that only this file writes and
 * reads: 1.5 × as fast as the engine's row appender and flat in memory. The engine never sees a foreign byte unparsed.
 */
import { createHash, randomUUID } from 'node:crypto';
import { closeSync, createReadStream, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Column, Dataset } from '../datasets.ts';
import type { ParquetWriter, RowSpool, StoredRow, WrittenFile } from '../ports.ts';
import { type Duckdb, openDuckdb, sqlText } from './duckdb.ts';
import { makeScratch } from './scratch.ts';

const BUFFER_CHARACTERS = 1 << 20;
const ROW_GROUP_ROWS = 122_880;

/** A writer with its own scratch directory inside `workDirectory`; both the CSV spool and the Parquet files live there until taken over. */
export async function duckdbParquetWriter(workDirectory: string): Promise<ParquetWriter> {
  const scratch = makeScratch(workDirectory, 'ingest');
  const engine = await openDuckdb({ directories: [scratch], temporaryDirectory: scratch });
  return {
    spool: (dataset) => new CsvSpool(dataset, scratch, engine),
    close: async () => {
      engine.close();
      rmSync(scratch, { recursive: true, force: true });
    },
  };
}

class CsvSpool implements RowSpool {
  private readonly dataset: Dataset;
  private readonly engine: Duckdb;
  private readonly path: string;
  private readonly parquetPath: (partition: string) => string;
  private descriptor: number | null = null;
  private buffer = '';
  private rows = 0;
  private minMs = Number.POSITIVE_INFINITY;
  private maxMs = Number.NEGATIVE_INFINITY;

  constructor(dataset: Dataset, scratch: string, engine: Duckdb) {
    this.dataset = dataset;
    this.engine = engine;
    const name = `${dataset.name}-${randomUUID()}`;
    this.path = join(scratch, `${name}.csv`);
    this.parquetPath = (partition) => join(scratch, `${name}-${partition}.parquet`);
  }

  append(row: StoredRow): void {
    const instant = Number(row[this.dataset.partitionBy]);
    if (!Number.isSafeInteger(instant))
      throw new Error(`invariant broken: ${this.dataset.name}.${this.dataset.partitionBy} is not an instant`);
    if (instant < this.minMs) this.minMs = instant;
    if (instant > this.maxMs) this.maxMs = instant;
    this.buffer += csvLine(this.dataset.columns, row);
    this.rows++;
    if (this.buffer.length > BUFFER_CHARACTERS) this.flush();
  }

  async drain(): Promise<void> {
    this.flush();
  }

  async finish(): Promise<readonly WrittenFile[]> {
    if (this.rows === 0) return [];
    this.flush();
    if (this.descriptor !== null) closeSync(this.descriptor);
    this.descriptor = null;
    const written: WrittenFile[] = [];
    for (const partition of await this.partitions()) written.push(await this.writePartition(partition));
    rmSync(this.path, { force: true });
    return written;
  }

  async abort(): Promise<void> {
    if (this.descriptor !== null) closeSync(this.descriptor);
    this.descriptor = null;
    this.buffer = '';
    rmSync(this.path, { force: true });
  }

  private flush(): void {
    if (this.buffer === '') return;
    this.descriptor ??= openSync(this.path, 'w');
    writeSync(this.descriptor, this.buffer);
    this.buffer = '';
  }

  /** The UTC months that occur, in order; asked of the engine only when there may be several. */
  private async partitions(): Promise<string[]> {
    const first = monthOf(this.minMs);
    if (first === monthOf(this.maxMs)) return [first];
    const relation = csvRelation(this.path, this.dataset.columns);
    const months = await this.engine.connection.runAndReadAll(
      `select distinct strftime(make_timestamp(${this.dataset.partitionBy} * 1000), '%Y-%m') as month from ${relation} order by month`,
    );
    return months.getRows().map((row) => String(row[0]));
  }

  private async writePartition(partition: string): Promise<WrittenFile> {
    const { partitionBy, columns } = this.dataset;
    const [from, to] = monthBounds(partition);
    const only = this.minMs >= from && this.maxMs < to;
    const rows = `select ${columns.map((column) => column.name).join(', ')} from ${csvRelation(this.path, columns)}`;
    const inMonth = only ? rows : `${rows} where ${partitionBy} >= ${from} and ${partitionBy} < ${to}`;
    const path = this.parquetPath(partition);
    const options = `format parquet, compression zstd, row_group_size ${ROW_GROUP_ROWS}`;
    await this.engine.connection.run(`copy (${inMonth}) to ${sqlText(path)} (${options})`);
    const summary = await this.engine.connection.runAndReadAll(
      `select count(*)::bigint, min(${partitionBy}), max(${partitionBy}) from read_parquet(${sqlText(path)})`,
    );
    const [count, minMs, maxMs] = summary.getRows()[0] as [bigint, bigint, bigint];
    return {
      file: path,
      partition,
      rows: Number(count),
      bytes: statSync(path).size,
      sha256: await sha256OfFile(path),
      minMs: Number(minMs),
      maxMs: Number(maxMs),
    };
  }
}

function csvRelation(path: string, columns: readonly Column[]): string {
  const types = columns.map((column) => `${sqlText(column.name)}: ${sqlText(column.type)}`).join(', ');
  return `read_csv(${sqlText(path)}, header = false, auto_detect = false, delim = ',', quote = '"', escape = '"', nullstr = '', allow_quoted_nulls = false, new_line = '\\n', columns = {${types}})`;
}

/** Text is always quoted and an empty unquoted field is null, so '' and null stay apart. Sources refuse control characters, so a row is one line. */
function csvLine(columns: readonly Column[], row: StoredRow): string {
  let line = '';
  for (let i = 0; i < columns.length; i++) {
    const column = columns[i]!;
    const value = row[column.name];
    if (i > 0) line += ',';
    if (value === null || value === undefined) {
      if (column.nullable !== true) throw new Error(`invariant broken: ${column.name} is null in a ${String(row['source'])} row`);
    } else if (column.type === 'VARCHAR') {
      const text = String(value);
      line += text.includes('"') ? `"${text.replaceAll('"', '""')}"` : `"${text}"`;
    } else line += String(value);
  }
  return `${line}\n`;
}

function monthOf(instantMs: number): string {
  return new Date(instantMs).toISOString().slice(0, 7);
}

function monthBounds(month: string): [fromMs: number, toMs: number] {
  const [year = 0, number = 0] = month.split('-').map(Number);
  return [Date.UTC(year, number - 1), Date.UTC(year, number)];
}

async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}
