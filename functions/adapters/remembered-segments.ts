/** Keeps segments on this machine's disk: they never change, and every reading of a snapshot wants all of them. */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PREFIX } from '../contract.ts';
import type { ObjectStore } from '../ports.ts';

/** The same store; a segment is fetched once. Who reads it verifies its bytes by their hash, which is its name. */
export function rememberedSegments(store: ObjectStore, directory: string): ObjectStore {
  return {
    ...store,
    async get(key) {
      if (!key.startsWith(PREFIX.segments)) return await store.get(key);
      const path = join(directory, key.replaceAll('/', '~'));
      const kept = await readFile(path).catch(() => null);
      if (kept !== null) return new Uint8Array(kept);
      const bytes = await store.get(key);
      // A full disk is no reason to fail: the bytes are here.
      if (bytes !== null) await keep(path, directory, bytes).catch(() => {});
      return bytes;
    },
  };
}

async function keep(path: string, directory: string, bytes: Uint8Array): Promise<void> {
  await mkdir(directory, { recursive: true });
  const temporary = `${path}.${randomUUID()}`;
  await writeFile(temporary, bytes);
  await rename(temporary, path);
}
