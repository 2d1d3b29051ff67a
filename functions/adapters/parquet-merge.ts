/** Several stored Parquet files → one, sorted, with what proves that no row was lost, added or changed. */
import { randomUUID } from 'node:crypto';
import { rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Dataset } from '../datasets.ts';
import { KashiError } from '../domain/errors.ts';
import type { MergedContent, MergedFile, ParquetMerger } from '../ports.ts';
import { type Duckdb, openDuckdb, sqlText } from './duckdb.ts';
import { ROW_GROUP_ROWS, sha256OfFile } from './parquet-duckdb.ts';
import { makeScratch } from './scratch.ts';

/** Files that are read again and again are worth a better compression than those that ingest writes in passing. */
const COMPRESSION_LEVEL = 3;

/** A merger with its own scratch directory inside `workDirectory`: the engine sees copies of bytes that were verified, nothing else. */
export async function duckdbParquetMerger(workDirectory: string): Promise<ParquetMerger> {
  const directory = makeScratch(workDirectory, 'ingest');
  const engine = await openDuckdb({ directories: [directory], temporaryDirectory: directory });
  let last: string | null = null;
  return {
    merge: async (dataset, files) => {
      if (last !== null) rmSync(last, { force: true });
      const inputs: string[] = [];
      try {
        for await (const bytes of files) {
          const input = join(directory, `${randomUUID()}.parquet`);
          inputs.push(input);
          writeFileSync(input, bytes);
        }
        last = join(directory, `${dataset.name}-${randomUUID()}.parquet`);
        return await mergeInto(engine, dataset, inputs, last);
      } finally {
        for (const input of inputs) rmSync(input, { force: true });
      }
    },
    close: async () => {
      engine.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function mergeInto(engine: Duckdb, dataset: Dataset, inputs: readonly string[], file: string): Promise<MergedFile> {
  const relation = relationOf(inputs);
  const columns = await columnsOf(engine, dataset, relation);
  const order = mergedOrder(dataset).map((name) => `"${name}"`);
  await engine.connection.run(
    `copy (select ${columns.map(({ name, value }) => `${value} as "${name}"`).join(', ')} from ${relation} order by ${order.join(', ')})
     to ${sqlText(file)} (format parquet, compression zstd, compression_level ${COMPRESSION_LEVEL}, row_group_size ${ROW_GROUP_ROWS})`,
  );
  const output = relationOf([file]);
  const contents = await contentsOf(engine, dataset, output);
  return {
    file,
    rows: contents.reduce((sum, { rows }) => sum + rows, 0),
    bytes: statSync(file).size,
    sha256: await sha256OfFile(file),
    minMs: Math.min(...contents.map(({ minMs }) => minMs)),
    maxMs: Math.max(...contents.map(({ maxMs }) => maxMs)),
    inputDigest: await digestOf(
      engine,
      columns.map(({ value }) => value),
      relation,
    ),
    digest: await digestOf(
      engine,
      columns.map(({ name }) => `"${name}"`),
      output,
    ),
    contents,
  };
}

/** Columns by which merged rows are sorted; all of them in the end, so that the same rows give the same bytes. */
export function mergedOrder({ clusterBy = [], partitionBy, columns }: Dataset): readonly string[] {
  return [...new Set([...clusterBy, partitionBy, 'object_id', 'line', ...columns.map(({ name }) => name)])];
}

/** As the warehouse reads them: by name; a column that a file does not have is null. */
function relationOf(files: readonly string[]): string {
  return `read_parquet([${files.map(sqlText).join(', ')}], hive_partitioning = false, union_by_name = true)`;
}

/**
 * The dataset's columns as the inputs have them: null where files of an earlier kashi do not. A column that this one does not know would be
 * lost, and one of another type changed: those are refused.
 */
async function columnsOf(engine: Duckdb, dataset: Dataset, relation: string): Promise<{ name: string; value: string }[]> {
  const types = new Map<string, string>(dataset.columns.map(({ name, type }) => [name, type]));
  const described = await engine.connection.runAndReadAll(`select column_name, column_type from (describe select * from ${relation})`);
  const present = new Set<string>();
  for (const [name, type] of described.getRows().map((row) => row.map(String) as [string, string])) {
    present.add(name);
    if (types.get(name) === type) continue;
    throw new KashiError('store_corrupt', 'stored files have a column that this version of kashi does not know', {
      where: dataset.name,
      allowed: types.has(name) ? `${name} ${types.get(name)}` : [...types.keys()].join(', '),
      found: `${name} ${type}`,
    });
  }
  return dataset.columns.map(({ name, type }) => ({ name, value: present.has(name) ? `"${name}"` : `cast(null as ${type})` }));
}

async function contentsOf(engine: Duckdb, { partitionBy }: Dataset, relation: string): Promise<MergedContent[]> {
  const found = await engine.connection.runAndReadAll(
    `select object_id, count(*)::bigint, min("${partitionBy}"), max("${partitionBy}") from ${relation} group by object_id order by object_id`,
  );
  return found
    .getRows()
    .map(([id, rows, min, max]) => ({ object_id: String(id), rows: Number(rows), minMs: Number(min), maxMs: Number(max) }));
}

/**
 * Number of rows, and sum and exclusive-or of two hashes of each whole row: a row lost, doubled or changed shows in all of them.
 * The engine's hash may change from version to version, so the digest is compared at once and never stored.
 */
async function digestOf(engine: Duckdb, columns: readonly string[], relation: string): Promise<string> {
  const row = columns.join(', ');
  const found = await engine.connection.runAndReadAll(
    `select count(*), sum(first::hugeint), bit_xor(first), sum(second::hugeint), bit_xor(second)
     from (select hash(${row}) as first, hash('kashi', ${row}) as second from ${relation})`,
  );
  return (found.getRows()[0] ?? []).map(String).join(' ');
}
