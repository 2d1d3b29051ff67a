/**
 * An engine on other machines as a Warehouse: facts and bills are computed where the data is. It sees the same tables as the embedded one:
 * raw_… are exactly the objects of a snapshot, ref_… are the reference rows, models are defined on top.
 */
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Column, DATASETS, type DatasetName, FOLD_ORDER, SNAPSHOT_TABLES } from '../datasets.ts';
import { KashiError } from '../domain/errors.ts';
import { REFERENCE, type ReferenceName, type ReferenceRows } from '../domain/reference.ts';
import type { QueryResult, SqlValue, Warehouse } from '../ports.ts';
import { makeScratch } from './scratch.ts';
import type { EngineScratch, SqlService } from './sql-service.ts';
import { literal, oneReadingStatement, trinoWords } from './trino-words.ts';
import type { StoredObject } from './warehouse-duckdb.ts';
import { type TextRows, writeParquet } from './write-parquet.ts';

/** The rows of one object in a stored Parquet file, and the object's place in the warehouse's history. */
export interface RemoteFile {
  readonly dataset: string;
  readonly key: string;
  readonly objectId: string;
  readonly foldOrder: number;
}

export interface RemoteWarehouseOptions {
  readonly service: SqlService;
  readonly scratch: EngineScratch;
  /** Local folder for temporary files. */
  readonly workDirectory: string;
  readonly files: readonly RemoteFile[];
  readonly objects: readonly StoredObject[];
}

/** Paths that are named one by one, so that the engine opens no other file; above it, the join with the list decides alone. */
const NAMED_PATHS = 2000;

/** Rows of a dataset: of exactly the listed objects in the listed files, wherever the stored table reads them. */
export function rawSelect(name: DatasetName): string {
  return `select ${DATASETS[name].columns.map((column) => `stored.${column.name}`).join(', ')}, places.fold_order
from stored_${name} as stored
inner join raw_file as places on places.file = stored."$path" and places.object_id = stored.object_id`;
}

export async function remoteWarehouse(options: RemoteWarehouseOptions): Promise<Warehouse> {
  const warehouse = new RemoteWarehouse(options);
  try {
    await warehouse.begin();
  } catch (error) {
    await warehouse.close().catch(() => {});
    throw error;
  }
  return warehouse;
}

class RemoteWarehouse implements Warehouse {
  private readonly options: RemoteWarehouseOptions;
  private readonly local: string;
  /** Model name → its select. A model that stands is not computed again: what it reads cannot have changed. */
  private readonly defined = new Map<string, string>();
  private readonly made = new Map<string, 'view' | 'table'>();

  constructor(options: RemoteWarehouseOptions) {
    this.options = options;
    this.local = makeScratch(options.workDirectory, 'query');
  }

  async begin(): Promise<void> {
    const { service, files, objects } = this.options;
    const places = files.map((file) => [service.pathOf(file.key), file.objectId, String(file.foldOrder)]);
    await this.putTable('raw_file', SNAPSHOT_TABLES.raw_file.columns, places);
    await this.putTable(
      'raw_object',
      SNAPSHOT_TABLES.raw_object.columns,
      objects.map((object) => [object.objectId, object.objectName, object.source, object.contentId]),
    );
    for (const name of Object.keys(DATASETS) as DatasetName[]) await this.putDataset(name);
  }

  async query(sql: string, parameters: readonly SqlValue[] = []): Promise<QueryResult> {
    return await this.options.service.run(trinoWords(oneReadingStatement(sql)), parameters);
  }

  async parquetFile(sql: string): Promise<string> {
    const { columns, rows } = await this.query(sql);
    const file = join(this.local, `${randomUUID()}.parquet`);
    await writeParquet(file, { columns, rows });
    return file;
  }

  async loadReference(reference: ReferenceRows): Promise<void> {
    this.defined.clear();
    for (const name of Object.keys(REFERENCE) as ReferenceName[]) {
      const { columns } = REFERENCE[name];
      const text = (value: unknown): string | null => (value === null || value === undefined ? null : String(value));
      await this.putTable(
        name,
        columns,
        reference[name].map((row) => columns.map((column) => text(row[column.name]))),
      );
    }
  }

  async define(name: string, sql: string, how: 'view' | 'table'): Promise<void> {
    if (this.defined.get(name) === sql) return;
    const { service } = this.options;
    const body = trinoWords(oneReadingStatement(sql));
    try {
      await this.drop(name);
      if (how === 'view') await service.run(`create view ${name} as ${body}`);
      else await service.createTable(name, body);
    } catch (error) {
      if (error instanceof KashiError && error.code !== 'sql_refused') throw error;
      const said = error instanceof KashiError ? (error.details.found ?? error.message) : (error as Error).message;
      throw new Error(`model ${name} does not run: ${said}`, { cause: error });
    }
    this.made.set(name, how);
    this.defined.set(name, sql);
  }

  async close(): Promise<void> {
    const { service, scratch } = this.options;
    try {
      await service.close();
    } finally {
      rmSync(this.local, { recursive: true, force: true });
      await scratch.remove();
    }
  }

  private async drop(name: string): Promise<void> {
    const kind = this.made.get(name);
    if (kind === undefined) return;
    if (kind === 'view') await this.options.service.run(`drop view ${name}`);
    else await this.options.service.dropTable(name);
    this.made.delete(name);
  }

  /** A table of rows that kashi has in memory: through a Parquet file, so that no statement grows with them and types are what they are. */
  private async putTable(name: string, columns: readonly Column[], rows: TextRows['rows']): Promise<void> {
    const { service, scratch } = this.options;
    const file = join(this.local, `${name}.parquet`);
    await writeParquet(file, { columns, rows });
    await this.drop(name);
    await service.tableOverFile(name, columns, await scratch.put(name, file));
    this.made.set(name, 'table');
    rmSync(file);
  }

  /** raw_<dataset>: the dataset's columns and fold_order, of exactly the listed objects in the listed files. */
  private async putDataset(name: DatasetName): Promise<void> {
    const { service, files } = this.options;
    const { columns } = DATASETS[name];
    const keys = [...new Set(files.filter(({ dataset }) => dataset === name).map(({ key }) => key))];
    if (keys.length === 0) {
      await this.putTable(`raw_${name}`, [...columns, FOLD_ORDER], []);
      return;
    }
    await service.tableOverDataset(`stored_${name}`, columns, name);
    this.made.set(`stored_${name}`, 'table');
    const only =
      service.exactFiles === true || keys.length > NAMED_PATHS
        ? ''
        : `where stored."$path" in (${keys.map((key) => literal(service.pathOf(key))).join(', ')})`;
    await service.run(`create view raw_${name} as ${rawSelect(name)} ${only}`);
    this.made.set(`raw_${name}`, 'view');
  }
}
