import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PREFIX } from '../../functions/contract.ts';
import { KashiError } from '../../functions/domain/errors.ts';
import { commit, markSeen } from '../../functions/ledger/commit.ts';
import { fold } from '../../functions/ledger/fold.ts';
import { commitKey, seenKey, snapshotKey } from '../../functions/ledger/keys.ts';
import {
  newestSnapshot,
  readSnapshot,
  type Snapshot,
  snapshotCommits,
  snapshotFiles,
  verifyChain,
} from '../../functions/ledger/snapshot.ts';
import { type ObjectStore, TransientStoreError } from '../../functions/ports.ts';
import { type Fault, faultyStore } from './faulty-store.ts';
import { CLOCK, cidOf, LANDED_AT_MS, LANDED_DAY, newStore, putFiles, type RecordParts, readAll, recordOf } from './records.ts';

const hasCode = (code: string) => (error: unknown) => error instanceof KashiError && error.code === code;

async function commitAll(store: ObjectStore, ...all: readonly RecordParts[]): Promise<void> {
  for (const parts of all) await commit(store, await putFiles(store, recordOf(parts)));
}

function contents(from: number, to: number): RecordParts[] {
  return Array.from({ length: to - from }, (_, place) => ({ content: `c${from + place}` }));
}

/** 'cid.generation@fold_seq' of every commit. */
async function held(store: ObjectStore, snapshot: Snapshot | null): Promise<string[]> {
  const commits = snapshot === null ? [] : await readAll(snapshotCommits(store, snapshot));
  return commits.map(({ cid, generation, fold_seq }) => `${cid.slice(0, 8)}.${generation}@${fold_seq}`);
}

const named = (content: string, generation: number, foldSeq: number) => `${cidOf(content).slice(0, 8)}.${generation}@${foldSeq}`;

describe('fold', () => {
  test('a warehouse without commits has no snapshot', async () => {
    assert.equal(await fold(newStore(), CLOCK), null);
  });

  test('new commits make the next snapshot, hash-linked to the last', async () => {
    const store = newStore();
    await commitAll(store, { content: 'a' }, { content: 'b', source: 'kong', rows: 5 }, { content: 'h', held: true });
    const first = await fold(store, CLOCK);
    assert.deepEqual([first?.n, first?.parent], [1, null]);
    await commitAll(store, { content: 'c' });
    const second = await fold(store, CLOCK);
    assert.deepEqual([second?.n, second?.parent], [2, first?.sha256]);
    assert.deepEqual(await newestSnapshot(store), second);
    assert.deepEqual(second?.totals, {
      kong: { objects: 1, held: 0, physical: 7, valid: 5, quarantined: 1, blank: 1, rows: 5 },
      litellm: { objects: 3, held: 1, physical: 10, valid: 6, quarantined: 2, blank: 2, rows: 6 },
    });
    assert.deepEqual(second?.quarantine, { kong: { negative: 1 }, litellm: { negative: 2 } });
    assert.deepEqual(second?.datasets, { token_usage: { files: 3, rows: 11, bytes: 73 + 75 + 73 } });
    assert.equal(await verifyChain(store), 2);
  });

  test('nothing new: the current snapshot, and nothing is written', async () => {
    const inner = newStore();
    await commitAll(inner, { content: 'a' });
    const first = await fold(inner, CLOCK);
    const before = await readAll(inner.list(''));
    assert.deepEqual(await fold(inner, { now: () => 1 }), first);
    assert.deepEqual(await readAll(inner.list('')), before);
  });

  test('eight folders at once: a linear history, every commit folded exactly once', async () => {
    const store = newStore();
    const committing = commitAll(store, ...contents(0, 60));
    const folding = Array.from({ length: 8 }, async () => {
      for (let turn = 0; turn < 10; turn += 1) await fold(store, CLOCK);
    });
    await Promise.all([committing, ...folding]);
    const newest = await fold(store, CLOCK);
    const commits = await readAll(snapshotCommits(store, newest!));
    assert.equal(commits.length, 60);
    assert.equal(new Set(commits.map(({ cid }) => cid)).size, 60);
    assert.equal(await verifyChain(store), newest!.n);
    for (let n = 2; n <= newest!.n; n += 1) {
      const [older, newer] = [await held(store, await readSnapshot(store, n - 1)), await held(store, await readSnapshot(store, n))];
      assert.deepEqual(newer.slice(0, older.length), older, 'history only grows');
      assert.ok(
        newer.slice(older.length).every((name) => name.endsWith(`@${n}`)),
        'fold_seq is the number of the first snapshot',
      );
    }
  });

  test('segments fill to 1,000; only the last, when not full, is written again', async () => {
    const store = newStore();
    const sizes: number[][] = [];
    const hashes: string[] = [];
    for (const [from, to] of [
      [0, 999],
      [999, 1000],
      [1000, 1001],
      [1001, 3100],
    ] as const) {
      await commitAll(store, ...contents(from, to));
      const snapshot = await fold(store, CLOCK);
      sizes.push(snapshot!.segments.map(({ entries }) => entries));
      hashes.push(snapshot!.segments[0]!.sha256);
    }
    assert.deepEqual(sizes, [[999], [1000], [1000, 1], [1000, 1000, 1000, 100]]);
    assert.notEqual(hashes[0], hashes[1]);
    assert.deepEqual([hashes[2], hashes[3]], [hashes[1], hashes[1]]);
    const newest = await newestSnapshot(store);
    assert.deepEqual(
      newest!.segments.map(({ first, last }) => [first, last]),
      [
        [1, 2],
        [3, 4],
        [4, 4],
        [4, 4],
      ],
    );
    assert.equal(newest!.totals['litellm']?.objects, 3100);
  });

  test('a last segment of exactly 1,000 is full: it is not written again, even when one of its commits is replaced', async () => {
    const store = newStore();
    await commitAll(store, ...contents(0, 1000));
    const first = await fold(store, CLOCK);
    await commitAll(store, { content: 'c5', generation: 1 });
    const second = await fold(store, CLOCK);
    assert.equal(second!.segments[0]!.sha256, first!.segments[0]!.sha256);
    assert.deepEqual(
      second!.segments.map(({ entries, dropped }) => [entries, dropped.length]),
      [
        [1000, 1],
        [1, 0],
      ],
    );
  });

  test('the order inside a snapshot is that of the content ids', async () => {
    const [one, other] = [newStore(), newStore()];
    await commitAll(one, ...contents(0, 20));
    await commitAll(other, ...contents(0, 20).reverse());
    assert.equal((await fold(one, CLOCK))!.sha256, (await fold(other, CLOCK))!.sha256);
  });

  test('the clock changes a label and nothing else', async () => {
    const results = [];
    for (const now of [0, -5_000_000, 4_000_000_000_000]) {
      const store = newStore();
      let tick = now;
      const clock = { now: () => (tick -= 86_400_000) };
      await commitAll(store, { content: 'a' });
      await fold(store, clock);
      await commitAll(store, { content: 'b' });
      const { folded_at_ms, sha256, parent, ...rest } = (await fold(store, clock))!;
      results.push({ ...rest, commits: await held(store, await newestSnapshot(store)) });
    }
    assert.deepEqual(results[1], results[0]);
    assert.deepEqual(results[2], results[0]);
  });
});

