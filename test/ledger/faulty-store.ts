/** A store on a bad day: operations fail before or after they took effect, or take effect late. */
import { type ObjectBody, type ObjectStore, TransientStoreError } from '../../functions/ports.ts';

/** lost: no effect. landed: the effect, but no answer. late: the effect comes just before the next put of the same key. */
export type Fault = 'lost' | 'landed' | 'late';
export type Operation = 'put' | 'get' | 'head' | 'list' | 'delete';
/** `call` counts all operations from 1. */
export type FaultPlan = (call: number, operation: Operation, key: string) => Fault | null;

export interface FaultyStore extends ObjectStore {
  /** Operations so far. */
  calls(): number;
}

export function faultyStore(inner: ObjectStore, plan: FaultPlan): FaultyStore {
  let calls = 0;
  const late = new Map<string, ObjectBody>();

  async function faced<T>(operation: Operation, key: string, act: () => Promise<T>): Promise<T> {
    calls += 1;
    const fault = plan(calls, operation, key);
    if (fault === 'landed') await act();
    if (fault !== null) throw new TransientStoreError(`${fault}: ${operation} ${key}`);
    return await act();
  }

  return {
    calls: () => calls,
    async putIfAbsent(key, body) {
      const waiting = late.get(key);
      if (waiting !== undefined) await inner.putIfAbsent(key, waiting);
      late.delete(key);
      calls += 1;
      const fault = plan(calls, 'put', key);
      if (fault === 'landed') await inner.putIfAbsent(key, body);
      if (fault === 'late') late.set(key, body);
      if (fault !== null) throw new TransientStoreError(`${fault}: put ${key}`);
      return await inner.putIfAbsent(key, body);
    },
    get: (key) => faced('get', key, () => inner.get(key)),
    head: (key) => faced('head', key, () => inner.head(key)),
    delete: (key) => faced('delete', key, () => inner.delete(key)),
    localFile: (key) => inner.localFile(key),
    async *list(prefix, after) {
      // Breaks in the middle: the first key is given, the rest is not.
      calls += 1;
      const fault = plan(calls, 'list', prefix);
      for await (const info of inner.list(prefix, after)) {
        yield info;
        if (fault !== null) throw new TransientStoreError(`${fault}: list ${prefix}`);
      }
    },
  };
}

/** The same store with other bytes under one key. */
export function tamperedStore(inner: ObjectStore, key: string, bytes: Uint8Array | null): ObjectStore {
  return { ...inner, get: async (asked) => (asked === key ? bytes : await inner.get(asked)) };
}

/** Every operation waits for its turn. */
export function scheduled(inner: ObjectStore, turn: () => Promise<unknown>): ObjectStore {
  return {
    putIfAbsent: (key, body) => turn().then(() => inner.putIfAbsent(key, body)),
    get: (key) => turn().then(() => inner.get(key)),
    head: (key) => turn().then(() => inner.head(key)),
    delete: (key) => turn().then(() => inner.delete(key)),
    localFile: (key) => inner.localFile(key),
    async *list(prefix, after) {
      await turn();
      yield* inner.list(prefix, after);
    },
  };
}
