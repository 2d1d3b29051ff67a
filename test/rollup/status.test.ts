/** What `kashi status` says from what it kept is what it says from rows, after every delta. */
import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { compactCentre } from '../../functions/cli/compact.ts';
import { ingestInto } from '../../functions/cli/ingest.ts';
import { statusData } from '../../functions/cli/status-data.ts';
import { type Centre, landedObjects } from '../../functions/cli/wiring.ts';
import { newestSnapshot, type Snapshot } from '../../functions/ledger/snapshot.ts';
import { generated, removeGenerated } from '../close/generated.ts';
import { filesBelow, kept } from './support.ts';

const DAY_MS = 86_400_000;
after(removeGenerated);

async function snapshotOf(centre: Centre): Promise<Snapshot> {
  const snapshot = await newestSnapshot(centre.store);
  assert.ok(snapshot !== null);
  return snapshot;
}

async function assertSame(centre: Centre, why: string): Promise<void> {
  const snapshot = await snapshotOf(centre);
  assert.deepEqual(await statusData(centre, snapshot, { fromRows: 0 }), await statusData(centre, snapshot, { fromRows: Infinity }), why);
}

test('deltas, compaction, a content read again, everything gone', async () => {
  const centre = await generated();
  const files = filesBelow(join(dirname(centre.warehouseDirectory), 'landing'));
  const land = async (some: readonly string[], reparse = false): Promise<unknown> =>
    await ingestInto(centre, [...landedObjects(some, centre)], { reparse }, true);
  // Every third file, then the next, so that later files fill hours that were counted already.
  for (const turn of [0, 1, 2]) {
    await land(files.filter((_, place) => place % 3 === turn));
    await assertSame(centre, `turn ${turn}`);
  }
  const heads = await kept(centre, 'hours/');
  await compactCentre({ ...centre, clock: { now: () => Math.max(Date.now(), centre.clock.now()) + 3 * DAY_MS } }, { minFiles: 2 });
  await assertSame(centre, 'compacted');
  await land(files.slice(0, 1), true);
  await assertSame(centre, 'read again');
  assert.ok((await kept(centre, 'hours/')).length > heads.length);
  for (const key of await kept(centre)) await centre.store.delete(key);
  await assertSame(centre, 'all gone');
});

test('of a snapshot that was looked at before, no other object is read', async () => {
  const centre = await generated();
  await ingestInto(centre, [...landedObjects(filesBelow(join(dirname(centre.warehouseDirectory), 'landing')), centre)], {}, true);
  const snapshot = await snapshotOf(centre);
  const first = await statusData(centre, snapshot, { fromRows: 0 });
  const read: string[] = [];
  const get = async (key: string): Promise<Uint8Array | null> => {
    read.push(key);
    return await centre.store.get(key);
  };
  assert.deepEqual(await statusData({ ...centre, store: { ...centre.store, get } }, snapshot, { fromRows: 0 }), first);
  assert.deepEqual(
    read.map((key) => key.split('/').slice(0, 3).join('/')),
    ['data/_rollup/hours'],
  );
});
