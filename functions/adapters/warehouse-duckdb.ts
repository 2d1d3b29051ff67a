/** The embedded engine as a Warehouse: stored files become raw_… views, reference rows become ref_… tables, models are defined on top. */

import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type DuckDBConnection, type DuckDBValue, StatementType } from '@duckdb/node-api';
import { type Column, DATASETS, type Dataset, type DatasetName, SNAPSHOT_TABLES } from '../datasets.ts';
import { KashiError } from '../domain/errors.ts';
import { REFERENCE, type ReferenceName, type ReferenceRows } from '../domain/reference.ts';
import type { QueryColumn, QueryResult, SqlValue, Warehouse } from '../ports.ts';
import { diskError } from './disk-error.ts';
import { type Duckdb, openDuckdb, sqlText } from './duckdb.ts';
import { makeScratch } from './scratch.ts';

/** The rows of one object in a stored Parquet file on local disk, and the object's place in the warehouse's history. */
export interface StoredFile {
  readonly dataset: string;
  /** A compacted file is given once for each of its objects that count. */
  readonly file: string;
  readonly objectId: string;
  readonly foldOrder: number;
}

export interface StoredObject {
  readonly objectId: string;
  readonly objectName: string;
  readonly source: string;
  readonly contentId: string;
}

export interface DuckdbWarehouseOptions {
  /** Directory under which all files lie; the engine reads nothing else. */
  readonly dataDirectory: string;
  readonly workDirectory: string;
  readonly files: readonly StoredFile[];
  readonly objects: readonly StoredObject[];
  /** Text of sql/prelude/duckdb.sql. */
  readonly prelude: string;
  readonly memoryLimit?: string;
  readonly threads?: number;
}

export async function duckdbWarehouse(options: DuckdbWarehouseOptions): Promise<Warehouse> {
  const scratch = makeScratch(options.workDirectory, 'query');
  const engine = await openDuckdb({
    directories: [options.dataDirectory],
    temporaryDirectory: scratch,
    ...(options.memoryLimit === undefined ? {} : { memoryLimit: options.memoryLimit }),
    ...(options.threads === undefined ? {} : { threads: options.threads }),
  });
  await runScript(engine.connection, options.prelude);
  await registerFiles(engine.connection, options.files);
  await loadRows(
    engine.connection,
    'raw_object',
    SNAPSHOT_TABLES.raw_object.columns,
    options.objects.map((object) => [object.objectId, object.objectName, object.source, object.contentId]),
  );
  return new DuckdbWarehouse(engine, scratch);
}

class DuckdbWarehouse implements Warehouse {
  private readonly engine: Duckdb;
  private readonly scratch: string;

  constructor(engine: Duckdb, scratch: string) {
    this.engine = engine;
    this.scratch = scratch;
  }

  async query(sql: string, parameters: readonly SqlValue[] = []): Promise<QueryResult> {
    const statement = await this.prepareOneSelect(sql);
    parameters.forEach((value, index) => {
      if (value === null) statement.bindNull(index + 1);
      else if (typeof value === 'bigint') statement.bindBigInt(index + 1, value);
      else if (typeof value === 'boolean') statement.bindBoolean(index + 1, value);
      else if (typeof value === 'number') statement.bindBigInt(index + 1, BigInt(value));
      else statement.bindVarchar(index + 1, value);
    });
    const reader = await statement.runAndReadAll().catch((error: unknown) => {
      throw diskError(error, this.scratch);
    });
    const names = reader.deduplicatedColumnNames();
    const columns: QueryColumn[] = reader.columnTypes().map((type, index) => ({ name: names[index] ?? '', type: type.toString() }));
    return { columns, rows: reader.getRows().map((row) => row.map(valueText)) };
  }

  async parquetFile(sql: string): Promise<string> {
    await this.prepareOneSelect(sql);
    const file = join(this.scratch, `${randomUUID()}.parquet`);
    // A view, because the text may end in a semicolon and a comment, which no parenthesis could follow.
    await this.engine.connection.run(`create or replace temp view parquet_answer as ${sql}`);
    await this.engine.connection
      .run(`copy (select * from parquet_answer) to ${sqlText(file)} (format parquet, compression zstd)`)
      .catch((error: unknown) => {
        throw diskError(error, file);
      });
    return file;
  }

  /** Model name → its select. A model that stands is not computed again: what it reads cannot have changed. */
  private readonly defined = new Map<string, string>();

  async loadReference(reference: ReferenceRows): Promise<void> {
    this.defined.clear();
    for (const name of Object.keys(REFERENCE) as ReferenceName[]) {
      const { columns } = REFERENCE[name];
      await loadRows(
        this.engine.connection,
        name,
        columns,
        reference[name].map((row) => columns.map((column) => asText(row[column.name]))),
      );
    }
  }

  async define(name: string, sql: string, how: 'view' | 'table'): Promise<void> {
    if (this.defined.get(name) === sql) return;
    try {
      await this.engine.connection.run(`create or replace ${how} ${name} as ${sql}`);
      this.defined.set(name, sql);
    } catch (error) {
      const known = diskError(error, this.scratch);
      if (known instanceof KashiError) throw known;
      throw new Error(`model ${name} does not run: ${(error as Error).message}`, { cause: error });
    }
  }

