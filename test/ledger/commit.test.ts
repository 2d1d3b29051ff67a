import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PREFIX } from '../../functions/contract.ts';
import { sha256Hex } from '../../functions/domain/canonical-json.ts';
import { KashiError } from '../../functions/domain/errors.ts';
import { type CommitRecord, commit, contentId, currentGeneration, markSeen, readCommit } from '../../functions/ledger/commit.ts';
import { commitKey, dataKey, parseCommitKey, quarantineKey, seenKey, snapshotKey } from '../../functions/ledger/keys.ts';
import { TransientStoreError } from '../../functions/ports.ts';
import { type Fault, faultyStore } from './faulty-store.ts';
import { CLOCK, cidOf, LANDED_AT_MS, newStore, readAll, recordOf } from './records.ts';

const hasCode = (code: string) => (error: unknown) => error instanceof KashiError && error.code === code;

describe('content id', () => {
  test('is the SHA-256 of source, NUL and bytes, however the bytes are cut', () => {
    const hasher = contentId('kong');
    hasher.update(new TextEncoder().encode('ab'));
    hasher.update(new TextEncoder().encode('c'));
    assert.equal(hasher.digest(), sha256Hex('kong\0abc'));
  });

  test('the same bytes of another source are another content; source and bytes cannot run together', () => {
    assert.notEqual(cidOf('abc', 'kong'), cidOf('abc', 'litellm'));
    assert.notEqual(cidOf('x', 'kon'), cidOf('gx', 'ko'));
  });
});

