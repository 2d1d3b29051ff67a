/**
 * Spooled rows → Parquet. Spools of one month and of plain columns are put together as they are; what has to be cast or divided goes through
 * the embedded engine, which never sees a foreign byte unparsed.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Dataset } from '../datasets.ts';
import type { ParquetWriter, RowOrigin, SpooledRows, WrittenFile } from '../ports.ts';
import { diskError } from './disk-error.ts';
import { type Duckdb, openDuckdb, sqlText } from './duckdb.ts';
import { concatSpools, isPlain } from './parquet-concat.ts';
import { spooledColumns } from './row-spool.ts';
import { makeScratch } from './scratch.ts';

export const ROW_GROUP_ROWS = 122_880;
/** The engine holds a few row groups at once, so wide rows come in smaller ones. */
const ROW_GROUP_BYTES = 48 * 1024 ** 2;
const LEAST_GROUP_ROWS = 2_048;
/** Of the engine alone; with threads and buffers the process stays below 1 GiB. Half of it took a fifth longer. */
const MEMORY_LIMIT = '448MB';

/** A writer with its own scratch directory inside `workDirectory`; both the spools and the Parquet files live there until taken over. */
export async function duckdbParquetWriter(workDirectory: string): Promise<ParquetWriter> {
  const directory = makeScratch(workDirectory, 'ingest');
  let opened: Promise<Duckdb> | null = null;
  const engine = (): Promise<Duckdb> => {
    opened ??= openDuckdb({ directories: [directory], temporaryDirectory: directory, memoryLimit: MEMORY_LIMIT });
    return opened;
  };
  return {
    directory,
    write: async (dataset, spools, origin) => {
      if (spools.length === 0) return [];
      const written: WrittenFile[] = [];
      try {
        if (isPlain(dataset) && monthsOf(spools).length === 1) written.push(await putTogether(dataset, spools, origin, directory));
        else {
          for (const partition of await partitions(await engine(), dataset, spools))
            written.push(await writePartition(await engine(), dataset, spools, origin, partition, directory));
        }
      } catch (error) {
        throw diskError(error, directory);
      }
      for (const { file } of spools) rmSync(file);
      return written;
    },
    discard: async (spools) => {
      for (const { file } of spools) rmSync(file, { force: true });
    },
    close: async () => {
      if (opened !== null) (await opened).close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** The UTC months that occur, in order; asked of the engine only when there may be several. */
async function partitions(engine: Duckdb, dataset: Dataset, spools: readonly SpooledRows[]): Promise<string[]> {
  const known = monthsOf(spools);
  if (known.length === 1) return known;
  const months = await engine.connection.runAndReadAll(
    `select distinct strftime(make_timestamp(${dataset.partitionBy} * 1000), '%Y-%m') as month from ${spoolRelation(spools)} order by month`,
  );
  return months.getRows().map((row) => String(row[0]));
}

/** The months of the first and the last instant. */
function monthsOf(spools: readonly SpooledRows[]): string[] {
  const { minMs, maxMs } = spanOf(spools);
  return [...new Set([monthOf(minMs), monthOf(maxMs)])];
}

function spanOf(spools: readonly SpooledRows[]): { minMs: number; maxMs: number } {
  return { minMs: Math.min(...spools.map(({ minMs }) => minMs)), maxMs: Math.max(...spools.map(({ maxMs }) => maxMs)) };
}

async function putTogether(dataset: Dataset, spools: readonly SpooledRows[], origin: RowOrigin, directory: string): Promise<WrittenFile> {
  const { minMs, maxMs } = spanOf(spools);
  const partition = monthOf(minMs);
  const file = fileName(dataset, partition, directory);
  const { bytes, sha256 } = await concatSpools(dataset, spools, origin, file);
  return { file, partition, rows: spools.reduce((sum, { rows }) => sum + rows, 0), bytes, sha256, minMs, maxMs };
}

function fileName({ name }: Dataset, partition: string, directory: string): string {
  return join(directory, `${name}-${partition}-${randomUUID()}.parquet`);
}

async function writePartition(
  engine: Duckdb,
  dataset: Dataset,
  spools: readonly SpooledRows[],
  origin: RowOrigin,
  partition: string,
  directory: string,
): Promise<WrittenFile> {
  const [from, to] = monthBounds(partition);
  const { minMs, maxMs } = spanOf(spools);
  const { partitionBy } = dataset;
  const rows = `select ${selection(dataset, origin)} from ${spoolRelation(spools)}`;
  const inMonth = minMs >= from && maxMs < to ? rows : `${rows} where ${partitionBy} >= ${from} and ${partitionBy} < ${to}`;
  const path = fileName(dataset, partition, directory);
  await engine.connection.run(
    `copy (${inMonth}) to ${sqlText(path)} (format parquet, compression zstd, compression_level 1, row_group_size ${groupRows(spools)})`,
  );
  const summary = await engine.connection.runAndReadAll(
    `select count(*)::bigint, min(${partitionBy}), max(${partitionBy}) from read_parquet(${sqlText(path)})`,
  );
  const [count, min, max] = summary.getRows()[0] as [bigint, bigint, bigint];
  return {
    file: path,
    partition,
    rows: Number(count),
    bytes: statSync(path).size,
    sha256: await sha256OfFile(path),
    minMs: Number(min),
    maxMs: Number(max),
  };
}

/** Rows of one group, by the width of the widest spool. */
function groupRows(spools: readonly SpooledRows[]): number {
  const rowBytes = Math.max(...spools.map(({ groups, rows }) => plainBytesOf(groups) / rows));
  return Math.max(LEAST_GROUP_ROWS, Math.min(ROW_GROUP_ROWS, Math.trunc(ROW_GROUP_BYTES / rowBytes)));
}

function plainBytesOf(groups: SpooledRows['groups']): number {
  return groups.reduce((sum, { chunks }) => chunks.reduce((bytes, { plainBytes }) => bytes + plainBytes, sum), 0);
}

function spoolRelation(spools: readonly SpooledRows[]): string {
  return `read_parquet([${spools.map(({ file }) => sqlText(file)).join(', ')}])`;
}

/** The dataset's columns: spooled, cast where they were spooled as text, or the same for all rows. */
function selection(dataset: Dataset, origin: RowOrigin): string {
  const spooled = new Map(spooledColumns(dataset).map((column) => [column.name, column]));
  const constants: Readonly<Record<string, string>> = { ...origin };
  return dataset.columns
    .map(({ name, type }) => {
      const column = spooled.get(name);
      if (column === undefined) return `${sqlText(constants[name] as string)} as "${name}"`;
      return column.kind === 'text' && type !== 'VARCHAR' ? `cast("${name}" as ${type}) as "${name}"` : `"${name}"`;
    })
    .join(', ');
}

function monthOf(instantMs: number): string {
  return new Date(instantMs).toISOString().slice(0, 7);
}

function monthBounds(month: string): [fromMs: number, toMs: number] {
  const [year = 0, number = 0] = month.split('-').map(Number);
  return [Date.UTC(year, number - 1), Date.UTC(year, number)];
}

export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}