describe('a higher generation', () => {
  test('replaces the lower in the next snapshot; the older snapshot keeps its files', async () => {
    const store = newStore();
    await commitAll(store, { content: 'a', rows: 3 }, { content: 'b' });
    const first = await fold(store, CLOCK);
    await commitAll(store, { content: 'a', generation: 1, attempt: 'again', rows: 9 });
    const second = await fold(store, CLOCK);
    assert.deepEqual((await held(store, second)).sort(), [named('a', 1, 2), named('b', 0, 1)].sort());
    assert.deepEqual((await held(store, first)).sort(), [named('a', 0, 1), named('b', 0, 1)].sort());
    assert.equal(second?.totals['litellm']?.rows, 12);
    assert.deepEqual(second?.datasets.token_usage, { files: 2, rows: 12, bytes: 79 + 73 });
    const files = await snapshotFiles(store, second!, 'token_usage');
    assert.deepEqual(files.map(({ rows }) => rows).sort(), [3, 9]);
  });

  test('both unfolded: only the higher is folded, in whatever order they came; a lower one later changes nothing', async () => {
    const store = newStore();
    await commitAll(store, { content: 'a', generation: 10 }, { content: 'a', generation: 2 });
    const first = await fold(store, CLOCK);
    assert.deepEqual(await held(store, first), [named('a', 10, 1)]);
    await commitAll(store, { content: 'a', generation: 3 });
    assert.deepEqual(await fold(store, CLOCK), first);
  });

  test('in a full segment: the segment stays as written, and leaves when all its commits are replaced', async () => {
    const store = newStore();
    await commitAll(store, ...contents(0, 1001));
    const first = await fold(store, CLOCK);
    const places = await readAll(snapshotCommits(store, first!));
    const inFull = places.slice(0, 1000).map(({ object }) => object.name.replace('.jsonl', ''));
    await commitAll(store, { content: inFull[7]!, generation: 1 }, { content: inFull[2]!, generation: 1 });
    const second = await fold(store, CLOCK);
    assert.deepEqual(
      second!.segments.map(({ sha256 }) => sha256 === first!.segments[0]!.sha256),
      [true, false],
    );
    assert.deepEqual(
      second!.segments.map(({ entries, dropped }) => [entries, dropped]),
      [
        [1000, [2, 7]],
        [3, []],
      ],
    );

    await commitAll(store, ...inFull.map((content) => ({ content, generation: 2 })));
    const third = await fold(store, CLOCK);
    assert.ok(third!.segments.every(({ sha256 }) => sha256 !== first!.segments[0]!.sha256));
    assert.equal((await held(store, third)).length, 1001);
    assert.equal(third!.totals['litellm']?.objects, 1001);
    assert.equal((await held(store, second)).length, 1001);
  });

  test('a held object is resolved by it', async () => {
    const store = newStore();
    await commitAll(store, { content: 'a', held: true });
    assert.deepEqual((await fold(store, CLOCK))?.totals['litellm'], {
      objects: 1,
      held: 1,
      physical: 0,
      valid: 0,
      quarantined: 0,
      blank: 0,
      rows: 0,
    });
    await commitAll(store, { content: 'a', generation: 1 });
    assert.deepEqual((await fold(store, CLOCK))?.totals['litellm'], {
      objects: 1,
      held: 0,
      physical: 5,
      valid: 3,
      quarantined: 1,
      blank: 1,
      rows: 3,
    });
    await commitAll(store, { content: 'a', generation: 2, held: true });
    const last = await fold(store, CLOCK);
    assert.deepEqual([last?.quarantine, last?.datasets], [{}, {}], 'no zero is left behind');
  });
});