describe('keys', () => {
  const cid = cidOf('c');
  test('are those of the layout', () => {
    assert.equal(commitKey(cid, 0), `_commits/${cid.slice(0, 2)}/${cid}.g0.json`);
    assert.equal(
      dataKey({ dataset: 'gpu_sample', partition: '2026-10', cid, part: 2, attempt: 'a1' }),
      `data/gpu_sample/p=2026-10/${cid.slice(0, 16)}-2-a1.parquet`,
    );
    assert.equal(
      quarantineKey({ landedDay: '2026-10-05', cid, generation: 1, attempt: 'a1' }),
      `_quarantine/2026-10-05/${cid}.g1-a1.parquet`,
    );
    assert.equal(snapshotKey(12), '_snap/0000000012.json');
    assert.equal(
      seenKey({ name: 'x/y.gz', bytes: 7, lastModifiedMs: LANDED_AT_MS }),
      `_seen/2026-10-05/${sha256Hex(`x/y.gz|7|${LANDED_AT_MS}`)}.json`,
    );
  });

  test('the landed day is the UTC day, to the millisecond', () => {
    const midnight = Date.UTC(2026, 10, 1);
    assert.match(seenKey({ name: 'n', bytes: 1, lastModifiedMs: midnight - 1 }), /^_seen\/2026-10-31\//);
    assert.match(seenKey({ name: 'n', bytes: 1, lastModifiedMs: midnight }), /^_seen\/2026-11-01\//);
  });

  test('a key of a commit reads back; any other is refused', () => {
    assert.deepEqual(parseCommitKey(commitKey(cid, 10)), { cid, generation: 10 });
    for (const key of [
      '_commits/readme.txt',
      `_commits/00/${cid}.g0.json`,
      `${commitKey(cid, 1)}x`,
      commitKey(cid, 1).replace('.g1', '.g01'),
      commitKey(cid, 1).toUpperCase(),
    ]) {
      assert.throws(() => parseCommitKey(key), hasCode('store_corrupt'), key);
    }
  });
});

describe('commit', () => {
  test('a second attempt finds the first, whatever name the content has', async () => {
    const store = newStore();
    const [first, second] = [
      recordOf({ content: 'c', attempt: 'a1' }),
      recordOf({ content: 'c', attempt: 'a2', name: 'sent-again.jsonl' }),
    ];
    assert.deepEqual(await commit(store, first), { outcome: 'created', record: first });
    assert.deepEqual(await commit(store, second), { outcome: 'exists', record: first });
    assert.deepEqual(await readCommit(store, first.cid, 0), first);
    assert.equal((await readAll(store.list(PREFIX.commits))).length, 1);
  });

  test('the same attempt again is created again', async () => {
    const store = newStore();
    await commit(store, recordOf({ content: 'c' }));
    assert.equal((await commit(store, recordOf({ content: 'c' }))).outcome, 'created');
  });

  test('one attempt with two records is a defect', async () => {
    const store = newStore();
    await commit(store, recordOf({ content: 'c', rows: 3 }));
    await assert.rejects(commit(store, recordOf({ content: 'c', rows: 4 })), /committed two records/);
  });

  test('thirty-two workers, one content: one creates, all are told the same record', async () => {
    const store = newStore();
    const results = await Promise.all(
      Array.from({ length: 32 }, (_, worker) => commit(store, recordOf({ content: 'c', attempt: `w${worker}` }))),
    );
    const created = results.filter(({ outcome }) => outcome === 'created');
    assert.equal(created.length, 1);
    for (const { record } of results) assert.equal(record.attempt, created[0]!.record.attempt);
  });

  test('an unknown outcome at any call is settled by reading back', async () => {
    for (const fault of ['lost', 'landed', 'late'] as const satisfies readonly Fault[]) {
      for (let failing = 1; failing <= 5; failing += 1) {
        const inner = newStore();
        const store = faultyStore(inner, (call) => (call <= failing ? fault : null));
        const record = recordOf({ content: 'c' });
        assert.deepEqual(await commit(store, record), { outcome: 'created', record }, `${fault} × ${failing}`);
        assert.deepEqual(await readCommit(inner, record.cid, 0), record);
      }
    }
  });

  test('an unknown outcome with another attempt’s record there is exists', async () => {
    for (const fault of ['lost', 'landed', 'late'] as const) {
      const inner = newStore();
      await commit(inner, recordOf({ content: 'c', attempt: 'first' }));
      const store = faultyStore(inner, (call) => (call === 1 ? fault : null));
      const result = await commit(store, recordOf({ content: 'c', attempt: 'second' }));
      assert.deepEqual([result.outcome, result.record.attempt], ['exists', 'first'], fault);
    }
  });

  test('a store that stays away is an error, after a bounded number of tries', async () => {
    const store = faultyStore(newStore(), (_, operation) => (operation === 'put' ? 'lost' : null));
    await assert.rejects(commit(store, recordOf({ content: 'c' }), { tries: 3 }), TransientStoreError);
    assert.equal(store.calls(), 6, 'three puts, each read back');
  });

  test('an attempt at its deadline must not commit; one millisecond before it may', async () => {
    const record = recordOf({ content: 'c' });
    const store = newStore();
    await assert.rejects(commit(store, record, { deadline: { clock: CLOCK, atMs: CLOCK.now() } }), hasCode('conflict'));
    assert.equal(await readCommit(store, record.cid, 0), null);
    assert.equal((await commit(store, record, { deadline: { clock: CLOCK, atMs: CLOCK.now() + 1 } })).outcome, 'created');
  });

  test('generation 10 is above generation 2', async () => {
    const store = newStore();
    assert.equal(await currentGeneration(store, cidOf('c')), null);
    for (const generation of [0, 2, 10]) await commit(store, recordOf({ content: 'c', generation }));
    await commit(store, recordOf({ content: 'other', generation: 11 }));
    assert.equal(await currentGeneration(store, cidOf('c')), 10);
  });

  test('a record under another record’s key is refused', async () => {
    const store = newStore();
    await commit(store, recordOf({ content: 'c' }));
    const bytes = await store.get(commitKey(cidOf('c'), 0));
    await store.putIfAbsent(commitKey(cidOf('d'), 0), bytes!);
    await assert.rejects(readCommit(store, cidOf('d'), 0), hasCode('store_corrupt'));
  });

  test('a hint may be written twice, and survives unknown outcomes', async () => {
    const landed = { name: 'n', bytes: 1, lastModifiedMs: LANDED_AT_MS };
    for (const fault of ['lost', 'landed', 'late'] as const) {
      const inner = newStore();
      await markSeen(
        faultyStore(inner, (call) => (call === 1 ? fault : null)),
        landed,
        cidOf('c'),
      );
      await markSeen(inner, landed, cidOf('c'));
      assert.deepEqual(
        (await readAll(inner.list(PREFIX.seen))).map(({ key }) => key),
        [seenKey(landed)],
      );
    }
  });
});

describe('a record that does not add up is never committed', () => {
  const good = recordOf({ content: 'c' });
  const file = good.files[0]!;
  const held = recordOf({ content: 'c', held: true });
  const broken: Readonly<Record<string, CommitRecord>> = {
    'a line too many': { ...good, lines: { ...good.lines, physical: good.lines.physical + 1 } },
    'a negative count': { ...good, lines: { ...good.lines, newlines: -1 } },
    'a fraction of a line': { ...good, lines: { ...good.lines, newlines: 0.5 } },
    'reasons that miss a quarantined line': { ...good, reasons: {} },
    'a reason that is no word': { ...good, reasons: { __proto__x: 1 } as Record<string, number> },
    'rows without a file': { ...good, files: [] },
    'a file without its rows': { ...good, rows: {} },
    'a file named twice': { ...good, files: [file, file], rows: { token_usage: 2 * file.rows } },
    'an empty file': { ...good, files: [{ ...file, rows: 0 }], rows: {} },
    'a file outside data': { ...good, files: [{ ...file, key: `_snap/${file.key}` }] },
    'a month that is none': { ...good, files: [{ ...file, partition: '2026-13' }] },
    'an end before its start': { ...good, files: [{ ...file, min_ms: file.max_ms + 1 }] },
    'data with a hold': { ...good, hold: held.hold },
    'held without a reason': { ...held, hold: null },
    'held with rows': { ...good, kind: 'held', hold: held.hold },
    'no content id': { ...good, cid: 'abc' },
    'an attempt that is a path': { ...good, attempt: '../x' },
    'a source that is no word': { ...good, source: '__proto__' },
  };
  for (const [name, record] of Object.entries(broken)) {
    test(name, async () => {
      const store = newStore();
      await assert.rejects(commit(store, record), /invariant broken/);
      assert.deepEqual(await readAll(store.list('')), []);
    });
  }

  test('the whole ones are', async () => {
    const store = newStore();
    await commit(store, good);
    await commit(store, { ...held, generation: 1 });
    await commit(store, recordOf({ content: 'one row', rows: 1 }));
  });
});
