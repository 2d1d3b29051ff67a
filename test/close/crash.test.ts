/** A close that dies anywhere is finished by the next one: the same bytes, one bill. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { closeCentre } from '../../functions/cli/close.ts';
import { type MonthState, stateOf } from '../../functions/cli/closing.ts';
import { createCentreKey } from '../../functions/cli/wiring.ts';
import type { CloseCrashPoint } from '../../functions/close/judge.ts';
import { type ObjectStore, TransientStoreError } from '../../functions/ports.ts';
import { LAUNCH } from '../cli/run.ts';
import { centreIn, type LivingCentre, livingCentre } from './support.ts';

const ROWS = join(import.meta.dirname, 'situations', 'late-rows-become-corrections');
const POINTS: readonly CloseCrashPoint[] = [
  'close.afterGate',
  'close.afterPin',
  'close.midRate',
  'close.afterObject',
  'close.beforeSlot',
  'close.afterSlot',
];
/** A close that died before it pinned anything starts from what is there. */
const BEFORE_THE_PIN: ReadonlySet<CloseCrashPoint> = new Set(['close.afterGate', 'close.midRate']);

/** Other prices and further rows, which must not reach a month that is pinned. */
async function changeEverything(living: LivingCentre): Promise<void> {
  const book = join(living.directory, 'price-book.yaml');
  writeFileSync(book, readFileSync(book, 'utf8').replaceAll('price: "10"', 'price: "11"').replace('output: "8"', 'output: "9"'));
  const rows = join(living.directory, 'usage-9.csv');
  writeFileSync(rows, 'id,at,team,model,input,output\nr9,2025-11-07T12:00:00+08:00,research,chat,1000000,1000000\n');
  await living.land([rows]);
}

/** October is closed, late rows have landed: closing November issues a bill with corrections, and a statement of October. */
let ready = '';
let scratch = '';
/** What an undisturbed close of November leaves. */
let expected: Record<string, string> = {};

before(async () => {
  const living = livingCentre(ROWS);
  await living.land(['usage-1.csv']);
  createCentreKey(living.open());
  assert.equal((await living.close('2025-10')).state, 'closed');
  await living.land(['usage-2.csv', 'allocations-3.csv']);
  ready = living.directory;
  scratch = mkdtempSync(join(tmpdir(), 'kashi-crash-'));
  const undisturbed = copy('undisturbed');
  assert.equal((await centreIn(undisturbed, ROWS).close('2025-11')).state, 'closed');
  expected = issued(undisturbed);
  assert.ok('bills/2025-11/000.json' in expected && 'bills/2025-10/001.json' in expected);
});
after(() => {
  for (const folder of [ready, scratch]) rmSync(folder, { recursive: true, force: true });
});

function copy(name: string): string {
  const folder = join(scratch, name);
  cpSync(ready, folder, { recursive: true, preserveTimestamps: true });
  return folder;
}

/** Everything that a close writes. */
function issued(folder: string): Record<string, string> {
  const warehouse = join(folder, 'warehouse');
  const names = ['bills', 'closes', 'objects'].flatMap((part) =>
    readdirSync(join(warehouse, part), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(warehouse.length + 1)),
  );
  return Object.fromEntries(names.sort().map((name) => [name, readFileSync(join(warehouse, name), 'base64')]));
}

/** What people are told of the month meanwhile. */
function stateAfter(point: CloseCrashPoint): MonthState {
  if (BEFORE_THE_PIN.has(point)) return 'provisional';
  return point === 'close.afterSlot' ? 'closed' : 'closing';
}

