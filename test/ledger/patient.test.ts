import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mapConcurrently, patientReads, putAnyhow } from '../../functions/ledger/patient.ts';
import { TransientStoreError } from '../../functions/ports.ts';
import { faultyStore } from './faulty-store.ts';
import { newStore, readAll } from './records.ts';

async function storeOf(count: number) {
  const store = newStore();
  for (let place = 0; place < count; place += 1) await store.putIfAbsent(`k${String(place).padStart(3, '0')}`, new Uint8Array(place));
  return store;
}

test('a listing that breaks after every key goes on where it was: each key once, in order', async () => {
  const inner = await storeOf(30);
  // Each listing gives one key and breaks: far more failures than tries, but never one without progress.
  const store = faultyStore(inner, () => 'lost');
  assert.deepEqual(await readAll(patientReads(store, 3).list('k')), await readAll(inner.list('k')));
  assert.deepEqual(await readAll(patientReads(store, 3).list('k', 'k027')), await readAll(inner.list('k', 'k027')));
});

test('reads are tried as often as told, then the error is the caller’s', async () => {
  const inner = await storeOf(2);
  for (const operation of ['get', 'head'] as const) {
    const lucky = faultyStore(inner, (call) => (call < 3 ? 'lost' : null));
    assert.notEqual(await patientReads(lucky, 3)[operation]('k001'), null);
    const unlucky = faultyStore(inner, (call) => (call < 4 ? 'lost' : null));
    await assert.rejects(patientReads(unlucky, 3)[operation]('k001'), TransientStoreError);
    assert.equal(unlucky.calls(), 3);
  }
});

test('another error is not tried again', async () => {
  let calls = 0;
  const store = {
    ...newStore(),
    get: async () => {
      calls += 1;
      throw new RangeError('no');
    },
  };
  await assert.rejects(patientReads(store).get('k'), RangeError);
  assert.equal(calls, 1);
});

test('a put that decides is never repeated; a put of which the writer does not matter is', async () => {
  const store = faultyStore(newStore(), (call) => (call === 1 ? 'landed' : null));
  await assert.rejects(patientReads(store).putIfAbsent('k', new Uint8Array(1)), TransientStoreError);
  assert.equal(
    await putAnyhow(
      faultyStore(newStore(), (call) => (call === 1 ? 'landed' : null)),
      'k',
      new Uint8Array(1),
    ),
    'exists',
  );
});

test('mapConcurrently: results in order, never more than the limit, nothing begun after a failure', async () => {
  let running = 0;
  let most = 0;
  const act = async (item: number) => {
    running += 1;
    most = Math.max(most, running);
    for (let turn = 0; turn < (item * 7) % 5; turn += 1) await null;
    running -= 1;
    return item * 2;
  };
  const items = Array.from({ length: 50 }, (_, place) => place);
  assert.deepEqual(
    await mapConcurrently(items, 4, act),
    items.map((item) => item * 2),
  );
  assert.equal(most, 4);
  assert.deepEqual(await mapConcurrently([], 4, act), []);

  const begun: number[] = [];
  const failing = async (item: number) => {
    begun.push(item);
    await null;
    if (item === 3) throw new RangeError('3');
  };
  await assert.rejects(mapConcurrently(items, 4, failing), RangeError);
  for (let turn = 0; turn < 20; turn += 1) await null;
  assert.ok(begun.length < 12, `${begun.length} begun`);
});
