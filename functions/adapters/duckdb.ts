/** One locked-down DuckDB (RELIABILITY 1.13): it reads and writes only the directories it is given, and cannot be reconfigured. */
import { totalmem } from 'node:os';
import { type DuckDBConnection, DuckDBInstance, version } from '@duckdb/node-api';

export interface DuckdbOptions {
  /** Directories the engine may touch; nothing else on the machine is readable. */
  readonly directories: readonly string[];
  /** Spill directory; must exist. */
  readonly temporaryDirectory: string;
  /** Default 2. */
  readonly threads?: number;
  /** Default: a third of the memory there is, at most 4 GB; above it the engine spills. */
  readonly memoryLimit?: string;
}

const MOST_MEMORY_MB = 4_000;

/** Of the machine, or of the container where that has less. */
function defaultMemory(): string {
  const bytes = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
  return `${Math.min(MOST_MEMORY_MB, Math.floor(bytes / 3e6))}MB`;
}

export interface Duckdb {
  readonly connection: DuckDBConnection;
  close(): void;
}

/** SQL text literal. Only for paths and settings, which cannot be bound; data is always bound. */
export function sqlText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

export async function openDuckdb(options: DuckdbOptions): Promise<Duckdb> {
  const instance = await DuckDBInstance.create(':memory:', {
    threads: String(options.threads ?? 2),
    memory_limit: options.memoryLimit ?? defaultMemory(),
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    allow_community_extensions: 'false',
  });
  const connection = await instance.connect();
  const directories = [...options.directories, options.temporaryDirectory].map((directory) =>
    sqlText(directory.endsWith('/') ? directory : `${directory}/`),
  );
  await connection.run(`set allowed_directories = [${directories.join(', ')}]`);
  await connection.run(`set temp_directory = ${sqlText(options.temporaryDirectory)}`);
  await connection.run(`set max_temp_directory_size = '64GB'`);
  await connection.run(`set TimeZone = 'UTC'`);
  await connection.run('set integer_division = true');
  // Of DuckDB 1.5 it raises internal errors in some plans of row_number() (duckdb issues 21387, 22245); a close must not depend on that.
  await connection.run(`set disabled_optimizers = 'top_n_window_elimination'`);
  await connection.run('set enable_external_access = false');
  await connection.run('set lock_configuration = true');
  return {
    connection,
    close: () => {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

export function engineVersion(): string {
  return version();
}
