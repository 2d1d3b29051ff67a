/** Heads and parts: which fit, which are garbage, and what happens to those that are damaged. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { memoryStore } from '../../functions/adapters/store-memory.ts';
import { sha256Hex } from '../../functions/domain/canonical-json.ts';
import { collect } from '../../functions/ledger/collect.ts';
import { fold } from '../../functions/ledger/fold.ts';
import { SEGMENT_ENTRIES } from '../../functions/ledger/segment.ts';
import { newestSnapshot, type Snapshot } from '../../functions/ledger/snapshot.ts';
import type { Clock, ObjectStore } from '../../functions/ports.ts';
import { freshCommits } from '../../functions/rollup/fresh.ts';
import { headsFor, isWhole, type Layer, partsInUse, writeHead } from '../../functions/rollup/head.ts';
import { LANDED_AT_MS } from '../ledger/records.ts';
import { ingestRows } from '../ledger/row-files.ts';

const HOUR_MS = 3_600_000;
const DIGEST = 'd';

/** A store whose clock is moved by hand. */
class Cache {
  private nowMs = LANDED_AT_MS;
  readonly clock: Clock = { now: () => this.nowMs };
  readonly store: ObjectStore = memoryStore(this.clock);

  hours(hours: number): void {
    this.nowMs += hours * HOUR_MS;
  }

  async layer(name: string): Promise<Layer> {
    const bytes = new TextEncoder().encode(name);
    const key = `data/_rollup/parts/${name}.parquet`;
    await this.store.putIfAbsent(key, bytes);
    return { parts: { sums: { key, sha256: sha256Hex(bytes), bytes: bytes.length } } };
  }

  async head(n: number, layers: readonly Layer[]): Promise<void> {
    await writeHead(this.store, 'tokens', DIGEST, { n, segments: [] }, layers);
  }

  async heads(n: number): Promise<number[]> {
    const found: number[] = [];
    for await (const one of headsFor(this.store, 'tokens', DIGEST, { n })) found.push(one.n);
    return found;
  }

  async keys(): Promise<string[]> {
    const keys: string[] = [];
    for await (const { key } of this.store.list('data/_rollup/')) keys.push(key.replace('data/_rollup/', ''));
    return keys;
  }

  async ingest(content: string, generation = 0): Promise<Snapshot> {
    await ingestRows(this.store, { content, generation, attempt: `${content}-${generation}` });
    return (await fold(this.store, this.clock))!;
  }
}

describe('heads', () => {
  test('of this snapshot and earlier ones, the newest first; later ones are of no use', async () => {
    const cache = new Cache();
    for (const n of [2, 9, 11]) await cache.head(n, []);
    assert.deepEqual(await cache.heads(10), [9, 2]);
    assert.deepEqual(await cache.heads(1), []);
  });

  test('one that is damaged is passed over, and its place is free again', async () => {
    const cache = new Cache();
    await cache.head(1, []);
    await cache.store.delete('data/_rollup/tokens/d/0000000001.json');
    await cache.store.putIfAbsent('data/_rollup/tokens/d/0000000001.json', new TextEncoder().encode('{"body":{}'));
    assert.deepEqual(await cache.heads(1), []);
    await cache.head(1, []);
    assert.deepEqual(await cache.heads(1), [1]);
  });

  test('a superseded one is deleted after an hour, with the parts that only it names', async () => {
    const cache = new Cache();
    const [base, first, second, third] = [
      await cache.layer('base'),
      await cache.layer('1'),
      await cache.layer('2'),
      await cache.layer('3'),
    ];
    await cache.head(1, [base, first]);
    await cache.head(2, [base, second]);
    await cache.head(3, [base, third]);
    assert.equal((await cache.keys()).length, 7, 'somebody may be reading them');
    cache.hours(2);
    await cache.head(4, [base]);
    assert.deepEqual(await cache.keys(), ['parts/3.parquet', 'parts/base.parquet', 'tokens/d/0000000003.json', 'tokens/d/0000000004.json']);
  });
});

describe('parts', () => {
  test('whole; missing; other bytes, which are deleted', async () => {
    const cache = new Cache();
    const layer = await cache.layer('a');
    assert.equal(await isWhole(cache.store, [layer], ['sums']), true);
    const spoiled: Layer = { parts: { sums: { ...layer.parts['sums']!, sha256: sha256Hex('b') } } };
    assert.equal(await isWhole(cache.store, [spoiled], ['keys']), true, 'nobody asked for it');
    assert.equal(await isWhole(cache.store, [spoiled], ['sums']), false);
    assert.equal(await isWhole(cache.store, [layer], ['sums']), false, 'gone');
  });
});

describe('collection', () => {
  const collected = async (cache: Cache, derived: boolean): Promise<string[]> => {
    const { garbage } = await collect(cache.store, cache.clock, { pinned: async () => [], ...(derived ? { derived: partsInUse } : {}) });
    return garbage.map(({ key }) => key.replace('data/_rollup/', ''));
  };

  test('an old part lives as long as a young head names it', async () => {
    const cache = new Cache();
    const base = await cache.layer('base');
    await cache.layer('orphan');
    cache.hours(8 * 24);
    await cache.head(5, [base]);
    assert.deepEqual(await collected(cache, true), ['parts/orphan.parquet']);
    cache.hours(8 * 24);
    assert.deepEqual(await collected(cache, true), ['parts/base.parquet', 'tokens/d/0000000005.json']);
    assert.deepEqual(await cache.keys(), []);
  });

  test('without rollups named, they are garbage like any other file of data/', async () => {
    const cache = new Cache();
    const base = await cache.layer('base');
    cache.hours(8 * 24);
    await cache.head(5, [base]);
    assert.deepEqual(await collected(cache, false), ['parts/base.parquet']);
  });
});

describe('what is new in a snapshot', () => {
  test('nothing; commits at the end; a content that was read again is no addition', async () => {
    const cache = new Cache();
    const first = await cache.ingest('a');
    assert.deepEqual(await freshCommits(cache.store, first.segments, first.segments), []);
    await cache.ingest('b');
    const second = await cache.ingest('c');
    const fresh = await freshCommits(cache.store, first.segments, second.segments);
    assert.deepEqual(
      fresh?.map(({ object }) => object.name),
      ['b.jsonl', 'c.jsonl'],
    );
    const again = await cache.ingest('a', 1);
    assert.equal(await freshCommits(cache.store, second.segments, again.segments), null);
    assert.equal((await newestSnapshot(cache.store))?.n, again.n);
  });

  test('a content of a full segment that was read again is no addition either', async () => {
    const cache = new Cache();
    for (let n = 0; n <= SEGMENT_ENTRIES; n++) await ingestRows(cache.store, { content: `c${n}`, attempt: `c${n}-0` });
    const before = (await fold(cache.store, cache.clock))!;
    assert.equal(before.segments.length, 2);
    const added = await cache.ingest('new');
    assert.equal((await freshCommits(cache.store, before.segments, added.segments))?.length, 1);
    const again = await cache.ingest('c0', 1);
    assert.equal(again.segments[0]?.sha256, before.segments[0]?.sha256, 'it is not written again');
    assert.equal(await freshCommits(cache.store, added.segments, again.segments), null);
  });

  test('from nothing, all of it', async () => {
    const cache = new Cache();
    const snapshot = await cache.ingest('a');
    assert.equal((await freshCommits(cache.store, [], snapshot.segments))?.length, 1);
    assert.equal(await freshCommits(cache.store, snapshot.segments, []), null);
  });
});
