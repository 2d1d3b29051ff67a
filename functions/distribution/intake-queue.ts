/**
 * Hooks that were accepted: one object each, whose creation is the nonce, the acceptance and the place in the queue at once. What happened to it
 * lies beside it. Nothing is deleted, so a delivery that comes again, however late, is known.
 */
import { PREFIX } from '../contract.ts';
import { sha256Hex } from '../domain/canonical-json.ts';
import { KashiError } from '../domain/errors.ts';
import { putAnyhow } from '../ledger/patient.ts';
import { corrupt, seal, unseal } from '../ledger/sealed.ts';
import type { Clock, ObjectStore } from '../ports.ts';
import type { ExternalPointer } from './hook-events.ts';

export interface AcceptedHook {
  readonly endpoint: string;
  readonly delivery_id: string;
  readonly body_sha256: string;
  readonly type: string;
  readonly pointers: readonly ExternalPointer[];
  readonly received_at_ms: number;
}

export interface Attempt {
  readonly at_ms: number;
  /** Null: it is done. */
  readonly error: string | null;
}

export interface QueuedHook extends AcceptedHook {
  /** Names it for people: the beginning of its key. */
  readonly id: string;
  readonly state: 'waiting' | 'done' | 'dead';
  /** Since it was accepted or replayed last. */
  readonly attempts: readonly Attempt[];
  readonly replays: number;
  /** When it may be tried again; 0 for now. */
  readonly due_at_ms: number;
}

/** Waits after each failed attempt; after the last one the hook is dead until somebody replays it. */
export const RETRY_MS: readonly number[] = [1_000, 5_000, 30_000, 120_000, 600_000, 3_600_000, 24 * 3_600_000];

/** Digits of the digest that name a hook. */
const ID_DIGITS = 32;

function stemOf(endpoint: string, deliveryId: string): string {
  return `${PREFIX.hooks}${endpoint}/${sha256Hex(deliveryId).slice(0, ID_DIGITS)}`;
}

/** accepted: it is in the queue. duplicate: it was before. conflict: the id was used for another body. Errors: TransientStoreError. */
export async function accept(store: ObjectStore, hook: AcceptedHook): Promise<'accepted' | 'duplicate' | 'conflict'> {
  const key = `${stemOf(hook.endpoint, hook.delivery_id)}.json`;
  if ((await putAnyhow(store, key, seal(hook))) === 'created') return 'accepted';
  const bytes = await store.get(key);
  if (bytes === null) throw corrupt(key, 'it is gone');
  return (unseal(bytes, key) as AcceptedHook).body_sha256 === hook.body_sha256 ? 'duplicate' : 'conflict';
}

interface Mark {
  readonly kind: 'attempt' | 'replay';
  readonly at_ms: number;
  readonly error: string | null;
}

/** Every hook with what happened to it, in key order. */
export async function readQueue(store: ObjectStore): Promise<QueuedHook[]> {
  const hooks = new Map<string, { hook: AcceptedHook; marks: Mark[] }>();
  for await (const { key } of store.list(PREFIX.hooks)) {
    const [, stem = '', mark] = /^(.+?)(?:\.(\d{4}))?\.json$/.exec(key) ?? [];
    const bytes = await store.get(key);
    if (bytes === null) throw corrupt(key, 'it is gone');
    const body = unseal(bytes, key);
    const known = hooks.get(stem);
    // A hook sorts behind its marks: '.0001.json' before '.json'.
    if (mark === undefined) hooks.set(stem, { hook: body as AcceptedHook, marks: known?.marks ?? [] });
    else hooks.set(stem, { hook: known?.hook as AcceptedHook, marks: [...(known?.marks ?? []), body as Mark] });
  }
  return [...hooks].map(([stem, { hook, marks }]) => queued(stem, hook, marks));
}

function queued(stem: string, hook: AcceptedHook, marks: readonly Mark[]): QueuedHook {
  const since = marks.slice(marks.findLastIndex(({ kind }) => kind === 'replay') + 1);
  const attempts = since.map(({ at_ms, error }) => ({ at_ms, error }));
  const last = attempts.at(-1);
  const done = last?.error === null;
  const wait = RETRY_MS[attempts.length - 1];
  const state = done ? 'done' : attempts.length > 0 && wait === undefined ? 'dead' : 'waiting';
  const due_at_ms = last === undefined || wait === undefined ? 0 : last.at_ms + wait;
  const replays = marks.filter(({ kind }) => kind === 'replay').length;
  return { ...hook, id: stem.slice(PREFIX.hooks.length), state, attempts, replays, due_at_ms };
}

/** Writes what happened under the next number. Of two workers at the same time both may have worked: what they do is idempotent. */
async function mark(store: ObjectStore, id: string, written: Mark): Promise<void> {
  for (let n = 1; n < 10_000; n += 1) {
    const key = `${PREFIX.hooks}${id}.${String(n).padStart(4, '0')}.json`;
    if ((await store.head(key)) === null && (await putAnyhow(store, key, seal(written))) === 'created') return;
  }
  throw new KashiError('conflict', 'a hook was tried too often', { where: id });
}

/** Works off what is due, oldest first; a failure of one is its own. `act` must be idempotent. Returns the hooks it worked on, as they are now. */
export async function drain(store: ObjectStore, clock: Clock, act: (hook: AcceptedHook) => Promise<void>): Promise<QueuedHook[]> {
  const due = (await readQueue(store)).filter(({ state, due_at_ms }) => state === 'waiting' && due_at_ms <= clock.now());
  due.sort((left, right) => left.received_at_ms - right.received_at_ms);
  for (const hook of due) {
    const error = await act(hook).then(
      () => null,
      (failure: unknown) => reasonOf(failure),
    );
    await mark(store, hook.id, { kind: 'attempt', at_ms: clock.now(), error });
  }
  const worked = new Set(due.map(({ id }) => id));
  return (await readQueue(store)).filter(({ id }) => worked.has(id));
}

function reasonOf(failure: unknown): string {
  return failure instanceof KashiError ? failure.toLines().join('; ') : failure instanceof Error ? failure.message : String(failure);
}

/** Puts a hook, dead, done or waiting, back into the queue. Errors: KashiError not_found. */
export async function replay(store: ObjectStore, clock: Clock, id: string): Promise<QueuedHook> {
  const find = async (): Promise<QueuedHook | undefined> => (await readQueue(store)).find((hook) => hook.id === id);
  if ((await find()) === undefined) throw new KashiError('not_found', 'there is no such hook', { found: id, hint: 'kashi hooks list' });
  await mark(store, id, { kind: 'replay', at_ms: clock.now(), error: null });
  return (await find()) as QueuedHook;
}

/** One line a hook, for a list. */
export function hookLine(hook: QueuedHook): readonly string[] {
  const last = hook.attempts.at(-1);
  const about = hook.pointers.map(({ model, version }) => `${model}:${version}`).join(' ');
  return [hook.id, hook.state, hook.type, about, String(hook.attempts.length), last?.error ?? ''];
}
