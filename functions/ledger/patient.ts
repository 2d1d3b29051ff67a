/** Store operations that may be repeated without harm are repeated; the one that decides something (a commit, a snapshot) is not in this file. */
import { type ObjectBody, type ObjectInfo, type ObjectStore, TransientStoreError } from '../ports.ts';

/** Tries of one operation. Waiting between tries is the adapter's matter: it knows its service. */
export const TRIES = 8;

/** The same store, whose reads and listings try again after a TransientStoreError. A listing goes on after the last key it gave. */
export function patientReads(store: ObjectStore, tries: number = TRIES): ObjectStore {
  return {
    putIfAbsent: (key, body) => store.putIfAbsent(key, body),
    get: (key) => tried(() => store.get(key), tries),
    head: (key) => tried(() => store.head(key), tries),
    list: (prefix, after) => listPatiently(store, prefix, after, tries),
    delete: (key) => tried(() => store.delete(key), tries),
    localFile: (key) => tried(() => store.localFile(key), tries),
  };
}

/** Puts an object of which it does not matter who wrote it: same key, same meaning. Errors: TransientStoreError when every try was lost. */
export async function putAnyhow(store: ObjectStore, key: string, body: ObjectBody, tries: number = TRIES): Promise<'created' | 'exists'> {
  return await tried(() => store.putIfAbsent(key, body), tries);
}

/** Results in the order of the items, with at most `limit` under way at once. Errors: the first failure; no further item is begun. */
export async function mapConcurrently<Item, Result>(
  items: readonly Item[],
  limit: number,
  act: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results = new Array<Result>(items.length);
  let next = 0;
  let failed = false;
  async function work(): Promise<void> {
    while (next < items.length && !failed) {
      const place = next;
      next += 1;
      try {
        results[place] = await act(items[place]!);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, work));
  return results;
}

async function tried<T>(act: () => Promise<T>, tries: number): Promise<T> {
  for (let left = tries; ; left -= 1) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof TransientStoreError) || left <= 1) throw error;
    }
  }
}

async function* listPatiently(store: ObjectStore, prefix: string, after: string | undefined, tries: number): AsyncIterable<ObjectInfo> {
  let last = after;
  for (let left = tries; ; left -= 1) {
    try {
      for await (const info of store.list(prefix, last)) {
        last = info.key;
        left = tries;
        yield info;
      }
      return;
    } catch (error) {
      if (!(error instanceof TransientStoreError) || left <= 1) throw error;
    }
  }
}
