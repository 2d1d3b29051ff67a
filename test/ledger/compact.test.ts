/** Compaction changes where rows lie and nothing else. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { memoryStore } from '../../functions/adapters/store-memory.ts';
import { KashiError } from '../../functions/domain/errors.ts';
import { commit } from '../../functions/ledger/commit.ts';
import { compact } from '../../functions/ledger/compact.ts';
import { fold } from '../../functions/ledger/fold.ts';
import { newestSnapshot, type Snapshot, snapshotCommits, snapshotFiles, verifyChain } from '../../functions/ledger/snapshot.ts';
import type { ObjectStore } from '../../functions/ports.ts';
import { faultyStore, tamperedStore } from './faulty-store.ts';
import { readAll } from './records.ts';
import { compactAll, ingestRows, LATER, type Row, readRows, rowMerger, rowsOf } from './row-files.ts';

const DAY_MS = 86_400_000;

async function warehouse(contents: readonly string[]): Promise<{ store: ObjectStore; snapshot: Snapshot }> {
  const store = memoryStore(LATER);
  for (const content of contents) await ingestRows(store, { content });
  return { store, snapshot: (await fold(store, LATER))! };
}

/** Does something else once, just before the first put below the prefix. */
function interrupted(inner: ObjectStore, prefix: string, act: () => Promise<void>): ObjectStore {
  let done = false;
  return {
    ...inner,
    putIfAbsent: async (key, body) => {
      if (!done && key.startsWith(prefix)) {
        done = true;
        await act();
      }
      return await inner.putIfAbsent(key, body);
    },
  };
}

async function newest(store: ObjectStore): Promise<Snapshot> {
  return (await newestSnapshot(store))!;
}

describe('compaction', () => {
  test('many files become one; rows, repeats, commits and totals stay', async () => {
    const { store, snapshot } = await warehouse(['a', 'b', 'c', 'd']);
    const report = await compactAll(store);
    assert.deepEqual(
      report.groups.map(({ files, rows, outcome }) => ({ files, rows, outcome })),
      [{ files: 4, rows: 12, outcome: 'compacted' }],
    );
    const after = await newest(store);
    assert.equal(after.n, snapshot.n + 1);
    assert.equal(await verifyChain(store), 2);
    assert.equal(new Set((await snapshotFiles(store, after)).map(({ key }) => key)).size, 1);
    assert.deepEqual(await readRows(store, after), await readRows(store, snapshot));
    assert.deepEqual(await readAll(snapshotCommits(store, after)), await readAll(snapshotCommits(store, snapshot)));
    assert.deepEqual([after.totals, after.datasets, after.segments], [snapshot.totals, snapshot.datasets, snapshot.segments]);
    const strip = ({ key: _key, bytes: _bytes, sha256: _sha256, ...rest }: Awaited<ReturnType<typeof snapshotFiles>>[number]) => rest;
    assert.deepEqual((await snapshotFiles(store, after)).map(strip), (await snapshotFiles(store, snapshot)).map(strip));
  });

  test('again changes nothing', async () => {
    const { store } = await warehouse(['a', 'b']);
    await compactAll(store);
    const before = await newest(store);
    assert.deepEqual((await compactAll(store)).groups, []);
    assert.equal((await newest(store)).sha256, before.sha256);
  });

  test('a dry run says the same and writes nothing', async () => {
    const { store, snapshot } = await warehouse(['a', 'b', 'c']);
    const keys = (await readAll(store.list(''))).length;
    const [planned] = (await compactAll(store, { dryRun: true })).groups;
    assert.deepEqual({ ...planned, outcome: 'compacted', bytesAfter: 0 }, { ...(await compactAll(store)).groups[0], bytesAfter: 0 });
    assert.equal(planned?.bytesAfter, null);
    assert.equal((await readAll(store.list(''))).length, keys + 3, 'file, list and snapshot come from the run that was not dry');
    assert.equal((await newest(store)).n, snapshot.n + 1);
  });

  test('files that are few, large or of a day that is not over stay', async () => {
    const { store } = await warehouse(['a', 'b', 'c']);
    const sizes = (await snapshotFiles(store, await newest(store))).map(({ bytes }) => bytes);
    assert.equal((await compactAll(store, { minFiles: 4, dryRun: true })).groups.length, 0);
    assert.equal((await compactAll(store, { targetBytes: Math.min(...sizes), dryRun: true })).groups.length, 0);
    assert.equal((await compactAll(store, { quietDays: 3, dryRun: true })).groups.length, 0);
    assert.equal((await compactAll(store, { quietDays: 2, dryRun: true })).left, 0);
  });

  test('groups stay below their size', async () => {
    const { store, snapshot } = await warehouse(['a', 'b', 'c', 'd', 'e']);
    const largest = Math.max(...(await snapshotFiles(store, snapshot)).map(({ bytes }) => bytes));
    const { groups, left } = await compactAll(store, { targetBytes: 2 * largest });
    assert.deepEqual([groups.map(({ files }) => files), left], [[2, 2], 1]);
    assert.deepEqual(await readRows(store, await newest(store)), await readRows(store, snapshot));
  });

  test('what came later is compacted for itself', async () => {
    const { store } = await warehouse(['a', 'b']);
    await compactAll(store);
    for (const content of ['c', 'd']) await ingestRows(store, { content });
    await fold(store, LATER);
    await compactAll(store);
    const after = await newest(store);
    assert.equal(after.compacted?.length, 2);
    assert.equal((await readRows(store, after)).length, 12);
  });
});

