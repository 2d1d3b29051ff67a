/**
 * An append-only log in the object store: one object an entry, numbered without a hole, each naming the one before by hash. Of two writers
 * at the same time one gets the number; the other decides again on the longer log. No database, no lock.
 */
import { canonicalJson, sha256Hex } from '../domain/canonical-json.ts';
import { assert } from '../domain/errors.ts';
import { patientReads, TRIES } from '../ledger/patient.ts';
import { corrupt, seal, unseal } from '../ledger/sealed.ts';
import { type Clock, type ObjectStore, TransientStoreError } from '../ports.ts';

export interface LogEntry<Event> {
  /** Counted from 1. */
  readonly n: number;
  readonly at_ms: number;
  /** SHA-256 of the stored bytes of the entry before; null for the first. */
  readonly previous: string | null;
  readonly event: Event;
}

export interface StoredLog<Event> {
  readonly entries: readonly LogEntry<Event>[];
  /** SHA-256 of the last entry's bytes; null for an empty log. */
  readonly head: string | null;
}

const DIGITS = 10;

/** Example: ('models/a/', 12) → 'models/a/0000000012.json'. */
function entryKey(prefix: string, n: number): string {
  assert(prefix.endsWith('/') && Number.isSafeInteger(n) && n >= 1 && n < 10 ** DIGITS, `log entry ${prefix} ${n}`);
  return `${prefix}${String(n).padStart(DIGITS, '0')}.json`;
}

/** All entries of the log under a prefix, oldest first. Errors: KashiError store_corrupt for a gap, a changed byte or a broken chain. */
export async function readLog<Event>(store: ObjectStore, prefix: string): Promise<StoredLog<Event>> {
  const patient = patientReads(store);
  const entries: LogEntry<Event>[] = [];
  let head: string | null = null;
  for await (const { key } of patient.list(prefix)) {
    const n: number = entries.length + 1;
    if (key !== entryKey(prefix, n)) throw corrupt(key, `entry ${n} was expected here`);
    const bytes = await patient.get(key);
    if (bytes === null) throw corrupt(key, 'it is gone');
    const entry = unseal(bytes, key) as LogEntry<Event>;
    if (entry.n !== n || entry.previous !== head) throw corrupt(key, 'it does not follow the entry before');
    entries.push(entry);
    head = sha256Hex(bytes);
  }
  return { entries, head };
}

/**
 * Appends what `decide` makes of the log as it stands; null appends nothing. `decide` may run again when another writer was faster, so it
 * has no effects. Returns the new entry, or null. Errors: whatever `decide` throws; TransientStoreError when the store stays unreachable.
 */
export async function appendDecided<Event>(
  store: ObjectStore,
  clock: Clock,
  prefix: string,
  decide: (entries: readonly LogEntry<Event>[]) => Event | null,
): Promise<LogEntry<Event> | null> {
  for (;;) {
    const { entries, head } = await readLog<Event>(store, prefix);
    const event = decide(entries);
    if (event === null) return null;
    const entry: LogEntry<Event> = { n: entries.length + 1, at_ms: clock.now(), previous: head, event };
    if (await takes(store, entryKey(prefix, entry.n), seal(entry))) return entry;
  }
}

/** How far a log was read. */
export interface LogPosition {
  readonly n: number;
  readonly head: string | null;
}

export const LOG_START: LogPosition = { n: 0, head: null };

/** The entry behind a position, and the position behind it; null at the end of the log. Errors: as readLog. */
export async function readNext<Event>(
  store: ObjectStore,
  prefix: string,
  { n, head }: LogPosition,
): Promise<{ readonly entry: LogEntry<Event>; readonly position: LogPosition } | null> {
  const key = entryKey(prefix, n + 1);
  const bytes = await patientReads(store).get(key);
  if (bytes === null) return null;
  const entry = unseal(bytes, key) as LogEntry<Event>;
  if (entry.n !== n + 1 || entry.previous !== head) throw corrupt(key, 'it does not follow the entry before');
  return { entry, position: { n: n + 1, head: sha256Hex(bytes) } };
}

/** Whether the log has, at that position, the entry whose hash it names. */
export async function standsAt(store: ObjectStore, prefix: string, { n, head }: LogPosition): Promise<boolean> {
  const bytes = n === 0 ? null : await patientReads(store).get(entryKey(prefix, n));
  return bytes === null ? head === null && n === 0 : sha256Hex(bytes) === head;
}

/** Appends right behind a position; null when another writer was there first. Errors: TransientStoreError when the store stays unreachable. */
export async function appendAt<Event>(
  store: ObjectStore,
  prefix: string,
  { n, head }: LogPosition,
  atMs: number,
  event: Event,
): Promise<LogPosition | null> {
  const bytes = seal({ n: n + 1, at_ms: atMs, previous: head, event });
  return (await takes(store, entryKey(prefix, n + 1), bytes)) ? { n: n + 1, head: sha256Hex(bytes) } : null;
}

/** True when the bytes stand under the key, also when an answer was lost on the way. */
async function takes(store: ObjectStore, key: string, bytes: Uint8Array): Promise<boolean> {
  for (let left = TRIES; ; left -= 1) {
    try {
      if ((await store.putIfAbsent(key, bytes)) === 'created') return true;
      // Perhaps an earlier try of this very entry.
      return Buffer.from((await store.get(key)) ?? []).equals(bytes);
    } catch (error) {
      if (!(error instanceof TransientStoreError) || left <= 1) throw error;
    }
  }
}

/** Name of a decision by its content, for idempotency keys. Example: ['promote', 'a', 'v1'] → 64 hex digits. */
export function decisionKey(parts: readonly (string | number)[]): string {
  return sha256Hex(canonicalJson(parts));
}
