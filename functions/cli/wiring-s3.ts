/** Warehouses and landing places in a bucket: `s3://bucket/prefix` where a folder could stand. */
import { createHash, randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { isS3Url, parseS3Place } from '../adapters/s3-place.ts';
import { localStore } from '../adapters/store-local.ts';
import { checkBucketStore } from '../adapters/store-s3-check.ts';
import { resolvePin } from '../close/month-inputs.ts';
import { readPin } from '../close/pin.ts';
import { PREFIX } from '../contract.ts';
import type { LandedObject, ObjectStore } from '../ports.ts';

export { isS3Url };

/** Local folder for copies and temporary files of a warehouse in a bucket: below KASHI_WORK, else the user's cache folder. */
export function workDirectoryOf(url: string): string {
  const { bucket, prefix } = parseS3Place(url);
  const root = process.env.KASHI_WORK ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'kashi');
  const hash = createHash('sha256').update(`${bucket}/${prefix}`).digest('hex').slice(0, 12);
  return resolve(root, `${bucket}-${hash}`);
}

/** The store of a bucket; the SDK is loaded by the first call. Errors: KashiError usage for a URL that is none. */
export function bucketStore(url: string, workDirectory: string): ObjectStore {
  const place = parseS3Place(url);
  let opened: Promise<ObjectStore> | null = null;
  const open = (): Promise<ObjectStore> => {
    opened ??= import('../adapters/store-s3.ts').then(({ s3Store }) => s3Store({ ...place, workDirectory }));
    return opened;
  };
  return {
    putIfAbsent: async (key, body) => (await open()).putIfAbsent(key, body),
    get: async (key) => (await open()).get(key),
    head: async (key) => (await open()).head(key),
    async *list(prefix, after) {
      yield* (await open()).list(prefix, after);
    },
    delete: async (key) => (await open()).delete(key),
    localFile: async (key) => (await open()).localFile(key),
  };
}

/** Objects at `url`, which names one object or the beginning of keys; names are relative to `landing` when it is above them, else to `url`. */
export async function* landedInBucket(url: string, landing: string): AsyncGenerator<LandedObject> {
  const { s3Landing } = await import('../adapters/landing-s3.ts');
  const { bucket, prefix } = parseS3Place(url);
  const above = isS3Url(landing) ? parseS3Place(landing) : null;
  const root = above !== null && above.bucket === bucket && prefix.startsWith(above.prefix) ? above.prefix : prefix;
  const places = s3Landing({ bucket, root });
  try {
    const key = prefix.replace(/\/$/, '');
    const single = url.endsWith('/') || key === '' ? null : await places.object(key);
    if (single !== null) yield single.name === '' ? { ...single, name: key.slice(key.lastIndexOf('/') + 1) } : single;
    else yield* places.list(prefix);
  } finally {
    places.close();
  }
}

/** Everything that a month's verification reads, copied to a folder of its own, so that it can run where there is no network. The caller removes it. */
export async function mirrorMonth(store: ObjectStore, workDirectory: string, period: string): Promise<string> {
  const directory = join(workDirectory, `verify-${randomUUID()}`);
  const mirror = localStore(directory);
  try {
    const { snapshots, segments, commits, config, closes, bills, objects, orders, waivers } = PREFIX;
    for (const prefix of [snapshots, segments, commits, config, closes, bills, objects, orders, waivers]) {
      for await (const { key } of store.list(prefix)) {
        const bytes = await store.get(key);
        if (bytes !== null) await mirror.putIfAbsent(key, bytes);
      }
    }
    const pinned = await readPin(store, period);
    if (pinned === null) return directory;
    const { files, corrections } = await resolvePin(store, pinned.pin, null);
    const all = [files, ...corrections.flatMap(({ stages }) => stages.map((stage) => stage.files))].flat();
    for (const key of new Set(all.map((file) => file.key))) {
      // A file that is missing is for the verification to name.
      if ((await store.head(key)) !== null) await mirror.putIfAbsent(key, { file: await store.localFile(key) });
    }
    return directory;
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
}

/** Null for a warehouse in a folder; else whether the probe could be removed. Errors: KashiError store_unsuitable. */
export async function checkBucket({
  store,
  warehousePlace,
}: {
  readonly store: ObjectStore;
  readonly warehousePlace: string;
}): Promise<boolean | null> {
  return isS3Url(warehousePlace) ? (await checkBucketStore(store, warehousePlace)).tidied : null;
}
