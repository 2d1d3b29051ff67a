/** Listing a directory tree in key order, one folder in memory at a time. */
import type { Dirent } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { KashiError } from '../domain/errors.ts';
import type { ObjectInfo } from '../ports.ts';
import { checkPrefix, isKey } from './object-key.ts';

/** Files whose size is asked for at once. */
const STAT_BATCH = 64;

interface Entry {
  /** Key of a file; key and '/' of a folder, which is how the keys below it begin and therefore sort. */
  readonly key: string;
  readonly folder: boolean;
}

/**
 * Objects whose key begins with the prefix and lies after `after`, by code unit. Files no key can name (hidden, odd characters) are not objects.
 * Memory: the names of one folder per level. Errors: KashiError usage for a prefix no key can have, store_unsuitable at a symbolic link.
 */
export async function* listFiles(base: string, prefix: string, after?: string): AsyncIterable<ObjectInfo> {
  checkPrefix(prefix);
  yield* listFolder(base, prefix.slice(0, prefix.lastIndexOf('/') + 1), prefix, after);
}

async function* listFolder(base: string, folder: string, prefix: string, after: string | undefined): AsyncIterable<ObjectInfo> {
  const entries = (await readEntries(base, folder)).filter((entry) => isWanted(entry, prefix, after));
  let batch: string[] = [];
  for (const entry of entries) {
    if (!entry.folder) batch.push(entry.key);
    if (entry.folder || batch.length === STAT_BATCH) {
      yield* withSizes(base, batch);
      batch = [];
    }
    if (entry.folder) yield* listFolder(base, entry.key, prefix, after);
  }
  yield* withSizes(base, batch);
}

async function readEntries(base: string, folder: string): Promise<Entry[]> {
  let names: Dirent[];
  try {
    names = await readdir(join(base, folder), { withFileTypes: true });
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
  const entries: Entry[] = [];
  for (const name of names) {
    const key = folder + name.name;
    if (!isKey(key)) continue;
    // Followed, it could lead round in a circle or to bytes another program changes; skipped, data would be missing without a word.
    if (name.isSymbolicLink()) throw new KashiError('store_unsuitable', 'the warehouse directory holds a symbolic link', { where: key });
    if (name.isDirectory()) entries.push({ key: `${key}/`, folder: true });
    else if (name.isFile()) entries.push({ key, folder: false });
  }
  return entries.sort((left, right) => (left.key < right.key ? -1 : 1));
}

function isWanted(entry: Entry, prefix: string, after: string | undefined): boolean {
  if (!entry.key.startsWith(prefix)) return false;
  if (after === undefined) return true;
  // A folder that ends before `after` holds nothing later, unless `after` lies inside it.
  return entry.key > after || (entry.folder && after.startsWith(entry.key));
}

async function* withSizes(base: string, keys: readonly string[]): AsyncIterable<ObjectInfo> {
  const found = await Promise.all(keys.map((key) => lookAt(join(base, key))));
  for (const [place, info] of found.entries()) {
    if (info !== null) yield { key: keys[place]!, ...info };
  }
}

/** Null when the file was deleted since its folder was read. */
async function lookAt(path: string): Promise<Omit<ObjectInfo, 'key'> | null> {
  try {
    const { size, mtimeMs } = await lstat(path);
    return { bytes: size, lastModifiedMs: Math.trunc(mtimeMs) };
  } catch (error) {
    if (isAbsent(error)) return null;
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}
