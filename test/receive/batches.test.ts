/** Batches on a real disk, with a clock that the test moves. */
import assert from 'node:assert/strict';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { localSpool } from '../../functions/adapters/spool-local.ts';
import { localStore } from '../../functions/adapters/store-local.ts';
import { type ObjectStore, type Spool, TransientStoreError } from '../../functions/ports.ts';
import { LineBatches } from '../../functions/receive/batches.ts';
import { landedKey } from '../../functions/receive/landed-key.ts';
import { receiveLimits } from '../../functions/receive/limits.ts';

const AT = Date.UTC(2026, 9, 20, 23, 59, 59, 999);

interface Bench {
  readonly batches: LineBatches;
  readonly clock: { at: number };
  readonly faults: unknown[];
  readonly spoolFolder: string;
  landed(): Record<string, string>;
}

function bench(
  t: TestContext,
  changes: { store?: (store: ObjectStore) => ObjectStore; spool?: (spool: Spool) => Spool; batchBytes?: number } = {},
): Bench {
  const root = mkdtempSync(join(tmpdir(), 'kashi-batches-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const landing = join(root, 'landing');
  const spoolFolder = join(landing, '.receive');
  const clock = { at: AT };
  const faults: unknown[] = [];
  let ids = 0;
  const batches = new LineBatches({
    spool: (changes.spool ?? ((spool) => spool))(localSpool(spoolFolder)),
    store: (changes.store ?? ((store) => store))(localStore(landing)),
    clock: { now: () => clock.at },
    newId: () => `id${++ids}`,
    limits: { ...receiveLimits(1_000, 5_000), batchBytes: changes.batchBytes ?? 1_000 },
    onFault: (fault) => faults.push(fault),
  });
  const landed = (): Record<string, string> => {
    const names = existsSync(landing)
      ? (readdirSync(landing, { recursive: true }) as string[]).filter((name) => name.endsWith('.jsonl') && !name.startsWith('.'))
      : [];
    return Object.fromEntries(names.sort().map((name) => [name.replaceAll('\\', '/'), readFileSync(join(landing, name), 'utf8')]));
  };
  return { batches, clock, faults, spoolFolder, landed };
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test('the name of a landed object carries the UTC day of its beginning', () => {
  assert.equal(landedKey('otlp-metrics/edge-a', AT, 'k3', 'jsonl'), 'otlp-metrics/edge-a/2026/10/20/1792540799999-k3.jsonl');
  assert.equal(landedKey('x', AT + 1, 'k3', 'jsonl'), 'x/2026/10/21/1792540800000-k3.jsonl');
});

test('requests of one folder share an object; it appears when it is old, not a millisecond before', async (t) => {
  const { batches, clock, landed, spoolFolder, faults } = bench(t);
  await Promise.all([batches.append('a/s', bytes('1')), batches.append('b/s', bytes('2')), batches.append('a/s', bytes('3'))]);
  assert.equal(readdirSync(spoolFolder).length, 2, 'accepted is on the disk');
  clock.at = AT + 4_999;
  await batches.tick();
  assert.deepEqual(landed(), {});
  clock.at = AT + 5_000;
  await batches.tick();
  assert.deepEqual(landed(), { 'a/s/2026/10/20/1792540799999-id1.jsonl': '1\n3\n', 'b/s/2026/10/20/1792540799999-id2.jsonl': '2\n' });
  assert.deepEqual([readdirSync(spoolFolder), faults], [[], []]);
});

test('a full object is handed over at once, with every line that was under way', async (t) => {
  const { batches, landed } = bench(t, { batchBytes: 100 });
  const lines = Array.from({ length: 50 }, (_item, index) => `line-${String(index).padStart(4, '0')}`);
  await Promise.all(lines.map((line) => batches.append('a/s', bytes(line))));
  await batches.close();
  const objects = Object.values(landed());
  assert.deepEqual(objects.join('').trimEnd().split('\n').sort(), lines);
  assert.deepEqual(
    objects.map((text) => text.length).sort((a, b) => a - b),
    [100, 100, 100, 100, 100],
  );
});

test('what a killed receiver left is handed over once, without the line it did not finish', async (t) => {
  const { batches, clock, landed, spoolFolder, faults } = bench(t);
  mkdirSync(spoolFolder, { recursive: true });
  const leave = (name: string, text: string, atMs: number): void => {
    writeFileSync(join(spoolFolder, name), text);
    utimesSync(join(spoolFolder, name), new Date(atMs), new Date(atMs));
  };
  const abandoned = AT - receiveLimits(1_000, 5_000).abandonedMs;
  leave('a~s~2026~10~20~1-x.jsonl', '{"whole":1}\n{"half', abandoned - 1);
  leave('a~s~2026~10~20~2-x.jsonl', '{"nothing', abandoned - 1);
  leave('a~s~2026~10~20~3-x.jsonl', '{"alive":1}\n', abandoned);
  await batches.tick();
  assert.deepEqual(landed(), { 'a/s/2026/10/20/1-x.jsonl': '{"whole":1}\n' });
  assert.deepEqual(readdirSync(spoolFolder), ['a~s~2026~10~20~3-x.jsonl']);
  // It died between handing over and tidying up: the same object again.
  leave('a~s~2026~10~20~1-x.jsonl', '{"whole":1}\n', abandoned - 1);
  clock.at = AT + 1;
  await batches.tick();
  assert.deepEqual(landed(), { 'a/s/2026/10/20/1-x.jsonl': '{"whole":1}\n', 'a/s/2026/10/20/3-x.jsonl': '{"alive":1}\n' });
  assert.deepEqual([readdirSync(spoolFolder), faults], [[], []]);
});

test('a hand-over that fails is tried again', async (t) => {
  let broken = true;
  const { batches, clock, landed, faults, spoolFolder } = bench(t, {
    store: (store) => ({
      ...store,
      putIfAbsent: async (key, body) => {
        if (broken) throw new TransientStoreError('the disk is away');
        return await store.putIfAbsent(key, body);
      },
    }),
  });
  await batches.append('a/s', bytes('1'));
  clock.at += 5_000;
  await batches.tick();
  assert.deepEqual([landed(), faults.length, readdirSync(spoolFolder).length], [{}, 1, 1]);
  broken = false;
  clock.at = Date.now() + 60_000;
  await batches.tick();
  assert.deepEqual(Object.values(landed()), ['1\n']);
});

test('an append that fails is not accepted, does not spoil its neighbours, and the next request begins anew', async (t) => {
  let fail = false;
  const { batches, landed, spoolFolder } = bench(t, {
    spool: (spool) => ({
      ...spool,
      create: async (name) => {
        const file = await spool.create(name);
        return {
          append: async (lines) => {
            if (!fail) return await file.append(lines);
            // Half of it reaches the disk before the disk is full.
            appendFileSync(join(spoolFolder, name), lines.subarray(0, 3));
            throw new Error('ENOSPC');
          },
          finish: () => file.finish(),
        };
      },
    }),
  });
  await batches.append('a/s', bytes('first'));
  fail = true;
  await assert.rejects(batches.append('a/s', bytes('second')), /ENOSPC/);
  fail = false;
  await batches.append('a/s', bytes('third'));
  await batches.close();
  assert.deepEqual(Object.values(landed()), ['first\n', 'third\n']);
});
