/** A generated centre whose files come in any order and number: after each delta the bill from rollups is the bill from rows. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { compactCentre } from '../../functions/cli/compact.ts';
import { ingestInto } from '../../functions/cli/ingest.ts';
import { type Centre, landedObjects } from '../../functions/cli/wiring.ts';
import { KashiError } from '../../functions/domain/errors.ts';
import { Random } from '../../functions/generate/random.ts';
import { generated, PERIOD, removeGenerated } from '../close/generated.ts';
import { assertSame, filesBelow, kept, rolledBill } from './support.ts';

const SEED = process.env['KASHI_TEST_SEED'] ?? 'rollup 1';
const DAY_MS = 86_400_000;
after(removeGenerated);

async function land(centre: Centre, files: readonly string[], reparse = false): Promise<void> {
  await ingestInto(centre, [...landedObjects(files, centre)], { reparse }, true);
}

function shuffled<T>(items: readonly T[], pick: (below: number) => number): T[] {
  const left = [...items];
  return items.map(() => left.splice(pick(left.length), 1)[0] as T);
}

test(`deltas in any order, compaction, a content read again, files that are gone or changed (seed ${SEED})`, async () => {
  const centre = await generated();
  const landing = join(dirname(centre.warehouseDirectory), 'landing');
  const random = new Random(SEED, 'order of files');
  const files = shuffled(filesBelow(landing), (below) => random.int(0, below - 1));
  const totals: string[] = [];
  const step = async (why: string): Promise<void> => {
    totals.push(await assertSame(centre, PERIOD, `${why} (seed ${SEED})`));
  };

  for (let from = 0; from < files.length; ) {
    const to = from === 0 ? Math.ceil(files.length / 2) : from + random.int(1, Math.ceil(files.length / 4));
    await land(centre, files.slice(from, to));
    await step(`files ${from} to ${to} of ${files.length}`);
    from = to;
  }
  assert.ok(new Set(totals).size > 1, 'deltas change the bill');

  await compactCentre({ ...centre, clock: { now: () => Math.max(Date.now(), centre.clock.now()) + 3 * DAY_MS } }, { minFiles: 2 });
  const before = await kept(centre, 'parts/');
  await step('compacted');
  assert.deepEqual(await kept(centre, 'parts/'), before, 'where rows lie is no reason to add them up again');

  const logs = filesBelow(join(landing, 'litellm'));
  await land(centre, [copyOf(logs[0]!, 'a copy'), changedCopyOf(logs.at(-1)!)]);
  await step('requests repeated in another file, some with other tokens');
  const parts = await kept(centre, 'parts/');
  await step('nothing new');
  assert.deepEqual(await kept(centre, 'parts/'), parts, 'nothing new is nothing to do');

  await land(centre, [logs[0]!], true);
  await step('read again');

  for (const key of (await kept(centre)).filter((_, place) => place % 2 === 0)) spoil(centre, key);
  await step('every second file changed');
  for (const key of await kept(centre)) await centre.store.delete(key);
  await step('all gone');
});

function textOf(file: string): string {
  const raw = readFileSync(file);
  return (raw[0] === 0x1f && raw[1] === 0x8b ? gunzipSync(raw) : raw).toString('latin1');
}

function beside(file: string, name: string): string {
  const path = join(dirname(file), name, 'again.jsonl');
  mkdirSync(dirname(path), { recursive: true });
  return path;
}

/** The same requests in another order, so that it is another content. */
function copyOf(file: string, name: string): string {
  const path = beside(file, name);
  writeFileSync(path, `${textOf(file).trimEnd().split('\n').reverse().join('\n')}\n`, 'latin1');
  return path;
}

/** The same requests with other numbers of output tokens: each loses a conflict. */
function changedCopyOf(file: string): string {
  const path = beside(file, 'changed');
  writeFileSync(
    path,
    textOf(file).replaceAll(/"completion_tokens": ?(\d+)/g, (_, tokens: string) => `"completion_tokens":${Number(tokens) + 1}`),
    'latin1',
  );
  return path;
}

function spoil(centre: Centre, key: string): void {
  appendFileSync(join(centre.warehouseDirectory, key), 'x');
}

test('a second bill computes nothing from rows that were there before', async () => {
  const centre = await generated();
  const files = filesBelow(join(dirname(centre.warehouseDirectory), 'landing'));
  await land(centre, files);
  await rolledBill(centre, PERIOD);
  const opened: string[] = [];
  const get = async (key: string): Promise<Uint8Array | null> => {
    opened.push(key);
    return await centre.store.get(key);
  };
  const watched = { ...centre, store: { ...centre.store, get } };
  await rolledBill(watched, PERIOD);
  const rows = opened.filter((key) => /^data\/(token_usage|gpu_sample)\//.test(key));
  assert.deepEqual(rows, [], 'no file of token rows or samples is read');
});

test('a disk on which nothing can be kept is no reason to print no bill', async () => {
  const centre = await generated();
  await land(centre, filesBelow(join(dirname(centre.warehouseDirectory), 'landing')));
  const refused: string[] = [];
  const putIfAbsent = async (key: string): Promise<never> => {
    refused.push(key);
    throw new KashiError('store_unsuitable', 'no space left in the warehouse directory');
  };
  await assertSame({ ...centre, store: { ...centre.store, putIfAbsent } }, PERIOD, 'full');
  assert.ok(refused.length > 0 && refused.every((key) => key.startsWith('data/_rollup/')));
});
