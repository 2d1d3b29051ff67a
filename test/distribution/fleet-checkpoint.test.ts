/** Opening the fleet's log from a checkpoint: the state is the one that the whole log leads to, and a damaged checkpoint is passed over. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryStore } from '../../functions/adapters/store-memory.ts';
import { EMPTY_FLEET, type Fleet } from '../../functions/distribution/fleet.ts';
import { CHECKPOINT_EVERY, type Checkpoint } from '../../functions/distribution/fleet-checkpoint.ts';
import { FleetLog, fleetEvents } from '../../functions/distribution/fleet-log.ts';
import { apply } from '../../functions/distribution/reducer.ts';
import { seal, unseal } from '../../functions/ledger/sealed.ts';
import type { ObjectStore } from '../../functions/ports.ts';
import { PLAN, Story } from './fleet-cases.ts';

const EDGES = Array.from({ length: 6 }, (_, index) => `edge-${index}`);

/** A log somewhat longer than two checkpoints. */
async function longLog(): Promise<{ store: ObjectStore; log: FleetLog }> {
  const story = new Story(EDGES);
  for (let n = 0; story.events.length < 3.2 * CHECKPOINT_EVERY; n += 1) {
    story.promote(`v${n}`, PLAN);
    story.through(`v${n}`, EDGES);
  }
  const store = memoryStore();
  const log = await FleetLog.open(store);
  for (const event of story.events) await log.record(event);
  return { store, log };
}

async function folded(store: ObjectStore): Promise<Fleet> {
  let state = EMPTY_FLEET;
  for await (const event of fleetEvents(store)) state = apply(state, event);
  return state;
}

async function keysBelow(store: ObjectStore, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys;
}

/** The same store, with what was read in it written down, and some keys answered otherwise. */
function watched(store: ObjectStore, read: string[], otherwise: ReadonlyMap<string, Uint8Array> = new Map()): ObjectStore {
  return {
    ...{ putIfAbsent: store.putIfAbsent.bind(store), head: store.head.bind(store), list: store.list.bind(store) },
    ...{ delete: store.delete.bind(store), localFile: store.localFile.bind(store) },
    get: async (key) => {
      read.push(key);
      return otherwise.get(key) ?? (await store.get(key));
    },
  };
}

test('whoever opens the log reads what is behind the newest', async () => {
  const { store, log } = await longLog();
  const kept = await keysBelow(store, 'fleet/checkpoints/');
  assert.deepEqual(
    kept.map((key) => Number(key.slice(-15, -5))),
    [1, 2, 3].map((count) => count * CHECKPOINT_EVERY),
  );
  const read: string[] = [];
  const opened = await FleetLog.open(watched(store, read));
  assert.equal(opened.length, log.length);
  assert.deepEqual(opened.state, log.state);
  assert.deepEqual(opened.state, await folded(store));
  // The checkpoint, the entry that it stands on, what is behind it, and the end of the log.
  assert.equal(read.length, 2 + (log.length - 3 * CHECKPOINT_EVERY) + 1);
});

test('one that is damaged, lies in the place of another, or is of another log is passed over', async () => {
  const { store, log } = await longLog();
  const keys = await keysBelow(store, 'fleet/checkpoints/');
  const [oldest = '', older = '', newest = ''] = keys;
  const bytes = (await store.get(newest)) ?? new Uint8Array();
  const flipped = Uint8Array.from(bytes, (byte, index) => (index === 100 ? byte ^ 1 : byte));
  const { position, state } = unseal(bytes, newest) as Checkpoint;
  const strange = seal({ position: { ...position, head: 'a'.repeat(64) }, state: { ...state, frozen: ['everything'] } });
  for (const changed of [flipped, (await store.get(older)) ?? new Uint8Array(), strange, new Uint8Array()]) {
    const read: string[] = [];
    const opened = await FleetLog.open(watched(store, read, new Map([[newest, changed]])));
    assert.deepEqual(opened.state, log.state);
    assert.ok(read.includes(older) && !read.includes(oldest));
  }
  const none = new Map(keys.map((key) => [key, new Uint8Array()]));
  assert.deepEqual((await FleetLog.open(watched(store, [], none))).state, log.state);
});