describe('what a file holds', () => {
  test('is one file of a content at most: its rows could not be told apart', async () => {
    const store = memoryStore(LATER);
    const [first, second] = [await ingestRows(store, { content: 'a', generation: 8 }), await ingestRows(store, { content: 'b' })];
    // An attempt that wrote two files of one month.
    const twin = { ...first.files[0]!, key: first.files[0]!.key.replace('-0-', '-1-') };
    await store.putIfAbsent(twin.key, (await store.get(first.files[0]!.key))!);
    const both = { ...first, generation: 9, rows: { token_usage: 6 }, files: [...first.files, twin] };
    await commit(store, { ...both, lines: { ...first.lines, physical: 8, valid: 6 } });
    await ingestRows(store, { content: 'c' });
    await fold(store, LATER);
    const { groups } = await compactAll(store);
    assert.equal(
      groups.reduce((sum, { files }) => sum + files, 0),
      4,
    );
    assert.equal(groups.length, 2);
    const files = await snapshotFiles(store, await newest(store));
    const places = files.map(({ key, cid }) => `${key} ${cid}`);
    assert.equal(new Set(places).size, 4, 'no content is listed twice in one file');
    assert.ok(files.some(({ cid }) => cid === second.cid));
  });

  test('is claimed by one compaction only', async () => {
    const { store } = await warehouse(['a', 'b']);
    await compactAll(store);
    const after = await newest(store);
    const again = { ...after, compacted: [...after.compacted!, ...after.compacted!] };
    await assert.rejects(snapshotFiles(store, again), { code: 'store_corrupt' });
  });
});

test('a snapshot that was written without an answer is recognised: its groups are reported as compacted', async () => {
  const { store } = await warehouse(['a', 'b']);
  let unheard = 0;
  const faulty = faultyStore(store, (_, operation, key) => {
    if (operation !== 'put' || !key.startsWith('_snap/')) return null;
    unheard += 1;
    return 'landed';
  });
  const { groups, snapshot } = await compactAll(faulty);
  assert.deepEqual([groups[0]?.outcome, snapshot, unheard], ['compacted', 2, 1]);
});