  async comment(name: string, says: string, columns: Readonly<Record<string, string>>): Promise<void> {
    const { rows } = await this.query('select count(*) from duckdb_views() where view_name = ?', [name]);
    const kind = rows[0]?.[0] === '0' ? 'table' : 'view';
    const comments = Object.entries(columns).map(([column, meaning]) => `comment on column ${name}.${column} is ${sqlText(meaning)};`);
    await runScript(this.engine.connection, [`comment on ${kind} ${name} is ${sqlText(says)};`, ...comments].join('\n'));
  }

  async close(): Promise<void> {
    this.engine.close();
    rmSync(this.scratch, { recursive: true, force: true });
  }

  /** Exactly one statement that only reads: DuckDB's own parser decides, not a pattern. */
  private async prepareOneSelect(sql: string) {
    const refused = (found: string, cause?: unknown): KashiError =>
      new KashiError(
        'sql_refused',
        'only one reading statement is answered',
        { allowed: 'one SELECT, WITH … SELECT, DESCRIBE, SHOW or EXPLAIN', found },
        { cause },
      );
    let statements: Awaited<ReturnType<DuckDBConnection['extractStatements']>>;
    try {
      statements = await this.engine.connection.extractStatements(sql);
    } catch (error) {
      // For a text without any statement the engine has no word of its own.
      throw refused(/^Error in native/.test(firstLine(error)) ? 'no statement' : firstLine(error), error);
    }
    if (statements.count !== 1) throw refused(`${statements.count} statements`);
    try {
      const statement = await statements.prepare(0);
      if (![StatementType.SELECT, StatementType.EXPLAIN].includes(statement.statementType)) {
        throw refused(StatementType[statement.statementType] ?? 'another statement');
      }
      return statement;
    } catch (error) {
      if (error instanceof KashiError) throw error;
      const allowed = 'views and columns that exist (show tables; describe <view>), and nothing outside the warehouse';
      throw new KashiError('sql_refused', 'the statement does not run', { allowed, found: firstLine(error) }, { cause: error });
    }
  }
}

function firstLine(error: unknown): string {
  return ((error as Error).message ?? String(error)).split('\n')[0] ?? '';
}

async function runScript(connection: DuckDBConnection, script: string): Promise<void> {
  const statements = await connection.extractStatements(script);
  for (let index = 0; index < statements.count; index++) await (await statements.prepare(index)).run();
}

/** raw_<dataset>: the dataset's columns and fold_order. Readers see exactly the listed objects of the listed files, never a folder. */
async function registerFiles(connection: DuckDBConnection, files: readonly StoredFile[]): Promise<void> {
  await loadRows(
    connection,
    'raw_file',
    SNAPSHOT_TABLES.raw_file.columns,
    files.map((entry) => [entry.file, entry.objectId, String(entry.foldOrder)]),
  );
  for (const name of Object.keys(DATASETS) as DatasetName[]) {
    const own = files.filter((entry) => entry.dataset === name);
    await connection.run(own.length === 0 ? emptyDataset(DATASETS[name]) : datasetView(DATASETS[name], own));
  }
}

function emptyDataset(dataset: Dataset): string {
  const columns = dataset.columns.map((column) => `${column.name} ${column.type}`).join(', ');
  return `create table raw_${dataset.name} (${columns}, fold_order BIGINT)`;
}

function datasetView(dataset: Dataset, files: readonly StoredFile[]): string {
  const paths = [...new Set(files.map((entry) => entry.file))].map(sqlText).join(', ');
  const columns = dataset.columns.map((column) => `stored.${column.name}`).join(', ');
  return `create view raw_${dataset.name} as select ${columns}, places.fold_order
    from read_parquet([${paths}], filename = true, hive_partitioning = false, union_by_name = true) as stored
    inner join raw_file as places on places.file = stored.filename and places.object_id = stored.object_id`;
}

/** Rows as text, cast by the engine to the declared types. */
async function loadRows(
  connection: DuckDBConnection,
  name: string,
  columns: readonly Column[],
  rows: readonly (readonly (string | null)[])[],
): Promise<void> {
  await connection.run(`create temp table loading (${columns.map((column) => `${column.name} VARCHAR`).join(', ')})`);
  const appender = await connection.createAppender('loading');
  for (const row of rows) {
    for (const value of row) {
      if (value === null) appender.appendNull();
      else appender.appendVarchar(value);
    }
    appender.endRow();
  }
  appender.closeSync();
  await connection.run(
    `create or replace table ${name} as select ${columns.map((column) => `cast(${column.name} as ${column.type}) as ${column.name}`).join(', ')} from loading`,
  );
  await connection.run('drop table loading');
}

function asText(value: string | number | bigint | boolean | null | undefined): string | null {
  return value === null || value === undefined ? null : String(value);
}

function valueText(value: DuckDBValue): string | null {
  return value === null ? null : String(value);
}