describe('a close that dies', () => {
  test('in between, before and after, the states of months are those of the protocol', async () => {
    const centre = centreIn(ready, ROWS).open();
    const months = ['2025-10', '2025-11', '2026-06'];
    assert.deepEqual(await Promise.all(months.map((month) => stateOf(centre, month))), ['closed', 'provisional', 'open']);
    const after = centreIn(join(scratch, 'undisturbed'), ROWS).open();
    assert.deepEqual(await Promise.all(months.map((month) => stateOf(after, month))), ['adjusted', 'closed', 'open']);
  });

  for (const point of POINTS) {
    test(`at ${point} is finished by the next with the same bytes`, async () => {
      const folder = copy(point);
      const living = centreIn(folder, ROWS);
      const crash = (reached: CloseCrashPoint): void => {
        if (reached === point) throw new Error(`died at ${reached}`);
      };
      await assert.rejects(living.close('2025-11', { crash }), new RegExp(`died at ${point}`));
      assert.equal(await stateOf(living.open(), '2025-11'), stateAfter(point));
      if (!BEFORE_THE_PIN.has(point)) await changeEverything(living);
      const again = await living.close('2025-11');
      assert.equal(again.state, point === 'close.afterSlot' ? 'already' : 'closed');
      assert.deepEqual(issued(folder), expected);
    });
  }

  for (const took of ['took effect', 'did not take effect']) {
    test(`does not die when the outcome of taking the slot is unknown and it ${took}`, async () => {
      const folder = copy(`unknown ${took}`);
      const centre = centreIn(folder, ROWS).open();
      let lost = 0;
      const store: ObjectStore = {
        ...centre.store,
        putIfAbsent: async (key, body) => {
          if (key !== 'bills/2025-11/000.json' || lost > 0) return await centre.store.putIfAbsent(key, body);
          lost += 1;
          if (took === 'took effect') await centre.store.putIfAbsent(key, body);
          throw new TransientStoreError('the connection was lost');
        },
      };
      const points: string[] = [];
      const outcome = await closeCentre({ ...centre, store }, '2025-11', true, { crash: (point) => void points.push(point) });
      assert.equal(outcome.state, 'closed');
      assert.ok(points.includes('close.slotUnknown'));
      assert.deepEqual(issued(folder), expected);
    });
  }
});

/** Repeatable noise in [0, 1). */
function noise(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Runs the real command; killed after `afterMs` when given. */
async function closeProcess(folder: string, afterMs: number | null): Promise<{ code: number | null; ms: number; stdout: string }> {
  const started = performance.now();
  const child = spawn(process.execPath, [LAUNCH, 'close', '2025-11', '--config', join(folder, 'kashi.yaml'), '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString('utf8');
  });
  const timer = afterMs === null ? null : setTimeout(() => child.kill('SIGKILL'), afterMs);
  const code = await new Promise<number | null>((done) => child.on('close', done));
  if (timer !== null) clearTimeout(timer);
  return { code, ms: performance.now() - started, stdout };
}

/** The bill and its slot; the pin and what depends on its clock differ from run to run. */
function billOf(folder: string): { bills: string[]; sha256: string } {
  const bills = Object.keys(issued(folder)).filter((name) => name.startsWith('bills/'));
  const record = JSON.parse(readFileSync(join(folder, 'warehouse', 'bills', '2025-11', '000.json'), 'utf8')) as { text: string };
  return { bills, sha256: (JSON.parse(record.text) as { bill: string }).bill };
}

describe('SIGKILL', () => {
  test('twelve processes killed at random moments, then one that finishes: one bill, the same digest', async () => {
    const whole = copy('whole');
    const { ms, code } = await closeProcess(whole, null);
    assert.equal(code, 0);
    const random = noise(20251101);
    let deaths = 0;
    for (let run = 0; run < 4; run += 1) {
      const folder = copy(`killed-${run}`);
      // Three deaths, then life.
      for (let death = 0; death < 3; death += 1) deaths += (await closeProcess(folder, random() * ms * 1.05)).code === null ? 1 : 0;
      const last = await closeProcess(folder, null);
      assert.equal(last.code, 0, last.stdout);
      assert.deepEqual(billOf(folder), billOf(whole), `run ${run}`);
      assert.equal((await centreIn(folder, ROWS).verify('2025-11')).matches, true);
      rmSync(folder, { recursive: true, force: true });
    }
    assert.ok(deaths > 0, 'some were killed');
  });
});

describe('eight processes', () => {
  test('that close the same month at once issue one bill, and all say the same', async () => {
    const folder = copy('raced');
    const results = await Promise.all(Array.from({ length: 8 }, () => closeProcess(folder, null)));
    assert.deepEqual(
      results.map(({ code }) => code),
      results.map(() => 0),
    );
    const said = results.map(({ stdout }) => JSON.parse(stdout) as { sha256: string; record_sha256: string });
    assert.equal(new Set(said.map(({ sha256 }) => sha256)).size, 1);
    assert.equal(new Set(said.map(({ record_sha256 }) => record_sha256)).size, 1);
    assert.deepEqual(billOf(folder).bills, ['bills/2025-10/000.json', 'bills/2025-10/001.json', 'bills/2025-11/000.json']);
  });
});