describe('content read again', () => {
  test('after its compaction replaces its rows and no others', async () => {
    const { store } = await warehouse(['a', 'b', 'c']);
    await compactAll(store);
    await ingestRows(store, { content: 'b', generation: 1, rows: 5, attempt: 'again' });
    const after = (await fold(store, LATER))!;
    const texts = (await readRows(store, after)).map((row) => (JSON.parse(row) as Row).text.slice(0, 4));
    assert.deepEqual(Object.fromEntries([...Map.groupBy(texts, (text) => text)].map(([text, own]) => [text, own.length])), {
      'a g0': 3,
      'b g1': 5,
      'c g0': 3,
    });
  });

  test('until nothing of a compacted file counts any more: the next compaction forgets it', async () => {
    const { store } = await warehouse(['a', 'b']);
    await compactAll(store);
    for (const content of ['a', 'b']) await ingestRows(store, { content, generation: 1, attempt: 'again' });
    await fold(store, LATER);
    assert.equal((await newest(store)).compacted?.length, 1);
    const before = await readRows(store, await newest(store));
    await compactAll(store);
    const after = await newest(store);
    assert.equal(after.compacted?.length, 1);
    assert.deepEqual(await readRows(store, after), before);
    assert.equal(
      before.every((row) => row.includes(' g1 ')),
      true,
    );
  });

  test('during a compaction drops the compaction, not the new rows', async () => {
    const { store } = await warehouse(['a', 'b', 'c']);
    const between = interrupted(store, 'data/token_usage/p=2026-10/compacted-', async () => {
      await ingestRows(store, { content: 'b', generation: 1, rows: 5, attempt: 'again' });
      await fold(store, LATER);
    });
    const { groups, snapshot } = await compactAll(between);
    assert.equal(groups[0]?.outcome, 'dropped');
    const after = await newest(store);
    assert.deepEqual([after.n, after.compacted, snapshot], [2, undefined, 2]);
    assert.equal((await readRows(store, after)).length, 11);
  });
});

describe('between the merge and the snapshot', () => {
  for (const place of ['data/token_usage/p=2026-10/compacted-', '_snap/'] as const) {
    test(`other contents are folded (before the put under ${place}): both stand`, async () => {
      const { store } = await warehouse(['a', 'b']);
      const between = interrupted(store, place, async () => {
        await ingestRows(store, { content: 'c' });
        await fold(store, LATER);
      });
      assert.equal((await compactAll(between)).groups[0]?.outcome, 'compacted');
      const after = await newest(store);
      assert.deepEqual([after.n, after.compacted?.length], [3, 1]);
      assert.equal((await readRows(store, after)).length, 9);
    });

    test(`another compactor is faster (before the put under ${place}): its file stands alone`, async () => {
      const { store, snapshot } = await warehouse(['a', 'b']);
      const between = interrupted(store, place, async () => {
        assert.equal((await compactAll(store)).groups[0]?.outcome, 'compacted');
      });
      assert.equal((await compactAll(between)).groups[0]?.outcome, 'dropped');
      const after = await newest(store);
      assert.deepEqual([after.n, after.compacted?.length], [2, 1]);
      assert.deepEqual(await readRows(store, after), await readRows(store, snapshot));
    });
  }
});

