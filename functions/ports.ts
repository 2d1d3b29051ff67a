/** What the outside world must offer. Stages take these as arguments; only adapters implement them. */

export interface ObjectInfo {
  readonly key: string;
  readonly bytes: number;
}

/** Bytes in memory, or a finished local file that the store may take over (link or upload), never change. */
export type ObjectBody = Uint8Array | { readonly file: string };

/**
 * Immutable objects under string keys: the whole storage of kashi (RELIABILITY 2.1).
 * All reads and lists are strongly consistent. `delete` is for the collector and for `data/` only.
 */
export interface ObjectStore {
  /** Atomic create. 'exists' leaves the stored bytes untouched. Errors: TransientStoreError on an unknown outcome. */
  putIfAbsent(key: string, body: ObjectBody): Promise<'created' | 'exists'>;
  /** Whole object, or null when absent. */
  get(key: string): Promise<Uint8Array | null>;
  head(key: string): Promise<ObjectInfo | null>;
  /** Keys with the prefix, sorted by code unit, all strictly greater than `after` when given. */
  list(prefix: string, after?: string): AsyncIterable<ObjectInfo>;
  delete(key: string): Promise<void>;
  /** A local path holding exactly the object's bytes (in place, or downloaded). Errors: KashiError store_corrupt when absent. */
  localFile(key: string): Promise<string>;
}

/** The write may or may not have happened: read the key back before deciding (RELIABILITY 2.1). */
export class TransientStoreError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TransientStoreError';
  }
}

export type SqlValue = string | number | bigint | boolean | null;

export interface QueryColumn {
  readonly name: string;
  /** The engine's type name, such as DECIMAL(38,2). */
  readonly type: string;
}

/** Rows as text: decimals, bigints and timestamps keep every digit; null stays null. */
export interface QueryResult {
  readonly columns: readonly QueryColumn[];
  readonly rows: readonly (readonly (string | null)[])[];
}

/** An engine that answers SQL over the tables it was given. */
export interface Warehouse {
  /** Runs one statement that returns rows; `parameters` are bound, never pasted. */
  query(sql: string, parameters?: readonly SqlValue[]): Promise<QueryResult>;
  /** Defines a model: `sql` is one plain select. */
  define(name: string, sql: string, how: 'view' | 'table'): Promise<void>;
  close(): Promise<void>;
}

export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
}

export interface Progress {
  /** `done` and `total` in the same unit (bytes or rows); total null when unknown. */
  update(done: number, total: number | null, label: string): void;
  finish(): void;
}
