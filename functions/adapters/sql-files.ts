/** The SQL bundle as it lies beside the code. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SQL_DIRECTORY = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'sql');
const LAYERS = ['staging', 'facts', 'rated', 'bills', 'analyses', 'exports', 'checks'] as const;

/** Every model file, in layer order; paths are relative to sql/. */
export function readSqlFiles(): { path: string; text: string }[] {
  return LAYERS.flatMap((layer) =>
    readdirSync(join(SQL_DIRECTORY, layer))
      .filter((name) => name.endsWith('.sql'))
      .sort()
      .map((name) => ({ path: `${layer}/${name}`, text: readFileSync(join(SQL_DIRECTORY, layer, name), 'utf8') })),
  );
}

export function readPrelude(engine: 'duckdb'): string {
  return readFileSync(join(SQL_DIRECTORY, 'prelude', `${engine}.sql`), 'utf8');
}
