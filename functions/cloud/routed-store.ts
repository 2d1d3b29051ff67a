/** One object store over several: each key prefix belongs to one of them. */
import type { ObjectStore } from '../ports.ts';

/** `own` holds keys that begin with one of `prefixes`, `rest` all others. A listing lies wholly in one of the two: prefixes end with '/'. */
export function routedStore(rest: ObjectStore, own: ObjectStore, prefixes: readonly string[]): ObjectStore {
  const of = (key: string): ObjectStore => (prefixes.some((prefix) => key.startsWith(prefix)) ? own : rest);
  return {
    putIfAbsent: (key, body) => of(key).putIfAbsent(key, body),
    get: (key) => of(key).get(key),
    head: (key) => of(key).head(key),
    list: (prefix, after) => of(prefix).list(prefix, after),
    delete: (key) => of(key).delete(key),
    localFile: (key) => of(key).localFile(key),
  };
}
