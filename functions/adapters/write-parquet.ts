/** Rows of text as a Parquet file of typed columns, by the embedded engine. */
import { dirname } from 'node:path';
import { openDuckdb, sqlText } from './duckdb.ts';

export interface TextRows {
  /** Types as the embedded engine names them. */
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows: readonly (readonly (string | null)[])[];
}

/** Writes `file`, whose folder exists. A file without rows still has its columns. Errors: those of the engine, for a text that is not of its type. */
export async function writeParquet(file: string, { columns, rows }: TextRows): Promise<void> {
  const engine = await openDuckdb({ directories: [], temporaryDirectory: dirname(file), threads: 1 });
  try {
    await engine.connection.run(`create table loading (${columns.map((_, index) => `c${index} VARCHAR`).join(', ')})`);
    const appender = await engine.connection.createAppender('loading');
    for (const row of rows) {
      for (const value of row) {
        if (value === null) appender.appendNull();
        else appender.appendVarchar(value);
      }
      appender.endRow();
    }
    appender.closeSync();
    const typed = columns.map(({ name, type }, index) => `cast(c${index} as ${type}) as "${name.replaceAll('"', '""')}"`).join(', ');
    await engine.connection.run(`copy (select ${typed} from loading) to ${sqlText(file)} (format parquet, compression zstd)`);
  } finally {
    engine.close();
  }
}
