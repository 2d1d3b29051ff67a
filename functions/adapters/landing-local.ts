/** Landed objects on local disk: files and folders as given on the command line. Read-only. */
import { closeSync, openSync, readdirSync, readSync, type Stats, statSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { relative, resolve, sep } from 'node:path';
import { KashiError } from '../domain/errors.ts';
import type { LandedFile } from '../ports.ts';

const CHUNK_BYTES = 1 << 20;
const TAIL_BYTES = 64 * 1024;
const LINE_END = 0x0a;

/** Names that programs give to what they have not finished: hidden (rsync), temporary, partial downloads and uploads, editors' copies. */
const UNFINISHED = /^\.|~$|\.(?:tmp|temp|part|partial|filepart|crdownload|inprogress|incomplete|swp)$|\._COPYING_$/i;

/** True for a name that is left alone until it has another. */
export function isUnfinishedName(name: string): boolean {
  return UNFINISHED.test(name);
}

/** Told of a folder or file that cannot be looked at; the rest is listed all the same. */
export type OnListFault = (path: string, error: unknown) => void;

/**
 * Objects under the paths, in name order. A name is relative to `landingRoot` when the file lies below it, else to the
 * given folder (or the bare file name). In folders, unfinished names (isUnfinishedName) are left alone, and what vanishes meanwhile is passed over.
 * Errors: KashiError not_found for a path that does not exist; those of the disk, unless `onFault` takes them.
 */
export function* listLanded(paths: readonly string[], landingRoot: string, onFault?: OnListFault): Generator<LandedFile> {
  for (const path of paths) {
    const absolute = resolve(path);
    const stat = statSync(absolute, { throwIfNoEntry: false });
    if (stat === undefined)
      throw new KashiError('not_found', 'nothing to ingest', { where: path, allowed: 'an existing file or folder', found: 'no such path' });
    if (stat.isDirectory()) yield* walk(Buffer.from(absolute), (file) => nameOf(file, landingRoot, absolute), onFault);
    else yield landed(Buffer.from(absolute), nameOf(absolute, landingRoot, resolve(absolute, '..')), stat);
  }
}

type NameFor = (file: string) => string;

const SEPARATOR = Buffer.from(sep);

/** Paths are bytes, because a file system allows names that are no text; such a name is shown with its bytes as %xx. */
function* walk(directory: Buffer, nameFor: NameFor, onFault?: OnListFault): Generator<LandedFile> {
  const start = Buffer.concat([directory, SEPARATOR]);
  const shownStart = textOf(start);
  // The names of one folder differ in their last part only.
  const nameStart = nameFor(`${shownStart}x`).slice(0, -1);
  const entries = guarded(shownStart, onFault, () => readdirSync(directory, { withFileTypes: true, encoding: 'buffer' })) ?? [];
  for (const entry of entries.sort((a, b) => Buffer.compare(a.name, b.name))) {
    const shown = textOf(entry.name);
    if (isUnfinishedName(shown)) continue;
    const path = Buffer.concat([start, entry.name]);
    if (entry.isDirectory()) yield* walk(path, nameFor, onFault);
    else if (entry.isFile() || entry.isSymbolicLink()) {
      const stat = guarded(shownStart + shown, onFault, () => statSync(path, { throwIfNoEntry: false }));
      if (stat?.isFile() === true) yield landed(path, nameStart + shown, stat);
    }
  }
}

/** Undefined when the thing has gone since it was listed, or when the fault was taken. */
function guarded<T>(path: string, onFault: OnListFault | undefined, look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    if (onFault === undefined) throw error;
    onFault(path, error);
    return undefined;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
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

function landed(file: Buffer, name: string, { size, mtimeMs }: Stats): LandedFile {
  const lastModifiedMs = Math.trunc(mtimeMs);
  const changed = (): boolean => {
    const now = statSync(file, { throwIfNoEntry: false });
    return now === undefined || now.size !== size || Math.trunc(now.mtimeMs) !== lastModifiedMs;
  };
  return {
    name,
    bytes: size,
    lastModifiedMs,
    open: () => firstBytes(file, size),
    changed,
    wholeLines: () => {
      const bytes = wholeLineBytes(file, size);
      return bytes === 0 ? null : { name, bytes, lastModifiedMs, open: () => firstBytes(file, bytes), growing: true, changed };
    },
  };
}

/**
 * The bytes a file had when it was listed, in chunks that share one memory. A log that grows meanwhile is read to where it was; the rest
 * is for the next ingest.
 */
async function* firstBytes(file: Buffer, bytes: number): AsyncGenerator<Uint8Array> {
  if (bytes === 0) return;
  await using handle = await openListed(file);
  const memory = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, bytes));
  for (let at = 0; at < bytes; ) {
    const { bytesRead } = await handle.read(memory, 0, Math.min(memory.length, bytes - at), at);
    if (bytesRead === 0) throw cutShort(file, bytes, at);
    at += bytesRead;
    yield memory.subarray(0, bytesRead);
  }
}

async function openListed(file: Buffer): Promise<FileHandle> {
  try {
    return await open(file, 'r');
  } catch (cause) {
    if (codeOf(cause) !== 'ENOENT') throw cause;
    throw new KashiError('gone', 'a file has gone since it was listed', { where: textOf(file) }, { cause });
  }
}

function cutShort(file: Buffer, bytes: number, found: number): KashiError {
  return new KashiError('conflict', 'a file changed while it was read', {
    where: textOf(file),
    allowed: `${bytes} bytes, as when it was listed`,
    found: `${found}`,
    hint: 'ingest it again when its producer has finished',
  });
}

/** First bytes of gzip and zstd: a part of such a file says nothing. */
const COMPRESSED: readonly (readonly number[])[] = [
  [0x1f, 0x8b],
  [0x28, 0xb5, 0x2f, 0xfd],
];

/** Bytes up to and with the last line end among the first `size`; 0 when there is none, or when the file is compressed or has gone. */
function wholeLineBytes(file: Buffer, size: number): number {
  let handle: number;
  try {
    handle = openSync(file, 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 0;
    throw error;
  }
  try {
    const read = (from: number, to: number): Buffer => {
      const buffer = Buffer.alloc(to - from);
      return buffer.subarray(0, readSync(handle, buffer, 0, buffer.length, from));
    };
    const head = read(0, Math.min(4, size));
    if (COMPRESSED.some((magic) => magic.every((byte, place) => head[place] === byte))) return 0;
    for (let end = size; end > 0; end -= TAIL_BYTES) {
      const from = Math.max(0, end - TAIL_BYTES);
      const at = read(from, end).lastIndexOf(LINE_END);
      if (at >= 0) return from + at + 1;
    }
    return 0;
  } finally {
    closeSync(handle);
  }
}
