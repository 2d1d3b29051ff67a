/** What is garbage, what never is, and what a collector does when it cannot tell. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { memoryStore } from '../../functions/adapters/store-memory.ts';
import { type CollectOptions, type CollectReport, collect, type PinnedSnapshot } from '../../functions/ledger/collect.ts';
import { fold } from '../../functions/ledger/fold.ts';
import { commitKey, segmentKey, snapshotKey } from '../../functions/ledger/keys.ts';
import { SEGMENT_ENTRIES } from '../../functions/ledger/segment.ts';
import { newestSnapshot, type Snapshot } from '../../functions/ledger/snapshot.ts';
import type { Clock, ObjectStore } from '../../functions/ports.ts';
import { tamperedStore } from './faulty-store.ts';
import { cidOf, LANDED_AT_MS, readAll } from './records.ts';
import { compactAll, ingestRows, readRows } from './row-files.ts';

const DAY_MS = 86_400_000;

/** A store whose clock is moved by hand, and everything that happens in it. */
class Centre {
  private nowMs = LANDED_AT_MS + 3 * DAY_MS;
  readonly clock: Clock = { now: () => this.nowMs };
  readonly store: ObjectStore = memoryStore(this.clock);
  readonly pins: PinnedSnapshot[] = [];

  days(days: number): void {
    this.nowMs += days * DAY_MS;
  }

  async snapshot(): Promise<Snapshot> {
    return (await newestSnapshot(this.store))!;
  }

  async ingest(content: string, generation = 0, attempt = `${content.replace(' ', '_')}-${generation}`): Promise<string> {
    const { files } = await ingestRows(this.store, { content, generation, attempt });
    return files[0]!.key;
  }

  async fold(): Promise<Snapshot> {
    return (await fold(this.store, this.clock))!;
  }

  async collect(options: Partial<CollectOptions> = {}): Promise<string[]> {
    return (await this.report(options)).garbage.map(({ key }) => key);
  }

  async report(options: Partial<CollectOptions> = {}): Promise<CollectReport> {
    return await collect(this.store, this.clock, { pinned: async () => this.pins, ...options });
  }

  async data(): Promise<string[]> {
    return (await readAll(this.store.list('data/'))).map(({ key }) => key);
  }
}

async function centreOf(contents: readonly string[]): Promise<Centre> {
  const centre = new Centre();
  for (const content of contents) await centre.ingest(content);
  await centre.fold();
  return centre;
}

describe('garbage', () => {
  test('a file of an attempt that never committed, once the grace is over', async () => {
    const centre = await centreOf(['a']);
    await centre.store.putIfAbsent('data/token_usage/p=2026-10/orphan.parquet', new Uint8Array(10));
    centre.days(6);
    assert.deepEqual(await centre.collect(), []);
    centre.days(2);
    assert.deepEqual(await centre.collect(), ['data/token_usage/p=2026-10/orphan.parquet']);
    assert.equal((await centre.data()).length, 1);
  });

  test('inputs of a compaction, once the snapshot before it has left the window', async () => {
    const centre = await centreOf(['a', 'b', 'c']);
    const before = await centre.snapshot();
    const rows = await readRows(centre.store, before);
    centre.days(30);
    await compactAll(centre.store);
    assert.deepEqual(await centre.collect(), [], 'a reader may have opened the snapshot before just now');
    assert.deepEqual(await readRows(centre.store, before), rows);
    centre.days(8);
    const { garbage, retained } = await centre.report();
    assert.deepEqual([garbage.length, retained], [3, [2]]);
    assert.equal((await centre.data()).length, 1);
    assert.deepEqual(await readRows(centre.store, await centre.snapshot()), rows);
  });

  test('a replaced generation, one that was never folded, and a compacted file of which nothing counts', async () => {
    const centre = await centreOf(['a', 'b']);
    await compactAll(centre.store);
    const overtaken = await centre.ingest('a', 1);
    const kept = [await centre.ingest('a', 2), await centre.ingest('b', 1)];
    const replaced = await centre.fold();
    centre.days(9);
    const garbage = (await centre.data()).filter((key) => !kept.includes(key));
    assert.ok(garbage.length === 4 && garbage.includes(overtaken));
    assert.deepEqual(await centre.collect(), garbage);
    assert.deepEqual(await centre.data(), kept.sort());
    assert.equal((await readRows(centre.store, replaced)).length, 6);
  });
});

test('a replaced generation in a full segment, which is never written again, is garbage too', async () => {
  const centre = await centreOf(Array.from({ length: SEGMENT_ENTRIES }, (_, place) => `bulk ${place}`));
  await centre.ingest('bulk 500', 1);
  const { segments } = await centre.fold();
  assert.deepEqual(
    segments.map(({ entries, dropped }) => [entries, dropped.length]),
    [
      [SEGMENT_ENTRIES, 1],
      [1, 0],
    ],
  );
  centre.days(8);
  const garbage = await centre.collect();
  assert.equal(garbage.length, 1);
  assert.match(garbage[0]!, /bulk_500-0/);
});

