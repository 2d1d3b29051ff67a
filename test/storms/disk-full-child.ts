/** Child of disk-full.ts, on a small file system (or under a quota of its own): fills it but for a little, tries, looks at what stands, makes space, tries again. */
import assert from 'node:assert/strict';
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { closeCentre } from '../../functions/cli/close.ts';
import { ingestInto } from '../../functions/cli/ingest.ts';
import { type Centre, landedObjects } from '../../functions/cli/wiring.ts';
import { KashiError } from '../../functions/domain/errors.ts';
import { Random } from '../../functions/generate/random.ts';
import { readCommit } from '../../functions/ledger/commit.ts';
import { parseCommitKey } from '../../functions/ledger/keys.ts';
import { centreIn } from '../close/support.ts';
import type { DiskFullSaid } from './disk-full.ts';
import { assertSound, assertStored, countKeys, DAY_MS, landFile, monthMs, type UsageRow, usageRow, usageText } from './usage.ts';

const [root = '', sweep = 'pages', stepText = '1'] = process.argv.slice(2);
const step = Number(stepText);
const directory = join(root, 'centre');
const ballast = join(root, 'ballast');
cpSync(join(import.meta.dirname, '..', 'close', 'centre'), directory, { recursive: true });
const isQuota = sweep.endsWith('quota');
let quotaBytes = Number.POSITIVE_INFINITY;
if (isQuota) limitWrites();
const living = centreIn(directory, null);
const random = new Random('1', 'disk-full');
const planted: UsageRow[] = [];
const failures: Record<string, number> = {};

/** Leaves so many pages, or names, on the file system. */
function fill(free: number): void {
  if (isQuota) {
    quotaBytes = free * 256;
    return;
  }
  if (sweep === 'names') {
    mkdirSync(ballast);
    const { ffree } = statfsSync(root);
    for (let n = 0; n < ffree - free; n++) writeFileSync(join(ballast, String(n)), '');
    return;
  }
  const { bavail, bsize } = statfsSync(root);
  const descriptor = openSync(ballast, 'w');
  const zeros = Buffer.alloc(bsize);
  for (let page = 0; page < bavail - free; page++) writeSync(descriptor, zeros);
  closeSync(descriptor);
}

/** Whole files that the store writes count; the one that would go beyond fails as on a full disk, half written. */
function limitWrites(): void {
  const { open } = promises;
  promises.open = async (...args) => {
    const handle = await open(...args);
    const { writeFile } = handle;
    handle.writeFile = async (data, options) => {
      const bytes = (data as Uint8Array).length;
      if (bytes > quotaBytes) {
        await writeFile.call(handle, (data as Uint8Array).subarray(0, quotaBytes), options);
        throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
      }
      quotaBytes -= bytes;
      await writeFile.call(handle, data, options);
    };
    return handle;
  };
  syncBuiltinESMExports();
}

function makeSpace(): void {
  quotaBytes = Number.POSITIVE_INFINITY;
  rmSync(ballast, { recursive: true, force: true });
}

/** True when it went through. Errors: AssertionError for an error without a code of ours. */
async function typed(act: () => Promise<unknown>): Promise<boolean> {
  try {
    await act();
    return true;
  } catch (error) {
    assert.ok(error instanceof KashiError, `an error of another kind: ${error instanceof Error ? error.stack : error}`);
    assert.equal(error.code, 'store_unsuitable', error.toLines().join('\n'));
    assert.match(`${error.message} ${error.details.found}`, /space/i);
    failures[error.code] = (failures[error.code] ?? 0) + 1;
    return false;
  }
}

/** Every commit that stands can be read and has its files whole. */
async function commitsThatStand({ store }: Centre): Promise<number> {
  let commits = 0;
  for await (const { key } of store.list('_commits/')) {
    const { cid, generation } = parseCommitKey(key);
    const record = await readCommit(store, cid, generation);
    for (const file of record?.files ?? []) assert.equal((await store.head(file.key))?.bytes, file.bytes, file.key);
    commits++;
  }
  return commits;
}

async function sweepIngest(): Promise<DiskFullSaid> {
  for (let free = 0, attempts = 1; ; free += step, attempts++) {
    const rows = Array.from({ length: 40 }, (_, n) => usageRow(random, `n${attempts}-${n}`, monthMs('2025-10') + n * DAY_MS));
    planted.push(...rows);
    const path = landFile(directory, `usage-${attempts}.csv`, `${usageText(rows)}bad,never,research,chat,1,1\n`, monthMs('2025-12'));
    const centre = living.open();
    const before = await commitsThatStand(centre);
    const ingest = (): Promise<unknown> => ingestInto(living.open(), [...landedObjects([path], centre)], {}, true);
    fill(free);
    const went = await typed(ingest);
    const between = await commitsThatStand(centre);
    assert.ok(went ? between === before + 1 : between <= before + 1, `${between - before} commits`);
    makeSpace();
    // What failed after its commit is known to be in; what failed before it is read now.
    await ingest();
    const { commits, snapshot } = await assertSound(centre.store);
    assert.deepEqual(
      [commits, snapshot.totals['mapped']?.rows, snapshot.totals['mapped']?.quarantined],
      [before + 1, planted.length, before + 1],
    );
    if (!went && free < (isQuota ? 4000 : 400)) continue;
    assert.ok(went, `${free} free are not enough`);
    await assertStored(centre, planted);
    assert.deepEqual(leftovers(), [], 'nothing of failed attempts is left but files for the collector');
    return { attempts, failures, enough: free };
  }
}

/** Temporary files that nobody removed. */
function leftovers(): string[] {
  const folder = join(directory, 'warehouse', '.tmp');
  return existsSync(folder)
    ? readdirSync(folder).filter((name) => statSync(join(folder, name)).isFile() || readdirSync(join(folder, name)).length > 0)
    : [];
}

async function sweepClose(): Promise<DiskFullSaid> {
  const rows = Array.from({ length: 40 }, (_, n) => usageRow(random, `c${n}`, monthMs('2025-10') + (n % 31) * DAY_MS));
  await ingestInto(
    living.open(),
    [...landedObjects([landFile(directory, 'usage-1.csv', usageText(rows), monthMs('2025-12'))], living.open())],
    {},
    true,
  );
  const whole = join(root, 'whole');
  cpSync(directory, whole, { recursive: true, preserveTimestamps: true });
  const expected = await closeCentre(centreIn(whole, null).open(), '2025-10', true);
  assert.ok(expected.state === 'closed');
  rmSync(whole, { recursive: true });
  const { store } = living.open();
  for (let free = 0, attempts = 1; ; free += step, attempts++) {
    fill(free);
    const went = await typed(() => closeCentre(living.open(), '2025-10', true));
    makeSpace();
    const bills = await countKeys(store, 'bills/');
    assert.ok(bills === 0 || bills === 1, `${bills} bills`);
    if (!went && free < (isQuota ? 20_000 : 1000)) continue;
    assert.ok(went, `${free} free are not enough`);
    const closed = await closeCentre(living.open(), '2025-10', true);
    assert.equal(closed.state, 'already');
    assert.equal(closed.state === 'already' && closed.signed.value.bill, expected.signed.value.bill);
    assert.equal((await living.verify('2025-10')).problem, null);
    return { attempts, failures, enough: free };
  }
}

const said = sweep.startsWith('close') ? await sweepClose() : await sweepIngest();
process.stdout.write(JSON.stringify(said));