describe('what cannot be trusted is not folded', () => {
  test('a missing data file: the fold names it, and works again once it is there', async () => {
    const store = newStore();
    await commitAll(store, { content: 'good' });
    const record = recordOf({ content: 'a' });
    await commit(store, record);
    await assert.rejects(
      fold(store, CLOCK),
      (error: unknown) => hasCode('store_corrupt')(error) && (error as KashiError).details.where === record.files[0]!.key,
    );
    assert.equal(await newestSnapshot(store), null);
    await putFiles(store, record);
    assert.equal((await held(store, await fold(store, CLOCK))).length, 2);
  });

  test('a data file one byte too long or too short', async () => {
    for (const difference of [-1, 1]) {
      const store = newStore();
      const record = recordOf({ content: 'a' });
      const file = record.files[0]!;
      await store.putIfAbsent(file.key, new Uint8Array(file.bytes + difference));
      await commit(store, record);
      await assert.rejects(fold(store, CLOCK), hasCode('store_corrupt'));
      assert.equal(await newestSnapshot(store), null);
    }
  });

  test('an object among the commits that is none', async () => {
    const store = newStore();
    await store.putIfAbsent('_commits/ab/readme.txt', new Uint8Array(1));
    await assert.rejects(fold(store, CLOCK), hasCode('store_corrupt'));
  });
});

describe('fold through the hints of landed days', () => {
  const landed = (name: string, lastModifiedMs = LANDED_AT_MS) => ({ name, bytes: 1, lastModifiedMs });

  test('finds what was noted on these days, and nothing else', async () => {
    const store = newStore();
    await commitAll(store, { content: 'a' }, { content: 'b' }, { content: 'unnoted' });
    await markSeen(store, landed('a.jsonl'), cidOf('a'));
    await markSeen(store, landed('b.jsonl', LANDED_AT_MS - 86_400_000), cidOf('b'));
    assert.deepEqual(await held(store, await fold(store, CLOCK, { since: [LANDED_DAY] })), [named('a', 0, 1)]);
    assert.equal((await held(store, await fold(store, CLOCK, { since: ['2026-10-04', LANDED_DAY] }))).length, 2);
    assert.equal((await held(store, await fold(store, CLOCK))).length, 3);
  });

  test('the order inside a snapshot does not depend on the names of the objects', async () => {
    const hashes = [];
    for (const salt of ['', 'x', 'y', 'z']) {
      const store = newStore();
      for (const content of ['a', 'b', 'c', 'd', 'e']) {
        await commitAll(store, { content });
        await markSeen(store, landed(`${salt}${content}`), cidOf(content));
      }
      hashes.push((await fold(store, CLOCK, { since: [LANDED_DAY] }))!.sha256);
    }
    assert.equal(new Set(hashes).size, 1);
  });

  test('a further name of a folded content folds nothing', async () => {
    const store = newStore();
    await commitAll(store, { content: 'a' });
    await markSeen(store, landed('a.jsonl'), cidOf('a'));
    const first = await fold(store, CLOCK, { since: [LANDED_DAY] });
    await markSeen(store, landed('copy-of-a.jsonl'), cidOf('a'));
    assert.deepEqual(await fold(store, CLOCK, { since: [LANDED_DAY] }), first);
  });

  test('opens no hint of an object that is folded under its name', async () => {
    const inner = newStore();
    const record = recordOf({ content: 'a' });
    await commit(inner, await putFiles(inner, record));
    const name = { name: record.object.name, bytes: record.object.bytes, lastModifiedMs: LANDED_AT_MS };
    await markSeen(inner, name, record.cid);
    await fold(inner, CLOCK);
    const opened: string[] = [];
    const store = faultyStore(inner, (_, operation, key) => {
      if (operation === 'get') opened.push(key);
      return null;
    });
    await fold(store, CLOCK, { since: [LANDED_DAY] });
    assert.ok(!opened.includes(seenKey(name)));
  });

  test('a hint without a commit is damage', async () => {
    const store = newStore();
    await markSeen(store, landed('x'), cidOf('never committed'));
    await assert.rejects(fold(store, CLOCK, { since: [LANDED_DAY] }), hasCode('store_corrupt'));
  });
});

