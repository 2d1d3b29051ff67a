/** Trino as a Warehouse: a schema of its own for each session, external tables over the stored Parquet. */
import { randomUUID } from 'node:crypto';
import { copyFile, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PREFIX } from '../contract.ts';
import type { Column } from '../datasets.ts';
import { KashiError } from '../domain/errors.ts';
import type { QueryColumn, QueryResult, SqlValue } from '../ports.ts';
import type { EngineScratch, SqlService } from './sql-service.ts';
import { runTrino, type TrinoAnswer, TrinoError, type TrinoOptions } from './trino-http.ts';
import { literal } from './trino-words.ts';

/** Folders of a month, `p=yyyy-mm`: everything is inside the files too, but an engine can pass over the months that no file is named of. */
const PARTITION = 'p';

export interface TrinoServiceOptions extends Omit<TrinoOptions, 'schema'> {
  /** The warehouse as Trino names it. Examples: s3://acme-kashi/prod, local:///kashi/warehouse */
  readonly data: string;
  /** Told of each statement's bytes read from storage. */
  readonly onScanned?: (bytes: number) => void;
}

/** Errors: KashiError store_unsuitable when Trino cannot be reached or has no such catalog. */
export async function trinoService({ data, onScanned, ...options }: TrinoServiceOptions): Promise<SqlService> {
  const root = data.replace(/\/$/, '');
  const schema = `kashi_${randomUUID().replaceAll('-', '')}`;
  const trino = { ...options, schema };

  async function run(sql: string, parameters: readonly SqlValue[] = []): Promise<QueryResult> {
    const bound = parameters.length === 0 ? sql : `execute immediate ${literal(sql)} using ${parameters.map(literal).join(', ')}`;
    try {
      const answer = await runTrino(trino, bound);
      onScanned?.(answer.bytesScanned);
      return resultOf(answer);
    } catch (error) {
      throw explained(error, options);
    }
  }

  await run(`create schema ${schema}`);
  return {
    run,
    pathOf: (key) => `${root}/${key}`,
    async tableOverFile(name, columns, folder) {
      await run(
        `create table ${name} (${columns.map(definition).join(', ')}) with (external_location = ${literal(folder)}, format = 'PARQUET')`,
      );
    },
    async tableOverDataset(name, columns, dataset) {
      const location = literal(`${root}/${PREFIX.data}${dataset}`);
      const all = [...columns.map(definition), `${PARTITION} varchar`].join(', ');
      await run(
        `create table ${name} (${all}) with (external_location = ${location}, format = 'PARQUET', partitioned_by = array['${PARTITION}'])`,
      );
      await run(`call system.sync_partition_metadata(${literal(schema)}, ${literal(name)}, 'FULL')`);
    },
    async createTable(name, sql) {
      await run(`create table ${name} as ${sql}`);
    },
    async dropTable(name) {
      await run(`drop table ${name}`);
    },
    async close() {
      await run(`drop schema if exists ${schema} cascade`);
    },
  };
}

/** Scratch folders below the warehouse's `.tmp`, on a disk that Trino sees too. */
export function folderScratch(workDirectory: string, seenAs: string): EngineScratch {
  const session = `engine-${randomUUID()}`;
  const folder = join(workDirectory, session);
  let tables = 0;
  return {
    async put(name, file) {
      tables += 1;
      const own = `${name}-${tables}`;
      await mkdir(join(folder, own), { recursive: true });
      await copyFile(file, join(folder, own, 'rows.parquet'));
      return `${seenAs.replace(/\/$/, '')}/${session}/${own}`;
    },
    async remove() {
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function definition({ name, type }: Column): string {
  return `${name} ${type === 'TIMESTAMP' ? 'timestamp(3)' : type.toLowerCase()}`;
}

function resultOf({ columns, rows }: TrinoAnswer): QueryResult {
  const types: QueryColumn[] = columns.map(({ name, type }) => ({ name, type: typeName(type) }));
  return { columns: types, rows: rows.map((row) => row.map((cell, index) => cellText(cell, types[index]?.type ?? ''))) };
}

/** As the embedded engine names it. Example: 'timestamp(3)' → TIMESTAMP_MS, 'decimal(38, 2)' → DECIMAL(38,2). */
export function typeName(type: string): string {
  return type
    .replace(/^timestamp(\(3\))?$/, 'timestamp_ms')
    .replace(/^(timestamp|varchar|char)\(\d+\)$/, '$1')
    .replaceAll(' ', '')
    .toUpperCase();
}

/** As the embedded engine prints it: an instant without trailing zeros of its fraction. */
export function cellText(cell: unknown, type: string): string | null {
  if (cell === null || cell === undefined) return null;
  if (typeof cell === 'object') return JSON.stringify(cell);
  return type.startsWith('TIMESTAMP')
    ? String(cell).replace(/\.(\d*?)0*$/, (_, digits: string) => (digits === '' ? '' : `.${digits}`))
    : String(cell);
}

function explained(error: unknown, { server, catalog }: Pick<TrinoOptions, 'server' | 'catalog'>): unknown {
  if (!(error instanceof TrinoError)) return error;
  if (error.errorName === 'CATALOG_NOT_FOUND' || error.errorName === 'MISSING_CATALOG_NAME') {
    const hint = 'KASHI_TRINO_CATALOG names a catalog of the Hive connector over the warehouse; see docs/engines.md';
    return new KashiError('store_unsuitable', 'Trino has no such catalog', { where: server, found: catalog, hint }, { cause: error });
  }
  const allowed = 'views and columns that exist (show tables; describe <view>)';
  return new KashiError('sql_refused', 'the statement does not run', { allowed, found: error.message }, { cause: error });
}
