/** What the collector must keep for closed months, and that a close cannot pin what may have been collected. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { closeCentre } from '../../functions/cli/close.ts';
import { readPin } from '../../functions/close/pin.ts';
import { pinnedSnapshots } from '../../functions/close/pinned-snapshots.ts';
import { readSignedBill } from '../../functions/close/statement.ts';
import { ATTEMPT_LIFETIME_MS } from '../../functions/ledger/commit.ts';
import { tamperedStore } from '../ledger/faulty-store.ts';
import { type LivingCentre, livingCentre, NOW_MS } from './support.ts';

const SITUATION = join(import.meta.dirname, 'situations/map-mended-after-the-close');
const PERIOD = '2025-10';

let centre: LivingCentre;
before(async () => {
  centre = livingCentre(SITUATION);
  await centre.land(['usage-1.csv']);
});
after(() => centre.remove());

describe('a close', () => {
  test('that takes longer than an attempt may does not pin: its files may be gone', async () => {
    let nowMs = NOW_MS;
    const slow = { ...centre.open(), clock: { now: () => nowMs } };
    const crash = (point: string): void => {
      if (point === 'close.afterGate') nowMs += ATTEMPT_LIFETIME_MS;
    };
    await assert.rejects(closeCentre(slow, PERIOD, true, { crash }), { code: 'conflict' });
    assert.equal(await readPin(slow.store, PERIOD), null);
    assert.deepEqual(await pinnedSnapshots(slow.store), []);
    assert.equal((await closeCentre(slow, PERIOD, true)).state, 'closed');
  });
});

describe('pinned snapshots', () => {
  test('are those of pins, and of bills whose pin was lost', async () => {
    const { store, warehouseDirectory } = centre.open();
    const { snapshot } = (await readPin(store, PERIOD))!.pin;
    assert.deepEqual(await pinnedSnapshots(store), [snapshot, snapshot]);
    rmSync(join(warehouseDirectory, 'closes', `${PERIOD}.json`));
    assert.deepEqual(await pinnedSnapshots(store), [snapshot]);
  });

  test('cannot be told when a bill, its evidence or a pin is damaged', async () => {
    const { store } = centre.open();
    const { evidence } = (await readSignedBill(store, PERIOD, null))!.value;
    for (const key of [`bills/${PERIOD}/000.json`, `objects/${evidence}`]) {
      const bytes = (await store.get(key))!;
      bytes[40] = bytes[40]! ^ 1;
      await assert.rejects(pinnedSnapshots(tamperedStore(store, key, bytes)), { code: 'store_corrupt' }, key);
      await assert.rejects(pinnedSnapshots(tamperedStore(store, key, null)), { code: 'store_corrupt' }, key);
    }
    for (const key of ['closes/2025-11.json', 'closes/notes.json']) {
      await store.putIfAbsent(key, new TextEncoder().encode('{"pin":1}'));
      await assert.rejects(pinnedSnapshots(store), { code: 'store_corrupt' }, key);
      rmSync(join(centre.open().warehouseDirectory, key));
    }
  });
});
