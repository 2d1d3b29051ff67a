import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FORMAT_VERSION } from '../../functions/contract.ts';
import { sha256Hex } from '../../functions/domain/canonical-json.ts';
import { KashiError } from '../../functions/domain/errors.ts';
import { commit, markSeen, readCommit } from '../../functions/ledger/commit.ts';
import { fold } from '../../functions/ledger/fold.ts';
import { commitKey, seenKey, segmentKey, snapshotKey } from '../../functions/ledger/keys.ts';
import { seal, unseal } from '../../functions/ledger/sealed.ts';
import { newestSnapshot, readSnapshot, type SnapshotBody, snapshotFiles, verifyChain } from '../../functions/ledger/snapshot.ts';
import type { ObjectStore } from '../../functions/ports.ts';
import { faultyStore, tamperedStore } from './faulty-store.ts';
import { CLOCK, cidOf, LANDED_AT_MS, LANDED_DAY, newStore, putFiles, recordOf } from './records.ts';

const corruptAt = (key: string) => (error: unknown) =>
  error instanceof KashiError && error.code === 'store_corrupt' && error.details.where === key;

async function threeSnapshots(): Promise<ObjectStore> {
  const store = newStore();
  for (const content of ['a', 'b', 'c']) {
    await commit(store, await putFiles(store, recordOf({ content })));
    await fold(store, CLOCK);
  }
  return store;
}

/** Every way to damage the bytes a little: each byte changed in each of three bits, each truncation, one byte more. */
function* damaged(bytes: Uint8Array): Generator<Uint8Array> {
  for (let place = 0; place < bytes.length; place += 1) {
    for (const bit of [0x01, 0x20, 0x80]) {
      const changed = bytes.slice();
      changed[place]! ^= bit;
      yield changed;
    }
    yield bytes.slice(0, place);
  }
  for (const more of [0x00, 0x0a, 0x20, 0x7d]) yield Uint8Array.of(...bytes, more);
  yield Uint8Array.of(0xef, 0xbb, 0xbf, ...bytes);
}

describe('every damaged byte is found, and the object is named', () => {
  const hint = { name: 'n', bytes: 1, lastModifiedMs: LANDED_AT_MS };
  const readers: Readonly<
    Record<string, (store: ObjectStore) => Promise<{ key: string; read: (tampered: ObjectStore) => Promise<unknown> }>>
  > = {
    snapshot: async () => ({ key: snapshotKey(3), read: (tampered) => newestSnapshot(tampered) }),
    segment: async (store) => {
      const snapshot = (await newestSnapshot(store))!;
      return { key: segmentKey(snapshot.segments[0]!.sha256), read: (tampered) => snapshotFiles(tampered, snapshot) };
    },
    commit: async () => ({ key: commitKey(cidOf('a'), 0), read: (tampered) => readCommit(tampered, cidOf('a'), 0) }),
    hint: async (store) => {
      await markSeen(store, hint, cidOf('a'));
      return { key: seenKey(hint), read: (tampered) => fold(tampered, CLOCK, { since: [LANDED_DAY] }) };
    },
  };
  for (const [name, prepare] of Object.entries(readers)) {
    test(name, async () => {
      const store = await threeSnapshots();
      const { key, read } = await prepare(store);
      const bytes = (await store.get(key))!;
      await read(tamperedStore(store, key, bytes));
      for (const changed of damaged(bytes)) await assert.rejects(read(tamperedStore(store, key, changed)), corruptAt(key));
    });
  }

  test('a segment that is gone', async () => {
    const store = await threeSnapshots();
    const snapshot = (await newestSnapshot(store))!;
    const key = segmentKey(snapshot.segments[0]!.sha256);
    await assert.rejects(snapshotFiles(tamperedStore(store, key, null), snapshot), corruptAt(key));
  });
});

test('a record of a newer format is refused even when it is whole', () => {
  const covered = `{"body":{},"format":${FORMAT_VERSION + 1}`;
  const bytes = new TextEncoder().encode(`${covered},"sha256":"${sha256Hex(covered)}"}`);
  assert.throws(() => unseal(bytes, 'k'), corruptAt('k'));
  assert.deepEqual(unseal(seal({ a: 'ä,"format":1,"sha256":""}' }), 'k'), { a: 'ä,"format":1,"sha256":""}' });
});

