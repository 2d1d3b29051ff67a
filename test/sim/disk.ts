/** What is stored, whoever asks: objects by key with the instant of their writing. Synchronous, so that one effect is one step. */
import { checkDeletable, checkKey, checkPrefix } from '../../functions/adapters/object-key.ts';
import type { ObjectInfo, ObjectStore } from '../../functions/ports.ts';

export interface Stored {
  readonly bytes: Uint8Array;
  readonly atMs: number;
}

export interface DiskWitness {
  created(key: string, bytes: Uint8Array): void;
  deleted(key: string): void;
}

export class Disk {
  private readonly objects = new Map<string, Stored>();
  /** In order of code units. */
  private readonly keys: string[] = [];
  private readonly now: () => number;
  witness: DiskWitness | null = null;

  constructor(now: () => number) {
    this.now = now;
  }

  putIfAbsent(key: string, bytes: Uint8Array): 'created' | 'exists' {
    checkKey(key);
    if (this.objects.has(key)) return 'exists';
    this.keys.splice(this.placeOf(key), 0, key);
    this.objects.set(key, { bytes, atMs: this.now() });
    this.witness?.created(key, bytes);
    return 'created';
  }

  /** A plain put, which a store of kashi does not have. */
  overwrite(key: string, bytes: Uint8Array): void {
    if (this.putIfAbsent(key, bytes) === 'created') return;
    this.objects.set(key, { bytes, atMs: this.now() });
    this.witness?.created(key, bytes);
  }

  get(key: string): Uint8Array | null {
    checkKey(key);
    return this.objects.get(key)?.bytes ?? null;
  }

  head(key: string): ObjectInfo | null {
    const stored = this.objects.get(key);
    return stored === undefined ? null : { key, bytes: stored.bytes.length, lastModifiedMs: stored.atMs };
  }

  /** The first `limit` keys with the prefix, strictly after `after`. */
  page(prefix: string, after: string | undefined, limit: number): ObjectInfo[] {
    checkPrefix(prefix);
    const found: ObjectInfo[] = [];
    const start = after !== undefined && after >= prefix ? this.placeOf(`${after}\0`) : this.placeOf(prefix);
    for (let place = start; place < this.keys.length && found.length < limit; place += 1) {
      const key = this.keys[place]!;
      if (!key.startsWith(prefix)) break;
      found.push(this.head(key)!);
    }
    return found;
  }

  delete(key: string): void {
    checkDeletable(key);
    if (!this.objects.delete(key)) return;
    this.keys.splice(this.placeOf(key), 1);
    this.witness?.deleted(key);
  }

  /** The store on a good day: nothing waits, nothing fails. `bodyOf` finds the bytes of a file. */
  plain(bodyOf: (file: string) => Uint8Array): ObjectStore {
    const page = (prefix: string, after?: string): ObjectInfo[] => this.page(prefix, after, Number.POSITIVE_INFINITY);
    return {
      putIfAbsent: async (key, body) => this.putIfAbsent(key, body instanceof Uint8Array ? body : bodyOf(body.file)),
      get: async (key) => this.get(key),
      head: async (key) => this.head(key),
      async *list(prefix, after) {
        yield* page(prefix, after);
      },
      delete: async (key) => this.delete(key),
      localFile: async () => {
        throw new Error('the simulated store has no local files');
      },
    };
  }

  private placeOf(key: string): number {
    let low = 0;
    let high = this.keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.keys[middle]! < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