describe('a compaction refuses', () => {
  const spoils: Readonly<Record<string, (rows: Row[]) => Row[]>> = {
    'a lost row': (rows) => rows.slice(1),
    'a repeat taken for a mistake': (rows) => rows.filter((row, place) => rows.findIndex(({ text }) => text === row.text) === place),
    'a row twice': (rows) => [...rows, rows[0]!],
    'a changed value': (rows) => rows.map((row, place) => (place === 0 ? { ...row, text: `${row.text}!` } : row)),
    'a row of another line': (rows) => rows.map((row, place) => (place === 0 ? { ...row, line: row.line + 1 } : row)),
  };
  for (const [name, spoil] of Object.entries(spoils)) {
    test(name, async () => {
      const { store, snapshot } = await warehouse(['a', 'b']);
      await assert.rejects(compactAll(store, {}, spoil), (error) => error instanceof KashiError && error.code === 'store_corrupt');
      assert.equal((await newest(store)).sha256, snapshot.sha256);
    });
  }

  test('an input with other bytes than its commit says', async () => {
    const { store, snapshot } = await warehouse(['a', 'b']);
    const [file] = await snapshotFiles(store, snapshot);
    const rows = rowsOf((await store.get(file!.key))!);
    const bytes = new TextEncoder().encode(JSON.stringify(rows.map((row) => ({ ...row, text: 'x' }))));
    await assert.rejects(compactAll(tamperedStore(store, file!.key, bytes)), { code: 'store_corrupt' });
    assert.equal((await newest(store)).sha256, snapshot.sha256);
  });

  test('a merge that agrees with itself but not with the commits', async () => {
    const { store } = await warehouse(['a', 'b']);
    const merger = rowMerger();
    const lying = {
      ...merger,
      merge: async (...given: Parameters<typeof merger.merge>) => {
        const merged = await merger.merge(...given);
        return {
          ...merged,
          contents: merged.contents.map((content, place) => (place === 0 ? { ...content, rows: content.rows + 1 } : content)),
        };
      },
    };
    await assert.rejects(compact(store, LATER, lying, { newAttempt: () => 'l', minFiles: 2 }), { code: 'store_corrupt' });
    await merger.close();
  });

  test('to publish after a day: its files may be taken for garbage', async () => {
    const { store, snapshot } = await warehouse(['a', 'b']);
    let nowMs = LATER.now();
    const merger = rowMerger();
    const slow = { now: () => nowMs };
    const onGroup = (): void => {
      nowMs += DAY_MS;
    };
    await assert.rejects(compact(store, slow, merger, { newAttempt: () => 's', minFiles: 2, onGroup }), {
      code: 'conflict',
    });
    await merger.close();
    assert.equal((await newest(store)).sha256, snapshot.sha256);
  });

  test('to publish after a day, whichever of its reads took so long', async () => {
    const merger = rowMerger();
    for (let slow = 1, isSlow = true; isSlow; slow += 1) {
      const { store: inner } = await warehouse(['a', 'b']);
      await compactAll(inner);
      for (const content of ['c', 'd']) await ingestRows(inner, { content });
      await fold(inner, LATER);
      let nowMs = LATER.now();
      let reads = 0;
      isSlow = false;
      const store: ObjectStore = {
        ...inner,
        get: async (key) => {
          reads += 1;
          if (reads === slow) [nowMs, isSlow] = [nowMs + DAY_MS, true];
          return await inner.get(key);
        },
        putIfAbsent: async (key, body) => {
          // Its own plan may have been late; what counts is the time since it began to write.
          if (key.startsWith('data/')) mergedAtMs = nowMs;
          if (key.startsWith('_snap/')) assert.ok(nowMs < mergedAtMs + DAY_MS, `published a day late: read ${slow} was slow`);
          return await inner.putIfAbsent(key, body);
        },
      };
      let mergedAtMs = Number.POSITIVE_INFINITY;
      await compact(store, { now: () => nowMs }, merger, { newAttempt: () => 's', minFiles: 2 }).catch((error: unknown) =>
        assert.equal((error as KashiError).code, 'conflict'),
      );
    }
    await merger.close();
  });
});

test('a changed byte of a compaction list is refused when it is read', async () => {
  const { store } = await warehouse(['a', 'b']);
  await compactAll(store);
  const after = await newest(store);
  const key = `_segments/${after.compacted![0]!.sha256}.json`;
  const bytes = (await store.get(key))!;
  bytes[30] = bytes[30]! ^ 1;
  await assert.rejects(snapshotFiles(tamperedStore(store, key, bytes), after), { code: 'store_corrupt' });
  await assert.rejects(snapshotFiles(tamperedStore(store, key, null), after), { code: 'store_corrupt' });
});
