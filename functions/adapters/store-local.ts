/** An object store in a directory. One system call decides: link(2) makes the finished file appear whole, or fails because the name is taken. */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, link, lstat, mkdir, open, readdir, readFile, realpath, rm, stat, unlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { KashiError } from '../domain/errors.ts';
import { type ObjectBody, type ObjectInfo, type ObjectStore, TransientStoreError } from '../ports.ts';
import { diskError } from './disk-error.ts';
import { checkDeletable, checkKey } from './object-key.ts';
import { listFiles } from './store-local-list.ts';

export { checkLocalStore, type LocalStoreReport } from './store-local-check.ts';

/** Folder of unfinished files under the root; no key can name it. */
const TEMPORARY = '.tmp';
/** No writer lives this long, so an older temporary file belongs to one that was killed. */
const ABANDONED_AFTER_MS = 24 * 3_600_000;

/**
 * The store in directory `root`, made on the first write. Several processes may use one root at the same time.
 * A created object has reached the disk (fsync of the file and of its folders) when `putIfAbsent` returns.
 * Errors: KashiError usage for a key it cannot hold, store_unsuitable for a full, read-only or unsuitable disk; TransientStoreError otherwise.
 */
export function localStore(root: string): ObjectStore {
  const base = resolve(root);
  // A folder made by this or another process survives a power cut only after fsync of its parent; once per folder is enough.
  const durableFolders = new Set<string>();
  let ready: Promise<void> | null = null;

  async function makeFolder(folder: string): Promise<void> {
    if (durableFolders.has(folder)) return;
    await mkdir(folder, { recursive: true });
    for (let child = folder; child.length > base.length; child = dirname(child)) await syncFolder(dirname(child));
    durableFolders.add(folder);
  }

  async function put(key: string, body: ObjectBody): Promise<'created' | 'exists'> {
    ready ??= prepare(base);
    await ready.catch((error: unknown) => {
      ready = null;
      throw error;
    });
    const target = join(base, key);
    await makeFolder(dirname(target));
    const outcome =
      body instanceof Uint8Array
        ? await linkCopy(base, target, (path) => writeDurably(path, body))
        : await linkFile(base, target, body.file);
    if (outcome === 'exists' && !(await lstat(target)).isFile()) {
      throw new KashiError('usage', 'object key refused: it is a folder of other objects', { found: key });
    }
    // Also when another writer was first: it may not have come this far, and our caller will rely on the object.
    await syncFolder(dirname(target));
    return outcome;
  }

  return {
    async putIfAbsent(key, body) {
      checkKey(key);
      try {
        return await put(key, body);
      } catch (error) {
        throw explained(error, key);
      }
    },

    async get(key) {
      checkKey(key);
      return await orNull(async () => new Uint8Array(await readFile(join(base, key))));
    },

    async head(key): Promise<ObjectInfo | null> {
      checkKey(key);
      const found = await orNull(() => stat(join(base, key)));
      return found?.isFile() ? { key, bytes: found.size, lastModifiedMs: Math.trunc(found.mtimeMs) } : null;
    },

    list: (prefix, after) => listFiles(base, prefix, after),

    async delete(key) {
      checkDeletable(key);
      await orNull(() => unlink(join(base, key)));
    },

    async localFile(key) {
      checkKey(key);
      const path = join(base, key);
      const found = await orNull(() => stat(path));
      if (!found?.isFile()) throw new KashiError('store_corrupt', 'the object is missing', { where: key });
      return path;
    },
  };
}

/** Makes the temporary folder and clears what killed writers left in it. */
async function prepare(base: string): Promise<void> {
  const folder = join(base, TEMPORARY);
  if ((await orNull(() => stat(base)))?.isFile())
    throw new KashiError('store_unsuitable', 'the warehouse directory is a file', { where: base });
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const found = await orNull(() => lstat(path));
    if (found !== null && Date.now() - found.mtimeMs > ABANDONED_AFTER_MS) await rm(path, { force: true });
  }
}

/** Links the caller's finished file under its key; where the disk cannot (another device, another owner), links a copy. */
async function linkFile(base: string, target: string, file: string): Promise<'created' | 'exists'> {
  const source = await realpath(file);
  await syncFile(source);
  try {
    return await linkOnce(source, target);
  } catch (error) {
    if (!['EXDEV', 'EPERM', 'EMLINK', 'EACCES'].includes(codeOf(error))) throw error;
  }
  return await linkCopy(base, target, async (path) => {
    await copyFile(source, path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    await syncFile(path);
  });
}

/** Writes a temporary file and links it: readers see nothing, then everything. */
async function linkCopy(base: string, target: string, write: (path: string) => Promise<void>): Promise<'created' | 'exists'> {
  const path = join(base, TEMPORARY, randomUUID());
  try {
    await write(path);
    return await linkOnce(path, target);
  } finally {
    await rm(path, { force: true });
  }
}

async function linkOnce(path: string, target: string): Promise<'created' | 'exists'> {
  try {
    await link(path, target);
    return 'created';
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return 'exists';
    throw error;
  }
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  await using handle = await open(path, 'wx');
  await handle.writeFile(bytes);
  await handle.sync();
}

async function syncFile(path: string): Promise<void> {
  // Windows refuses to flush what was opened for reading; elsewhere the file may be read-only to us.
  await using handle = await open(path, process.platform === 'win32' ? 'r+' : 'r');
  await handle.sync();
}

async function syncFolder(path: string): Promise<void> {
  // Windows has no fsync of a folder: NTFS journals its entries.
  if (process.platform === 'win32') return;
  await using handle = await open(path, 'r');
  await handle.sync();
}

async function orNull<T>(read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EISDIR'].includes(codeOf(error))) return null;
    throw error;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** What a failed write means for the caller: something to mend, or an outcome that must be read back. */
function explained(error: unknown, key: string): unknown {
  if (error instanceof KashiError) return error;
  const code = codeOf(error);
  const found = error instanceof Error ? error.message : String(error);
  const mend = diskError(error, key);
  if (mend instanceof KashiError) return mend;
  if (code === 'ENOENT')
    return new KashiError('not_found', 'a file or folder that the write needs is missing', { where: key, found }, { cause: error });
  // EEXIST comes from making a folder; for the object itself it is an answer, not an error.
  if (code === 'ENOTDIR' || code === 'EEXIST') {
    return new KashiError('usage', 'object key refused: its folder is an object', { where: key, found }, { cause: error });
  }
  return new TransientStoreError(`the outcome of writing ${key} is unknown: ${found}`, { cause: error });
}
