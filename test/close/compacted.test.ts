/** Compaction and collection below a bill: the same bytes, the same explanations, and closed months that verify. */
import assert from 'node:assert/strict';
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { EXPLAINED, explainLine } from '../../functions/billing/explain.ts';
import { rate } from '../../functions/cli/bill.ts';
import { collectCentre } from '../../functions/cli/collect.ts';
import { compactCentre } from '../../functions/cli/compact.ts';
import { ingestInto } from '../../functions/cli/ingest.ts';
import { withSession } from '../../functions/cli/session.ts';
import { type Centre, landedObjects, openCentre, verifyIsolated } from '../../functions/cli/wiring.ts';
import { newestSnapshot, snapshotCommits } from '../../functions/ledger/snapshot.ts';
import { defineModels } from '../../functions/warehouse/run.ts';
import { close, generated, PERIOD, removeGenerated, splitAnew } from './generated.ts';

const DAY_MS = 86_400_000;
/** Lines that are explained, spread over the bill. */
const EXPLAINED_LINES = 20;
const copies: string[] = [];
after(() => {
  removeGenerated();
  for (const copy of copies) rmSync(copy, { recursive: true, force: true });
});

function copyOf(centre: Centre): Centre {
  const from = dirname(centre.warehouseDirectory);
  const to = `${from}-copy`;
  copies.push(to);
  cpSync(from, to, { recursive: true, preserveTimestamps: true });
  return { ...openCentre({ config: join(to, 'kashi.yaml') }), clock: centre.clock };
}

function later(centre: Centre, days: number): Centre {
  return { ...centre, clock: { now: () => Math.max(Date.now(), centre.clock.now()) + days * DAY_MS } };
}

/** Compacted as a schedule would, then collected when nothing but pins keeps the old files. */
async function tidy(centre: Centre): Promise<{ merged: number; deleted: number }> {
  const { groups } = await compactCentre(later(centre, 3), { minFiles: 2 });
  const { garbage } = await collectCentre(later(centre, 40));
  return { merged: groups.reduce((sum, { files }) => sum + files, 0), deleted: garbage.length };
}

/** Bill and explanations, without the number of the snapshot. */
async function answers(centre: Centre): Promise<{ bill: unknown; explained: unknown[] }> {
  return await withSession(centre, PERIOD, async (session) => {
    const { document } = await rate(session, PERIOD, null);
    await defineModels(session.warehouse, session.models, EXPLAINED);
    const { snapshot: _number, ...bill } = document;
    const explained: unknown[] = [];
    const lines = document.bills.flatMap((one) => one.lines);
    const step = Math.ceil(lines.length / EXPLAINED_LINES);
    for (const { line_id } of lines.filter((_, place) => place % step === 0)) explained.push(await explainLine(session.warehouse, line_id));
    return { bill, explained };
  });
}

function dataFiles(centre: Centre): number {
  return readdirSync(join(centre.warehouseDirectory, 'data'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    .length;
}

test('a bill, its explanations and its SHA-256 are the same before and after; a closed month verifies without its inputs', async () => {
  const centre = await generated();
  splitAnew(centre.landingDirectory);
  await ingestInto(centre, [...landedObjects([centre.landingDirectory], centre)], {}, true);
  const plain = copyOf(centre);
  const before = await answers(centre);
  const files = dataFiles(centre);

  const { merged, deleted } = await tidy(centre);
  assert.ok(merged > 50 && deleted === merged, `${merged} merged, ${deleted} deleted`);
  assert.ok(dataFiles(centre) < files / 3, `${files} files before, ${dataFiles(centre)} after`);
  const after = await answers(centre);
  assert.deepEqual(after.bill, before.bill);
  assert.ok(before.explained.length > EXPLAINED_LINES / 2);
  assert.deepEqual(after.explained, before.explained);

  const [one, other] = [await close(plain), await close(centre)];
  assert.equal(other.bill, one.bill);
  assert.equal(other.sha256, one.sha256);

  // The month that was closed over the small files keeps them, whatever is compacted and collected after it.
  const pinned = dataFiles(plain);
  assert.deepEqual(await tidy(plain), { merged, deleted: 0 });
  assert.ok(dataFiles(plain) > pinned);
  for (const closed of [plain, centre]) {
    const run = await verifyIsolated(closed, PERIOD, null);
    assert.equal((JSON.parse(run.stdout) as { matches: boolean }).matches, true, run.stdout);
  }

  // Read again after their rows were compacted and the small files deleted: the rows are replaced, not doubled.
  await ingestInto(centre, [...landedObjects([centre.landingDirectory], centre)], { reparse: true }, true);
  const snapshot = (await newestSnapshot(centre.store))!;
  for await (const { generation, kind } of snapshotCommits(centre.store, snapshot)) assert.ok(generation > 0 || kind === 'held');
  assert.deepEqual((await answers(centre)).bill, before.bill);
});
