/** The files a new centre starts from, as they lie beside the code, and creating them on a local disk. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface StarterFile {
  /** Below the folder of the new centre. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

const TEMPLATES = fileURLToPath(new URL('../cli/templates/', import.meta.url));
const SCHEMAS = fileURLToPath(new URL('../../schemas/', import.meta.url));

/** Every template at the top, then every JSON Schema below schemas/; each sorted by name. */
export function readStarterFiles(): StarterFile[] {
  const templates = readdirSync(TEMPLATES).sort();
  const schemas = readdirSync(SCHEMAS)
    .sort()
    .filter((name) => name.endsWith('.schema.json'));
  return [
    ...templates.map((name) => ({ path: name, bytes: readFileSync(join(TEMPLATES, name)) })),
    ...schemas.map((name) => ({ path: join('schemas', name), bytes: readFileSync(join(SCHEMAS, name)) })),
  ];
}

/** Creates the file and the folders above it; 'exists' leaves the stored bytes untouched. Errors: those of the disk. */
export function createFile(path: string, bytes: Uint8Array): 'created' | 'exists' {
  mkdirSync(dirname(path), { recursive: true });
  try {
    // wx fails on an existing path in one step, so a file made meanwhile is safe too.
    writeFileSync(path, bytes, { flag: 'wx' });
    return 'created';
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return 'exists';
    throw error;
  }
}
