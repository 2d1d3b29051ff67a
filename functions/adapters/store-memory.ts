/** An object store in this process, with the behaviour of the local one: for tests, and for the fault simulator. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KashiError } from '../domain/errors.ts';
import type { Clock, ObjectBody, ObjectInfo, ObjectStore } from '../ports.ts';
import { checkDeletable, checkKey, checkPrefix } from './object-key.ts';

export interface MemoryStore extends ObjectStore {
  /** Removes the files that `localFile` made. The objects stay readable. */
  close(): Promise<void>;
}

/** An empty store; the clock dates its objects. Bytes are copied in and out: nobody holds a reference into it. Errors: as ObjectStore says. */
export function memoryStore(clock: Clock = { now: () => Date.now() }): MemoryStore {
  const objects = new Map<string, Uint8Array>();
  const writtenAtMs = new Map<string, number>();
  const folders = new Set<string>();
  // Replaced, never changed in place, so that a listing under way keeps the keys it began with.
  let sortedKeys: readonly string[] = [];
  let unsortedKeys: string[] = [];
  let directory: Promise<string> | null = null;
  let files = 0;

  function keysInOrder(): readonly string[] {
    if (unsortedKeys.length > 0) {
      sortedKeys = [...sortedKeys, ...unsortedKeys].sort();
      unsortedKeys = [];
    }
    return sortedKeys;
  }

  function infoOf(key: string): ObjectInfo | null {
    const bytes = objects.get(key);
    return bytes === undefined ? null : { key, bytes: bytes.length, lastModifiedMs: writtenAtMs.get(key) ?? 0 };
  }

  return {
    async putIfAbsent(key: string, body: ObjectBody): Promise<'created' | 'exists'> {
      checkKey(key);
      const bytes = body instanceof Uint8Array ? body.slice() : new Uint8Array(await readFile(body.file));
      // No await from here on: the test and the write are one step.
      if (objects.has(key)) return 'exists';
      claimFolders(key, objects, folders);
      objects.set(key, bytes);
      writtenAtMs.set(key, clock.now());
      unsortedKeys.push(key);
      return 'created';
    },

    async get(key: string): Promise<Uint8Array | null> {
      checkKey(key);
      return objects.get(key)?.slice() ?? null;
    },

    async head(key: string): Promise<ObjectInfo | null> {
      checkKey(key);
      return infoOf(key);
    },

    async *list(prefix: string, after?: string): AsyncIterable<ObjectInfo> {
      checkPrefix(prefix);
      const keys = keysInOrder();
      for (let place = firstPlace(keys, prefix, after); place < keys.length; place += 1) {
        const key = keys[place]!;
        if (!key.startsWith(prefix)) return;
        const info = infoOf(key);
        if (info !== null) yield info;
      }
    },

    async delete(key: string): Promise<void> {
      checkDeletable(key);
      if (!objects.delete(key)) return;
      sortedKeys = keysInOrder().filter((kept) => kept !== key);
    },

    async localFile(key: string): Promise<string> {
      checkKey(key);
      const bytes = objects.get(key);
      if (bytes === undefined) throw new KashiError('store_corrupt', 'the object is missing', { where: key });
      directory ??= mkdtemp(join(tmpdir(), 'kashi-memory-'));
      files += 1;
      const path = join(await directory, String(files));
      await writeFile(path, bytes);
      return path;
    },

    async close(): Promise<void> {
      if (directory !== null) await rm(await directory, { recursive: true, force: true });
      directory = null;
    },
  };
}

/** A directory cannot be both a file and a folder, so neither may this store: a test here must not pass what a disk refuses. */
function claimFolders(key: string, objects: ReadonlyMap<string, Uint8Array>, folders: Set<string>): void {
  if (folders.has(key)) throw new KashiError('usage', 'object key refused: it is a folder of other objects', { found: key });
  for (let slash = key.lastIndexOf('/'); slash > 0; slash = key.lastIndexOf('/', slash - 1)) {
    const folder = key.slice(0, slash);
    if (objects.has(folder)) throw new KashiError('usage', 'object key refused: its folder is an object', { found: key, where: folder });
    folders.add(folder);
  }
}

/** Index of the first key at or after the prefix and strictly after `after`: binary search. */
function firstPlace(keys: readonly string[], prefix: string, after: string | undefined): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const key = keys[middle]!;
    if (key < prefix || (after !== undefined && key <= after)) low = middle + 1;
    else high = middle;
  }
  return low;
}
