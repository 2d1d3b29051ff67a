/** What an engine on other machines must offer, so that warehouse-remote.ts makes a Warehouse of it. */
import type { Column } from '../datasets.ts';
import type { QueryResult, SqlValue } from '../ports.ts';

export interface SqlService {
  /** Runs one statement, with parameters bound as the engine can. Errors: KashiError sql_refused for what the engine says against the statement. */
  run(sql: string, parameters?: readonly SqlValue[]): Promise<QueryResult>;
  /** A table over the one Parquet file in a folder of its own, whose columns it has. */
  tableOverFile(name: string, columns: readonly Column[], folder: string): Promise<void>;
  /** A table over the files of a snapshot and no others, or over a folder that holds them: the caller keeps to the listed ones. */
  tableOverDataset(name: string, columns: readonly Column[], dataset: string): Promise<void>;
  /** tableOverDataset has the files of the snapshot and no others. */
  readonly exactFiles?: true;
  /** How the hidden column "$path" names a file of the store. */
  pathOf(key: string): string;
  /** `create table … as` for an answer that several models read. */
  createTable(name: string, sql: string): Promise<void>;
  dropTable(name: string): Promise<void>;
  /** Drops everything that this session made. */
  close(): Promise<void>;
}

/** A place of one session where kashi puts small Parquet files and the engine reads them. */
export interface EngineScratch {
  /** Puts a local file into a new folder of its own and returns the folder as the engine names it. */
  put(name: string, file: string): Promise<string>;
  remove(): Promise<void>;
}