describe('snapshots', () => {
  test('are read by number; an absent one is not found', async () => {
    const store = await threeSnapshots();
    assert.equal((await readSnapshot(store, 2)).n, 2);
    assert.equal((await readSnapshot(store, 3)).parent, (await readSnapshot(store, 2)).sha256);
    await assert.rejects(readSnapshot(store, 4), (error: unknown) => error instanceof KashiError && error.code === 'not_found');
  });

  test('a snapshot under another number is refused', async () => {
    const store = await threeSnapshots();
    const second = await store.get(snapshotKey(2));
    await assert.rejects(newestSnapshot(tamperedStore(store, snapshotKey(3), second)), corruptAt(snapshotKey(3)));
  });

  test('an older snapshot lists the files it always listed', async () => {
    const store = await threeSnapshots();
    const names = async (n: number) =>
      (await snapshotFiles(store, await readSnapshot(store, n))).map(({ object_name, fold_seq }) => [object_name, fold_seq]);
    assert.deepEqual(await names(1), [['a.jsonl', 1]]);
    assert.deepEqual(await names(3), [
      ['a.jsonl', 1],
      ['b.jsonl', 2],
      ['c.jsonl', 3],
    ]);
    const newest = (await newestSnapshot(store))!;
    assert.deepEqual(await snapshotFiles(store, newest, 'gpu_sample'), []);
    const { key, sha256 } = recordOf({ content: 'b' }).files[0]!;
    const [, file] = await snapshotFiles(store, newest, 'token_usage');
    assert.deepEqual([file?.key, file?.sha256, file?.cid, file?.source], [key, sha256, cidOf('b'), 'litellm']);
  });

  test('the chain: whole, forged, cut, and pinned', async () => {
    const store = await threeSnapshots();
    assert.equal(await verifyChain(store), 3);
    assert.equal(await verifyChain(newStore()), 0);
    const { sha256: secondHash, ...second } = await readSnapshot(store, 2);
    assert.equal(await verifyChain(store, { n: 2, sha256: secondHash }), 2);
    await assert.rejects(verifyChain(store, { n: 2, sha256: sha256Hex('other') }), corruptAt(snapshotKey(2)));
    // A forger can seal as well as kashi can: only the successor's link, or a pin, gives it away.
    const forged = seal({ ...second, totals: {} } satisfies SnapshotBody);
    await assert.rejects(verifyChain(tamperedStore(store, snapshotKey(2), forged)), corruptAt(snapshotKey(2)));
    await assert.rejects(verifyChain(tamperedStore(store, snapshotKey(1), null)), corruptAt(snapshotKey(1)));
    const { sha256: _, ...first } = await readSnapshot(store, 1);
    const orphan = newStore();
    await orphan.putIfAbsent(snapshotKey(1), seal({ ...first, parent: sha256Hex('before the beginning') }));
    await assert.rejects(verifyChain(orphan), corruptAt(snapshotKey(1)));
  });

  test('the newest is found in few steps, from any start, across gaps', async () => {
    const body = (n: number): SnapshotBody => ({
      n,
      parent: null,
      segments: [],
      totals: {},
      quarantine: {},
      datasets: {},
      folded_at_ms: 0,
    });
    const inner = newStore();
    let lists = 0;
    const store = faultyStore(inner, (_, operation) => {
      if (operation === 'list') lists += 1;
      return null;
    });
    const gaps = new Set([3, 4, 5, 64, 65, 200]);
    let newest = 0;
    for (let n = 1; n <= 300; n += 1) {
      if (gaps.has(n)) continue;
      await inner.putIfAbsent(snapshotKey(n), seal(body(n)));
      newest = n;
      lists = 0;
      assert.equal((await newestSnapshot(store))?.n, newest);
      assert.ok(lists <= 2 * Math.log2(n) + 6, `${lists} listings for ${n} snapshots`);
      for (const from of [1, Math.floor(n / 2), n - 1]) {
        if (from > 0 && !gaps.has(from)) assert.equal((await newestSnapshot(store, from))?.n, newest);
      }
      lists = 0;
      await newestSnapshot(store, newest);
      assert.equal(lists, 1);
    }
  });
});
