/** A month of a large centre: more commits than anybody wants to list twice. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { localStore } from '../../functions/adapters/store-local.ts';
import { memoryStore } from '../../functions/adapters/store-memory.ts';
import { fold } from '../../functions/ledger/fold.ts';
import { commitKey, snapshotKey } from '../../functions/ledger/keys.ts';
import { seal } from '../../functions/ledger/sealed.ts';
import { snapshotCommits } from '../../functions/ledger/snapshot.ts';
import type { ObjectStore } from '../../functions/ports.ts';
import { CLOCK, putFiles, recordOf } from '../ledger/records.ts';
import { grouped, type Storm } from './storm.ts';

const FOLD_SECONDS = 30;
const SNAPSHOT_BYTES = 2_000_000;

export const SCALE: Storm = {
  name: 'scale',
  title: 'Scale',
  wanted: ({ commits, onDisk }) =>
    `${grouped(commits)} commits of one month in ${onDisk ? 'a folder' : 'a store in memory'}: fold < ${FOLD_SECONDS} s of processor time, snapshot < ${SNAPSHOT_BYTES / 1e6} MB`,
  run: async ({ commits, onDisk, folder, note }) => {
    const store = onDisk ? localStore(folder) : memoryStore();
    const landed = onDisk ? quickly(folder) : store;
    for (let n = 0; n < commits; n++) {
      const record = await putFiles(landed, recordOf({ content: `c${n}`, name: `gateway-${n % 24}/${n}.jsonl` }));
      await landed.putIfAbsent(commitKey(record.cid, record.generation), seal(record));
      if (n % 5000 === 0) note(`${grouped(n)} of ${grouped(commits)} commits written`);
    }
    note('fold');
    const seconds = processorTime();
    const snapshot = await fold(store, CLOCK);
    const first = seconds();
    assert.ok(snapshot !== null);
    const again = processorTime();
    assert.equal((await fold(store, CLOCK))?.n, snapshot.n, 'nothing is left to fold');
    const second = again();
    const contents = new Set<string>();
    for await (const { cid } of snapshotCommits(store, snapshot)) contents.add(cid);
    assert.deepEqual([contents.size, snapshot.datasets.token_usage?.files], [commits, commits]);
    const bytes = (await store.head(snapshotKey(snapshot.n)))?.bytes ?? Number.POSITIVE_INFINITY;
    assert.ok(first < FOLD_SECONDS, `the fold took ${first} s of processor time`);
    assert.ok(bytes < SNAPSHOT_BYTES, `the snapshot has ${bytes} bytes`);
    return `folded in ${first.toFixed(1)} s, nothing new found in ${second.toFixed(1)} s, snapshot ${grouped(bytes)} bytes, ${snapshot.segments.length} segments`;
  },
};

/** Of this process, whatever else the machine does meanwhile. */
function processorTime(): () => number {
  const start = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1e6;
  };
}

/** Writes as a store does, but without waiting for the disk: what is measured comes after. */
function quickly(root: string): ObjectStore {
  const made = new Set<string>();
  return {
    ...localStore(root),
    putIfAbsent: async (key, body) => {
      assert.ok(body instanceof Uint8Array);
      const path = join(root, key);
      if (!made.has(dirname(path))) mkdirSync(dirname(path), { recursive: true });
      made.add(dirname(path));
      writeFileSync(path, body);
      return 'created';
    },
  };
}
