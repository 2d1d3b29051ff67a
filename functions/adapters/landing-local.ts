/** Landed objects on local disk: files and folders as given on the command line. Read-only. */
import { readdirSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { relative, resolve, sep } from 'node:path';
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
    if (stat.isDirectory()) yield* walk(Buffer.from(absolute), (file) => nameOf(file, landingRoot, absolute));
    else yield landed(Buffer.from(absolute), nameOf(absolute, landingRoot, resolve(absolute, '..')));
  }
}

type NameFor = (file: string) => string;

/** Paths are bytes, because a file system allows names that are no text; such a name is shown with its bytes as %xx. */
function* walk(directory: Buffer, nameFor: NameFor): Generator<LandedObject> {
  const entries = readdirSync(directory, { withFileTypes: true, encoding: 'buffer' }).sort((a, b) => Buffer.compare(a.name, b.name));
  for (const entry of entries) {
    const shown = textOf(entry.name);
    if (shown.startsWith('.') || shown.endsWith('.tmp')) continue;
    const path = Buffer.concat([directory, Buffer.from(sep), entry.name]);
    if (entry.isDirectory()) yield* walk(path, nameFor);
    else if (entry.isFile() || (entry.isSymbolicLink() && statSync(path, { throwIfNoEntry: false })?.isFile() === true))
      yield landed(path, nameFor(textOf(path)));
  }
}

function textOf(name: Buffer): string {
  const text = name.toString('utf8');
  if (Buffer.from(text, 'utf8').equals(name)) return text;
  return [...name].map((byte) => (byte < 0x80 ? String.fromCharCode(byte) : `%${byte.toString(16)}`)).join('');
}

function nameOf(file: string, landingRoot: string, base: string): string {
  const root = resolve(landingRoot);
  const from = file.startsWith(root + sep) ? root : base;
  return relative(from, file).split(sep).join('/');
}

function landed(file: Buffer, name: string): LandedObject {
  const stat = statSync(file);
  return {
    name,
    bytes: stat.size,
    lastModifiedMs: Math.trunc(stat.mtimeMs),
    open: () => firstBytes(file, stat.size),
  };
}

/**
 * The bytes a file had when it was listed, in chunks that share one memory. A log that grows meanwhile is read to where it was; the rest
 * is another content, for the next ingest.
 */
async function* firstBytes(file: Buffer, bytes: number): AsyncGenerator<Uint8Array> {
  if (bytes === 0) return;
  await using handle = await open(file, 'r');
  const memory = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, bytes));
  for (let at = 0; at < bytes; ) {
    const { bytesRead } = await handle.read(memory, 0, Math.min(memory.length, bytes - at), at);
    if (bytesRead === 0) throw changed(file, bytes, at);
    at += bytesRead;
    yield memory.subarray(0, bytesRead);
  }
}

function changed(file: Buffer, bytes: number, found: number): KashiError {
  return new KashiError('conflict', 'a file changed while it was read', {
    where: textOf(file),
    allowed: `${bytes} bytes, as when it was listed`,
    found: `${found}`,
    hint: 'ingest it again when its producer has finished',
  });
}
