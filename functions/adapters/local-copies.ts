/** Copies of remote objects on local disk: fetched once, compared with their checksum at each use, shared by processes. */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { KashiError } from '../domain/errors.ts';
import { TransientStoreError } from '../ports.ts';
import { diskError } from './disk-error.ts';

/** What identifies the bytes of a remote object. */
export interface RemoteObject {
  readonly name: string;
  readonly bytes: number;
  /** Null when the service keeps none: then the length alone is compared. */
  readonly sha256: string | null;
  readonly tag: string;
}

export interface LocalCopies {
  /** Path of a file with exactly the object's bytes, which `fetch` brings when there is none. Errors: TransientStoreError, KashiError store_unsuitable, those of `fetch`. */
  file(object: RemoteObject, where: string, fetch: () => Promise<Readable>): Promise<string>;
}

/** Copies that nobody used for so long are removed. */
const UNUSED_AFTER_MS = 7 * 24 * 3_600_000;

/** Copies lie flat in `<workDirectory>/copies`, under names made of what they are copies of. */
export function localCopies(workDirectory: string): LocalCopies {
  const folder = join(workDirectory, 'copies');
  let ready: Promise<void> | null = null;
  const underWay = new Map<string, Promise<string>>();

  async function fetched({ name, bytes, sha256, tag }: RemoteObject, where: string, fetch: () => Promise<Readable>): Promise<string> {
    ready ??= prepare(folder);
    await ready;
    const path = join(folder, createHash('sha256').update(`${name}\0${tag}\0${bytes}`).digest('hex'));
    if (await isCopy(path, bytes, sha256)) {
      const now = new Date();
      await utimes(path, now, now);
      return path;
    }
    const temporary = `${path}.${randomUUID()}.tmp`;
    try {
      const stream = await fetch();
      await pipeline(stream, createWriteStream(temporary, { flags: 'wx' })).catch((error: unknown) => {
        const known = diskError(error, temporary);
        throw known instanceof KashiError ? known : new TransientStoreError(`${where}: ${(error as Error).message}`, { cause: error });
      });
      if (!(await isCopy(temporary, bytes, sha256))) throw new TransientStoreError(`${where}: other bytes came than are stored`);
      await rename(temporary, path);
    } finally {
      await rm(temporary, { force: true });
    }
    return path;
  }

  return {
    async file(object, where, fetch) {
      // Two readers of one object at the same time wait for one download.
      const before = underWay.get(object.name);
      if (before !== undefined) return await before;
      const running = fetched(object, where, fetch).finally(() => underWay.delete(object.name));
      underWay.set(object.name, running);
      return await running;
    },
  };
}

async function prepare(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      const found = await stat(path).catch(() => null);
      if (found !== null && Date.now() - found.mtimeMs > UNUSED_AFTER_MS) await rm(path, { force: true });
    }
  } catch (error) {
    throw diskError(error, folder);
  }
}

async function isCopy(path: string, bytes: number, sha256: string | null): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  if (found === null || found.size !== bytes) return false;
  if (sha256 === null) return true;
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex') === sha256;
}
