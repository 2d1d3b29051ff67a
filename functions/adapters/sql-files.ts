/** The SQL bundle as it lies beside the code. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SQL_DIRECTORY = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'sql');
const LAYERS = ['staging', 'facts', 'rated', 'bills', 'analyses', 'checks'] as const;

/** Every model file of the warehouse, in layer order; paths are relative to sql/. */
export function readSqlFiles(): { path: string; text: string }[] {
  return LAYERS.flatMap(readLayer);
}

/** The models of exports: they read a stated bill, not the warehouse, and are no rule by which one is made. */
export function readExportFiles(): { path: string; text: string }[] {
  return readLayer('exports');
}

function readLayer(layer: string): { path: string; text: string }[] {
  return readdirSync(join(SQL_DIRECTORY, layer))
    .filter((name) => name.endsWith('.sql'))
    .sort()
    .map((name) => ({ path: `${layer}/${name}`, text: readFileSync(join(SQL_DIRECTORY, layer, name), 'utf8') }));
}

export function readPrelude(engine: 'duckdb'): string {
  return readFileSync(join(SQL_DIRECTORY, 'prelude', `${engine}.sql`), 'utf8');
}
