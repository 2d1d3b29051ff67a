/** Athena as a Warehouse: a database of its own for each session, tables over symlink manifests that name exactly the files of a snapshot. */
import { randomUUID } from 'node:crypto';
import type { Column } from '../datasets.ts';
import { type AthenaOptions, athena } from './athena-run.ts';
import type { SqlService } from './sql-service.ts';
import { literal } from './trino-words.ts';

export interface AthenaServiceOptions extends AthenaOptions {
  /** The warehouse. Example: s3://acme-kashi/prod */
  readonly data: string;
  /** Dataset → folder of the manifest that names its files. */
  readonly manifests: ReadonlyMap<string, string>;
}

/** How a table reads the files that a manifest names. */
export const SYMLINK_FORMAT = {
  serde: 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe',
  input: 'org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat',
  output: 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat',
} as const;

/** Example: VARCHAR → string, DECIMAL(38,2) → decimal(38,2). */
export function hiveType(type: string): string {
  return type.toLowerCase().replace(/^varchar$/, 'string');
}

/** Errors: those of athena-run.ts. */
export async function athenaService({ data, manifests, ...options }: AthenaServiceOptions): Promise<SqlService> {
  const engine = athena(options);
  const root = data.replace(/\/$/, '');
  const database = `kashi_${randomUUID().replaceAll('-', '')}`;
  const run: SqlService['run'] = async (sql, parameters) => await engine.run(sql, parameters, database);

  await engine.run(`create database ${database}`);
  return {
    run,
    exactFiles: true,
    pathOf: (key) => `${root}/${key}`,
    async tableOverFile(name, columns, folder) {
      await run(`create external table ${name} (${definitions(columns)}) stored as parquet location ${literal(`${folder}/`)}`);
    },
    async tableOverDataset(name, columns, dataset) {
      const { serde, input, output } = SYMLINK_FORMAT;
      const folder = manifests.get(dataset);
      if (folder === undefined) throw new Error(`no manifest of ${dataset}`);
      await run(
        `create external table ${name} (${definitions(columns)}) row format serde '${serde}' stored as inputformat '${input}' outputformat '${output}' location ${literal(`${folder}/`)}`,
      );
    },
    async createTable(name, sql) {
      await run(`create table ${name} with (format = 'PARQUET') as ${sql}`);
    },
    async dropTable(name) {
      await run(`drop table ${name}`);
    },
    async close() {
      try {
        await engine.run(`drop database if exists ${database} cascade`);
      } finally {
        engine.close();
      }
    },
  };
}

function definitions(columns: readonly Column[]): string {
  return columns.map(({ name, type }) => `\`${name}\` ${hiveType(type)}`).join(', ');
}