describe('never garbage', () => {
  test('what a pin names, for years', async () => {
    const centre = await centreOf(['a', 'b']);
    const pinned = await centre.snapshot();
    centre.pins.push(pinned);
    const rows = await readRows(centre.store, pinned);
    await compactAll(centre.store);
    await centre.ingest('a', 1);
    await centre.fold();
    centre.days(1_000);
    assert.deepEqual(await centre.collect(), []);
    assert.deepEqual(await readRows(centre.store, pinned), rows);
    centre.pins.pop();
    assert.equal((await centre.collect()).length, 2, 'without the pin both inputs are');
  });

  test('what a commit names that no snapshot holds yet, of every generation that a fold may still take', async () => {
    const centre = await centreOf(['a']);
    const files = [await centre.ingest('b'), await centre.ingest('a', 1), await centre.ingest('a', 2)];
    centre.days(30);
    assert.deepEqual(await centre.collect(), []);
    for (const key of files) assert.ok((await centre.data()).includes(key));
    const after = await centre.fold();
    assert.equal((await readRows(centre.store, after)).length, 6);
    assert.deepEqual(await centre.collect(), [files[1]], 'overtaken before it was folded: no snapshot can take it any more');
    centre.days(8);
    assert.deepEqual((await centre.collect()).length, 1, 'the lowest generation was in the snapshot before');
  });

  test('what a warehouse holds that was never folded', async () => {
    const centre = new Centre();
    await centre.ingest('a');
    centre.days(30);
    const report = await centre.report();
    assert.deepEqual([report.snapshot, report.garbage, report.files, report.old], [null, [], 1, 1]);
  });

  test('anything outside data/', async () => {
    const centre = await centreOf(['a']);
    for (const key of ['_quarantine/2026-10-05/x.parquet', '_segments/x.json', 'objects/x', '_seen/x.json', 'config/x'])
      await centre.store.putIfAbsent(key, new Uint8Array(3));
    const before = (await readAll(centre.store.list(''))).length;
    centre.days(900);
    assert.deepEqual(await centre.collect(), []);
    assert.equal((await readAll(centre.store.list(''))).length, before);
  });
});

test('a dry run names what the real one deletes, and deletes nothing', async () => {
  const centre = await centreOf(['a', 'b']);
  await compactAll(centre.store);
  centre.days(9);
  const planned = await centre.report({ dryRun: true });
  assert.equal((await centre.data()).length, 3);
  const deleted: string[] = [];
  const done = await centre.report({ onDelete: ({ key }) => void deleted.push(key) });
  assert.deepEqual(planned, done);
  assert.deepEqual(deleted.sort(), done.garbage.map(({ key }) => key).sort());
  assert.ok(done.garbage.every(({ bytes }) => bytes > 0));
  assert.deepEqual((await centre.report()).garbage, []);
});

describe('a collector that cannot tell deletes nothing:', () => {
  async function withGarbage(): Promise<Centre> {
    const centre = await centreOf(['a', 'b']);
    centre.pins.push(await centre.snapshot());
    await centre.ingest('c');
    await compactAll(centre.store);
    await centre.store.putIfAbsent('data/token_usage/p=2026-10/orphan.parquet', new Uint8Array(10));
    centre.days(9);
    return centre;
  }

  async function refuses(centre: Centre, store: ObjectStore, pinned: CollectOptions['pinned']): Promise<void> {
    const before = await centre.data();
    await assert.rejects(collect(store, centre.clock, { pinned }));
    assert.deepEqual(await centre.data(), before);
  }

  test('the garbage is there', async () => {
    assert.deepEqual(await (await withGarbage()).collect(), ['data/token_usage/p=2026-10/orphan.parquet']);
  });

  test('pins cannot be read', async () => {
    const centre = await withGarbage();
    await refuses(centre, centre.store, async () => {
      throw new Error('a pin is damaged');
    });
  });

  test('a pin names another history', async () => {
    const centre = await withGarbage();
    await refuses(centre, centre.store, async () => [{ n: 1, sha256: '0'.repeat(64) }]);
  });

  const damaged: Readonly<Record<string, (centre: Centre) => Promise<string>>> = {
    'the newest snapshot': async (centre) => snapshotKey((await centre.snapshot()).n),
    'a pinned snapshot': async () => snapshotKey(1),
    'a segment': async (centre) => segmentKey((await centre.snapshot()).segments[0]!.sha256),
    'a compaction list': async (centre) => segmentKey((await centre.snapshot()).compacted![0]!.sha256),
    'an unfolded commit': async () => commitKey(cidOf('c'), 0),
  };
  for (const [name, keyOf] of Object.entries(damaged)) {
    test(`${name} is damaged or missing`, async () => {
      const centre = await withGarbage();
      const key = await keyOf(centre);
      const bytes = (await centre.store.get(key))!;
      bytes[20] = bytes[20]! ^ 1;
      await refuses(centre, tamperedStore(centre.store, key, bytes), async () => centre.pins);
      await refuses(centre, tamperedStore(centre.store, key, null), async () => centre.pins);
    });
  }
});
