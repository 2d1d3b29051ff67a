/** Real watchers, killed at random moments while files arrive in every way: each row is in the bill exactly once. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { BillDocument } from '../../functions/billing/bill-document.ts';
import { Random } from '../../functions/generate/random.ts';
import { json, kashi } from '../cli/run.ts';
import { DELIVERIES, PERIOD, Planted, pause, until, type WatchCentre, type Watcher, watchCentre } from './process.ts';

interface StatusJson {
  readonly landed_not_ingested: readonly string[];
  readonly held: readonly unknown[];
  readonly equation: { readonly physical: number; readonly valid: number; readonly quarantined: number; readonly residual: number };
  readonly watch: { readonly state: string; readonly failing: readonly unknown[]; readonly faults: readonly unknown[] } | null;
  readonly provisional: readonly { readonly period: string; readonly total: string }[];
}

const KILLS = 15;

/** Waits until everything is in, stops the watchers in order, and compares every number with what was planted. */
async function checkAll(centre: WatchCentre, planted: Planted, watchers: readonly Watcher[]): Promise<void> {
  const same = (): boolean => {
    const { rows, output } = centre.stored();
    return rows === planted.rows && output === planted.output;
  };
  const billed = (): string | undefined =>
    json<StatusJson>(kashi(['status', '--json'], { cwd: centre.directory })).provisional.find(({ period }) => period === PERIOD)?.total;
  await until(same);
  const bill = (): BillDocument => json<BillDocument>(kashi(['bill', PERIOD, '--json'], { cwd: centre.directory }));
  await until(() => billed() === bill().total);
  for (const { child } of watchers) child.kill('SIGTERM');
  for (const { ended, output } of watchers) assert.equal(await ended, 0, output());

  assert.deepEqual(centre.stored(), planted.counts());
  const status = json<StatusJson>(kashi(['status', '--json'], { cwd: centre.directory }));
  assert.deepEqual(status.landed_not_ingested, []);
  assert.deepEqual(status.held, []);
  const { physical, valid, quarantined, residual } = status.equation;
  assert.deepEqual(
    { physical, valid, quarantined, residual },
    { physical: planted.rows, valid: planted.rows, quarantined: 0, residual: 0 },
  );
  assert.deepEqual([status.watch?.state, status.watch?.failing, status.watch?.faults], ['ended', [], []]);

  const { total, bills } = bill();
  const quantity = (sku: string): string | undefined => bills[0]?.lines.find((line) => line.sku === sku)?.quantity;
  assert.equal(quantity('m:output'), millions(planted.output));
  assert.equal(quantity('m:input_uncached'), millions(planted.rows));
  assert.equal(billed(), total, 'the provisional bill');
  const document = JSON.parse(readFileSync(join(centre.directory, 'warehouse', 'provisional', `${PERIOD}.json`), 'utf8')) as BillDocument;
  assert.deepEqual(document.bills, bills);
}

/** Example: 1234567 → '1.234567'. */
function millions(tokens: number): string {
  const text = String(tokens).padStart(7, '0');
  return `${text.slice(0, -6)}.${text.slice(-6)}`;
}

for (const [way, deliver] of Object.entries(DELIVERIES)) {
  test(`${KILLS} kills while files are ${way}`, async (t) => {
    const centre = watchCentre();
    t.after(() => centre.remove());
    const random = new Random('watch-kills', way);
    const planted = new Planted();
    let over = false;
    const delivering = deliver(centre.landing, planted, new Random('watch-deliveries', way), () => over);
    let committed = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const { child, ended, output } = centre.start();
      // Every other kill comes while it starts or begins to work, the others when it is well under way.
      if (kill % 2 === 1) await until(() => /"committed":[1-9]/.test(output()), 30);
      await pause(random.int(0, 1_500));
      child.kill('SIGKILL');
      assert.equal(await ended, null, output());
      if (/"committed":[1-9]/.test(output())) committed++;
    }
    over = true;
    await delivering;
    assert.ok(committed >= Math.floor(KILLS / 2), `${committed} of ${KILLS} had committed something`);
    await checkAll(centre, planted, [centre.start()]);
  });
}

test('two watchers on one warehouse, all deliveries at once', async (t) => {
  const centre = watchCentre();
  t.after(() => centre.remove());
  const planted = new Planted();
  let over = false;
  const delivering = Object.entries(DELIVERIES).map(([way, deliver]) =>
    deliver(centre.landing, planted, new Random('two', way), () => over),
  );
  const watchers = [centre.start(), centre.start()];
  const working = (): boolean => watchers.every(({ output }) => (output().match(/"(?:committed|known)":[1-9]/g) ?? []).length >= 5);
  await until(working);
  over = true;
  await Promise.all(delivering);
  assert.ok(working(), 'both worked');
  await checkAll(centre, planted, watchers);
});
