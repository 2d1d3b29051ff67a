import assert from 'node:assert/strict';
import { test } from 'node:test';
import { markSeen } from '../../functions/ledger/commit.ts';
import type { LandedName } from '../../functions/ledger/keys.ts';
import { reconcile } from '../../functions/ledger/reconcile.ts';
import type { ObjectStore } from '../../functions/ports.ts';
import { faultyStore } from './faulty-store.ts';
import { cidOf, LANDED_AT_MS, newStore, readAll } from './records.ts';

const DAY_MS = 86_400_000;
const landed = (name: string, bytes = 10, lastModifiedMs = LANDED_AT_MS): LandedName => ({ name, bytes, lastModifiedMs });

async function* listing(objects: readonly LandedName[]): AsyncGenerator<LandedName> {
  yield* objects;
}

const missing = async (store: ObjectStore, objects: readonly LandedName[]) => await readAll(reconcile(store, listing(objects)));

test('everything is missing in a new warehouse, and nothing once all is noted', async () => {
  const store = newStore();
  const objects = [landed('b'), landed('a'), landed('c', 10, LANDED_AT_MS - 40 * DAY_MS)];
  assert.deepEqual(await missing(store, objects), objects);
  for (const object of objects) await markSeen(store, object, cidOf('x'));
  assert.deepEqual(await missing(store, objects), []);
  assert.deepEqual(await missing(store, []), []);
});

test('another name, size or instant is another object', async () => {
  const store = newStore();
  await markSeen(store, landed('a'), cidOf('a'));
  const others = [
    landed('A'),
    landed('a', 11),
    landed('a', 10, LANDED_AT_MS + 1),
    landed('a', 10, LANDED_AT_MS - DAY_MS),
    landed('a|10', 10),
  ];
  assert.deepEqual(await missing(store, [others[0]!, landed('a'), ...others.slice(1)]), others);
});

test('what was given goes on, with whatever else it carries', async () => {
  const object = { ...landed('a'), open: 'as it was' };
  const [found] = await readAll(
    reconcile(
      newStore(),
      (async function* () {
        yield object;
      })(),
    ),
  );
  assert.equal(found, object);
});

test('each landed day is listed once, however the days are mixed; a failing listing is tried again', async () => {
  const inner = newStore();
  const objects = Array.from({ length: 40 }, (_, place) => landed(`o${place}`, 1, LANDED_AT_MS + (place % 3) * DAY_MS));
  for (const object of objects.slice(0, 30)) await markSeen(inner, object, cidOf(object.name));
  const counting = faultyStore(inner, () => null);
  assert.deepEqual(await missing(counting, objects), objects.slice(30));
  assert.equal(counting.calls(), 3);
  assert.deepEqual(
    await missing(
      faultyStore(inner, (call) => (call % 2 === 1 ? 'lost' : null)),
      objects,
    ),
    objects.slice(30),
  );
});
