/** The append-only log: many writers, a store that loses answers, and bytes that somebody changed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryStore } from '../../functions/adapters/store-memory.ts';
import { appendDecided, readLog } from '../../functions/distribution/event-log.ts';
import { KashiError } from '../../functions/domain/errors.ts';
import { seal } from '../../functions/ledger/sealed.ts';
import { type ObjectStore, TransientStoreError } from '../../functions/ports.ts';

const clock = { now: () => 1_795_161_600_000 };
interface Event {
  readonly writer: number;
  readonly count: number;
}

test('eight writers at once: every entry is there once, in one chain without a hole', async () => {
  const store = memoryStore();
  const write = async (writer: number): Promise<void> => {
    for (let count = 0; count < 10; count += 1) await appendDecided<Event>(store, clock, 'models/m/', () => ({ writer, count }));
  };
  await Promise.all(Array.from({ length: 8 }, (_item, writer) => write(writer)));
  const { entries } = await readLog<Event>(store, 'models/m/');
  assert.deepEqual(
    entries.map(({ n }) => n),
    Array.from({ length: 80 }, (_item, index) => index + 1),
  );
  for (let writer = 0; writer < 8; writer += 1)
    assert.deepEqual(
      entries.flatMap(({ event }) => (event.writer === writer ? [event.count] : [])),
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    );
});

test('a decision is taken on the log as it stands: of eight who want to be first, one is', async () => {
  const store = memoryStore();
  const outcomes = await Promise.all(
    Array.from({ length: 8 }, (_item, writer) =>
      appendDecided<Event>(store, clock, 'models/m/', (entries) => (entries.length === 0 ? { writer, count: 0 } : null)),
    ),
  );
  assert.equal(outcomes.filter((entry) => entry !== null).length, 1);
  assert.equal((await readLog(store, 'models/m/')).entries.length, 1);
});

test('a store that loses every other answer, after writing or before: no entry twice, none lost', async () => {
  const inner = memoryStore();
  let calls = 0;
  const store: ObjectStore = {
    ...inner,
    get: (key) => inner.get(key),
    list: (prefix, after) => inner.list(prefix, after),
    putIfAbsent: async (key, body) => {
      calls += 1;
      if (calls % 3 === 0) throw new TransientStoreError('lost before');
      const outcome = await inner.putIfAbsent(key, body);
      if (calls % 2 === 0) throw new TransientStoreError('lost after');
      return outcome;
    },
  };
  for (let count = 0; count < 20; count += 1) await appendDecided<Event>(store, clock, 'models/m/', () => ({ writer: 0, count }));
  assert.deepEqual(
    (await readLog<Event>(inner, 'models/m/')).entries.map(({ event }) => event.count),
    Array.from({ length: 20 }, (_item, index) => index),
  );
});

test('an entry that was written by hand, with a right checksum and a wrong place in the chain, is refused', async () => {
  const store = memoryStore();
  await appendDecided<Event>(store, clock, 'models/m/', () => ({ writer: 0, count: 0 }));
  await store.putIfAbsent('models/m/0000000002.json', seal({ n: 2, at_ms: 0, previous: 'f'.repeat(64), event: { writer: 9, count: 9 } }));
  await assert.rejects(readLog(store, 'models/m/'), (error) => error instanceof KashiError && error.code === 'store_corrupt');
});