describe('fold on a bad day', () => {
  async function prepared(): Promise<ObjectStore> {
    const store = newStore();
    await commitAll(store, ...contents(0, 3), { content: 'r' });
    await fold(store, CLOCK);
    await commitAll(store, ...contents(3, 6), { content: 'r', generation: 1 });
    return store;
  }

  test('an unknown outcome at each single call leads to the same snapshot', async () => {
    const clean = await prepared();
    const expected = await fold(clean, CLOCK);
    const counting = faultyStore(await prepared(), () => null);
    await fold(counting, CLOCK);
    assert.ok(counting.calls() > 15);
    for (const fault of ['lost', 'landed', 'late'] as const satisfies readonly Fault[]) {
      for (let bad = 1; bad <= counting.calls(); bad += 1) {
        const inner = await prepared();
        const found = await fold(
          faultyStore(inner, (call) => (call === bad ? fault : null)),
          CLOCK,
        );
        assert.deepEqual(found, expected, `${fault} at call ${bad}`);
        assert.deepEqual(await newestSnapshot(inner), expected);
        assert.equal(await verifyChain(inner), 2);
      }
    }
  });

  test('two calls in ten fail, in each way: the same snapshot', async () => {
    const expected = await fold(await prepared(), CLOCK);
    for (const fault of ['lost', 'landed', 'late'] as const) {
      for (let seed = 1; seed <= 20; seed += 1) {
        // A multiplicative hash: no period that a retry could fall in step with.
        const plan = (call: number) => ((Math.imul(call * 31 + seed, 0x9e3779b1) >>> 8) % 10 < 2 ? fault : null);
        assert.deepEqual(await fold(faultyStore(await prepared(), plan), CLOCK), expected, `${fault}, seed ${seed}`);
      }
    }
  });

  test('a snapshot that can never be written is an error, after a bounded number of tries', async () => {
    const store = faultyStore(await prepared(), (_, operation, key) =>
      operation === 'put' && key.startsWith(PREFIX.snapshots) ? 'lost' : null,
    );
    await assert.rejects(fold(store, CLOCK, { attempts: 3 }), TransientStoreError);
  });

  test('another folder always a moment faster: the fold starts again, and gives up only when told to', async () => {
    /** Before each of the first `times` snapshots written here, another folder writes that one, with one more commit. */
    function rivalled(inner: ObjectStore, times: number): ObjectStore {
      let round = 0;
      return {
        ...inner,
        async putIfAbsent(key, body) {
          if (key.startsWith(PREFIX.snapshots) && round < times) {
            round += 1;
            await commitAll(inner, { content: `rival ${round}` });
            await fold(inner, CLOCK);
            await commitAll(inner, { content: `left for us ${round}` });
          }
          return await inner.putIfAbsent(key, body);
        },
      };
    }
    await assert.rejects(fold(rivalled(await prepared(), 3), CLOCK, { attempts: 3 }), hasCode('conflict'));
    const inner = await prepared();
    const snapshot = await fold(rivalled(inner, 3), CLOCK, { attempts: 4 });
    assert.equal((await held(inner, snapshot)).length, 7 + 6);
    assert.equal(await verifyChain(inner), 5);
  });

  test('a commit that was listed and then is gone is damage', async () => {
    const inner = await prepared();
    const gone = commitKey(cidOf('c4'), 0);
    const store: ObjectStore = { ...inner, get: async (key) => (key === gone ? null : await inner.get(key)) };
    await assert.rejects(fold(store, CLOCK), hasCode('store_corrupt'));
    assert.equal(await inner.head(snapshotKey(2)), null);
  });
});
