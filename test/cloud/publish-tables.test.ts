/** A snapshot as tables of a catalog: what is pointed at, in which order, and what a reader sees in between. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { sha256OfFile } from '../../functions/adapters/parquet-duckdb.ts';
import { readSqlFiles } from '../../functions/adapters/sql-files.ts';
import { writeParquet } from '../../functions/adapters/write-parquet.ts';
import { compactCentre } from '../../functions/cli/compact.ts';
import type { Centre } from '../../functions/cli/wiring.ts';
import { type Publishing, publishTables } from '../../functions/cloud/publish-tables.ts';
import { emptyFolder } from '../../functions/cloud/published.ts';
import { DATASETS, SNAPSHOT_TABLES } from '../../functions/datasets.ts';
import { KashiError } from '../../functions/domain/errors.ts';
import { REFERENCE } from '../../functions/domain/reference.ts';
import { newestSnapshot, snapshotFiles } from '../../functions/ledger/snapshot.ts';
import type { TablePoint } from '../../functions/ports.ts';
import { catalogModels, loadModels } from '../../functions/warehouse/run.ts';
import { type TestCentre, testCentre } from '../support/centre.ts';
import { memoryCatalog } from '../support/memory-catalog.ts';
import { plainCentresOf } from '../support/plain-arbitrary.ts';
import { usageRow, withPlainCentre } from '../support/plain-centre.ts';

const DAY_MS = 86_400_000;

describe('a snapshot as tables', () => {
  const points = new Map<string, TablePoint>();
  const places: string[] = [];
  let order: string[] = [];
  let opened: TestCentre;

  before(async () => {
    const [plain] = fc.sample(plainCentresOf(1), { numRuns: 1, seed: 7 });
    assert.ok(plain !== undefined && plain.usages.length > 1);
    const rows = plain.usages.map(usageRow);
    const files = ['usage.csv', 'usage-2.csv'].map((name, index) => ({ name, rows: rows.filter((_, row) => row % 2 === index) }));
    await withPlainCentre(plain.timeZone, plain.book, files, async (directory) => {
      opened = testCentre(directory);
      await opened.ingest();
    });
    const models = catalogModels(loadModels(readSqlFiles())).tables.map(({ name }) => name);
    const tables = [...Object.keys(SNAPSHOT_TABLES), ...Object.keys(REFERENCE), ...models];
    for (const name of [...Object.keys(DATASETS).map((one) => `stored_${one}`), ...tables])
      points.set(name, { folder: `s3://acme/${emptyFolder(name)}`, snapshot: null });
  });
  after(() => opened.remove());

  function publishing(): Publishing {
    const catalog = memoryCatalog(points);
    return {
      catalog: {
        ...catalog,
        point: async (table, to) => {
          order.push(table);
          await catalog.point(table, to);
        },
      },
      urlOf: (key) => `s3://acme/${key}`,
      writeRows: async (name, columns, rows) => {
        if (name === 'raw_file') places.splice(0, places.length, ...rows.map(([file]) => file ?? ''));
        const file = join(opened.directory, `${name}.parquet`);
        rmSync(file, { force: true });
        await writeParquet(file, { columns, rows });
        return file;
      },
      digestOf: sha256OfFile,
    };
  }

  async function keysOf({ store }: Centre): Promise<string[]> {
    const snapshot = await newestSnapshot(store);
    assert.ok(snapshot !== null);
    return [...new Set((await snapshotFiles(store, snapshot)).map(({ key }) => `s3://acme/${key}`))].sort();
  }

  test('every table says which snapshot it shows, and a dataset without rows reads the empty folder', async () => {
    const published = await publishTables(opened.centre, publishing());
    for (const [name, { snapshot }] of points) assert.equal(snapshot, published?.snapshot, name);
    assert.equal(points.get('stored_gpu_sample')?.folder, `s3://acme/${emptyFolder('stored_gpu_sample')}`);
    assert.match(points.get('stored_token_usage')?.folder ?? '', /^s3:\/\/acme\/_tables\/stored_token_usage\/\d{4}-\d{2}-[0-9a-f]{16}$/);
    assert.deepEqual([...new Set(places)].sort(), await keysOf(opened.centre));
  });

  test('again, nothing is pointed anywhere', async () => {
    order = [];
    assert.deepEqual((await publishTables(opened.centre, publishing()))?.moved, []);
    assert.deepEqual(order, []);
  });

  test('in a later month everything lies in folders of that month, so that the old ones may expire', async () => {
    const centre = { ...opened.centre, clock: { now: () => Date.now() + 32 * DAY_MS } };
    const moved = (await publishTables(centre, publishing()))?.moved ?? [];
    assert.deepEqual(
      [...points.keys()].filter((name) => !moved.includes(name)).sort(),
      Object.keys(DATASETS)
        .map((name) => `stored_${name}`)
        .filter((name) => name !== 'stored_token_usage')
        .sort(),
    );
  });

  test('after a compaction the places of both snapshots are known before a dataset moves', async () => {
    const former = await keysOf(opened.centre);
    const later = { ...opened.centre, clock: { now: () => Date.now() + 32 * DAY_MS } };
    await compactCentre(later, { minFiles: 2 });
    order = [];
    const { moved = [] } = (await publishTables(later, publishing())) ?? {};
    assert.ok(moved.includes('stored_token_usage') && moved.includes('raw_file'));
    assert.ok(order.indexOf('raw_file') < Math.min(...order.flatMap((name, at) => (name.startsWith('stored_') ? [at] : []))));
    assert.deepEqual([...new Set(places)].sort(), [...new Set([...former, ...(await keysOf(opened.centre))])].sort());
  });

  test('a catalog without the tables is said to be missing', async () => {
    const empty = { ...publishing(), catalog: memoryCatalog(new Map()) };
    await assert.rejects(publishTables(opened.centre, empty), (error) => error instanceof KashiError && error.code === 'not_found');
  });
});
