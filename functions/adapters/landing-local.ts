/** Landed objects on local disk: files and folders as given on the command line. Read-only. */
import { createReadStream, type Dirent, readdirSync, realpathSync, statSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import { KashiError } from '../domain/errors.ts';
import type { LandedObject } from '../ports.ts';

const CHUNK_BYTES = 1 << 20;

/**
 * Objects under the paths, in name order. A name is relative to `landingRoot` when the file lies below it, else to the
 * given folder (or the bare file name). Names starting with '.' and `*.tmp` are unfinished deliveries and are left alone.
 * Errors: KashiError not_found for a path that does not exist.
 */
export function* listLanded(paths: readonly string[], landingRoot: string): Generator<LandedObject> {
  for (const path of paths) {
    const absolute = resolve(path);
    const stat = statSync(absolute, { throwIfNoEntry: false });
    if (stat === undefined)
      throw new KashiError('not_found', 'nothing to ingest', { where: path, allowed: 'an existing file or folder', found: 'no such path' });
    if (stat.isDirectory()) yield* walk(absolute, (file) => nameOf(file, landingRoot, absolute));
    else yield landed(absolute, nameOf(absolute, landingRoot, resolve(absolute, '..')));
  }
}

function* walk(directory: string, nameFor: (file: string) => string): Generator<LandedObject> {
  const entries = readdirSync(directory, { withFileTypes: true }).sort((a: Dirent, b: Dirent) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    if (entry.name.startsWith('.') || entry.name.endsWith('.tmp')) continue;
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* walk(path, nameFor);
    else if (entry.isFile()) yield landed(path, nameFor(path));
    else if (entry.isSymbolicLink() && statSync(path, { throwIfNoEntry: false })?.isFile() === true)
      yield landed(realpathSync(path), nameFor(path));
  }
}

function nameOf(file: string, landingRoot: string, base: string): string {
  const root = resolve(landingRoot);
  const from = file.startsWith(root + sep) ? root : base;
  return relative(from, file).split(sep).join('/');
}

function landed(file: string, name: string): LandedObject {
  const stat = statSync(file);
  return {
    name,
    bytes: stat.size,
    lastModifiedMs: Math.trunc(stat.mtimeMs),
    open: () => firstBytes(file, stat.size),
  };
}

/** The bytes a file had when it was listed. A log that grows meanwhile is read to where it was; the rest is another content, for the next ingest. */
async function* firstBytes(file: string, bytes: number): AsyncGenerator<Uint8Array> {
  if (bytes === 0) return;
  let left = bytes;
  for await (const chunk of createReadStream(file, { highWaterMark: CHUNK_BYTES, end: bytes - 1 })) {
    left -= (chunk as Uint8Array).length;
    yield chunk as Uint8Array;
  }
  if (left === 0) return;
  throw new KashiError('conflict', 'a file changed while it was read', {
    where: file,
    allowed: `${bytes} bytes, as when it was listed`,
    found: `${bytes - left}`,
    hint: 'ingest it again when its producer has finished',
  });
}
