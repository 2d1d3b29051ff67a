/**
 * The rights of infra/access.ts are enough: every stage works on a store that refuses what the function's role would be refused. An emulator that
 * does not enforce IAM cannot show this.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { sha256OfFile } from '../../functions/adapters/parquet-duckdb.ts';
import { createLocalKey, localSigner } from '../../functions/adapters/signer-local.ts';
import { readSqlFiles } from '../../functions/adapters/sql-files.ts';
import { memoryStore } from '../../functions/adapters/store-memory.ts';
import { writeParquet } from '../../functions/adapters/write-parquet.ts';
import { closeCentre, previewCentre } from '../../functions/cli/close.ts';
import { collectCentre } from '../../functions/cli/collect.ts';
import { compactCentre } from '../../functions/cli/compact.ts';
import { waiveAll } from '../../functions/cli/waive.ts';
import { refreshedBills } from '../../functions/cli/watch-stages.ts';
import { type Centre, landedObjects } from '../../functions/cli/wiring.ts';
import { exportMonth } from '../../functions/cloud/export-month.ts';
import { ingestMessages } from '../../functions/cloud/ingest-messages.ts';
import { announcement } from '../../functions/cloud/landed-message.ts';
import { missingObjects } from '../../functions/cloud/missing.ts';
import { type Publishing, publishTables } from '../../functions/cloud/publish-tables.ts';
import { emptyFolder } from '../../functions/cloud/published.ts';
import { BILLS_PREFIXES, type FunctionName } from '../../functions/contract.ts';
import { DATASETS, SNAPSHOT_TABLES } from '../../functions/datasets.ts';
import { KashiError } from '../../functions/domain/errors.ts';
import { REFERENCE } from '../../functions/domain/reference.ts';
import { fold } from '../../functions/ledger/fold.ts';
import { newestSnapshot } from '../../functions/ledger/snapshot.ts';
import type { LandedObject, ObjectStore, TablePoint } from '../../functions/ports.ts';
import { catalogModels, loadModels } from '../../functions/warehouse/run.ts';
import { ACCESS, type BucketRights } from '../../infra/access.ts';
import type { TestCentre } from '../support/centre.ts';
import { memoryCatalog } from '../support/memory-catalog.ts';
import { smallCentre } from '../support/small-centre.ts';

const PERIOD = '2026-10';
const DAY_MS = 86_400_000;

describe('each function has the rights that its stage needs', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kashi-rights-'));
  let opened: TestCentre;
  let objects: Map<string, LandedObject>;
  const points = new Map<string, TablePoint>();

  before(async () => {
    opened = await smallCentre(true, 'landed');
    objects = new Map([...landedObjects([join(opened.directory, 'landing')], opened.centre)].map((object) => [object.name, object]));
    createLocalKey(join(folder, 'key.pem'));
  });
  after(() => {
    opened.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  test('ingest', async () => {
    const bodies = [...objects.keys()].map((name) => ({ id: name, body: announcement(name) }));
    const report = await ingestMessages(centreOf('ingest'), bodies, async ({ key }) => objects.get(key) as LandedObject);
    assert.deepEqual(report.faults, []);
    assert.equal(report.committed + report.known, objects.size);
  });

  test('reconcile', async () => {
    assert.equal((await missingObjects(centreOf('reconcile').store, landed(), Date.now(), 0)).all, 0);
  });

  test('seal', async () => {
    const { store, clock } = centreOf('seal');
    assert.equal((await fold(store, clock))?.n, 1);
  });

  test('compact', async () => {
    const { groups } = await compactCentre(later(centreOf('compact')), { minFiles: 2, quietDays: 0 });
    assert.ok(groups.some(({ outcome }) => outcome === 'compacted'));
  });

  test('refresh', async () => {
    const kept: string[] = [];
    await refreshedBills(centreOf('refresh'), 0, async ({ period, total }) => void kept.push(`${period} ${total}`));
    assert.ok(kept.some((one) => one.startsWith(PERIOD)));
  });

  test('publish', async () => {
    for (const name of tables()) points.set(name, { folder: `s3://acme/${emptyFolder(name)}`, snapshot: null });
    const published = await publishTables(centreOf('publish'), publishing());
    assert.ok(published?.moved.includes('bill_line'));
    assert.equal(points.get('raw_file')?.snapshot, (await newestSnapshot(opened.centre.store))?.n);
  });

  test('judge, close and export', async () => {
    const { state, sha256, hindrances } = await previewCentre(centreOf('judge'), PERIOD);
    assert.deepEqual([state, hindrances], ['ready', []]);
    const outcome = await closeCentre(centreOf('close'), PERIOD, true, { approved: sha256, isFolded: true });
    assert.equal(outcome.state, 'closed');
    // Its files lie on a disk of its own meanwhile, as on Lambda: nothing may be written into a warehouse.
    const exporter = { ...centreOf('export'), warehouseDirectory: join(folder, 'work') };
    const keys = await exportMonth(exporter, memoryStore(), PERIOD);
    for (const form of ['csv', 'pdf', 'xlsx', 'html'])
      assert.ok(
        keys.some((key) => key.startsWith(`files/${PERIOD}/statement.`) && key.endsWith(`.${form}`)),
        form,
      );
  });

  test('refresh and publish, when a month is closed', async () => {
    await refreshedBills(centreOf('refresh'), 0, async () => {});
    assert.deepEqual((await publishTables(centreOf('publish'), publishing()))?.periods.includes(PERIOD), true);
  });

  test('waive', async () => {
    const done = await waiveAll(centreOf('waive'), '2026-11', ['held:gw/x.jsonl'], { by: 'Li Wei', reason: 'empty' });
    assert.deepEqual(done, [{ subject: 'held:gw/x.jsonl', outcome: 'created' }]);
  });

  test('collect', async () => {
    const report = await collectCentre(later(centreOf('collect')));
    assert.ok(report.garbage.length > 0, 'what was compacted is garbage');
  });

  test('a right that is missing stops the stage', async () => {
    await assert.rejects(fold(centreOf('reconcile').store, opened.centre.clock), /reconcile may not/);
  });

  /** The centre as this function sees it. */
  function centreOf(name: FunctionName): Centre {
    const signer = ACCESS[name].signing === undefined ? null : localSigner(join(folder, 'key.pem'));
    const landedOf = (): ReturnType<typeof landed> => {
      if (ACCESS[name].buckets.landing?.list === undefined) throw refused(name, 'list', 'landing');
      return landed();
    };
    return {
      ...opened.centre,
      store: within(opened.centre.store, name),
      deployed: { signer, landed: landedOf, hindrances: async () => [], engineMemory: '1GB' },
    };
  }

  /** When what was made is old. */
  function later(centre: Centre): Centre {
    return { ...centre, clock: { now: () => Date.now() + 30 * DAY_MS } };
  }

  async function* landed(): AsyncGenerator<LandedObject> {
    yield* objects.values();
  }

  function publishing(): Publishing {
    mkdirSync(join(folder, 'rows'), { recursive: true });
    return {
      catalog: memoryCatalog(points),
      urlOf: (key) => `s3://acme/${key}`,
      writeRows: async (name, columns, rows) => {
        const file = join(folder, 'rows', `${name}.parquet`);
        await writeParquet(file, { columns, rows });
        return file;
      },
      digestOf: sha256OfFile,
    };
  }
});

function tables(): string[] {
  const models = catalogModels(loadModels(readSqlFiles())).tables.map(({ name }) => name);
  return [...Object.keys(DATASETS).map((name) => `stored_${name}`), ...Object.keys(SNAPSHOT_TABLES), ...Object.keys(REFERENCE), ...models];
}

/** The store, as far as the role of a function reaches: a call outside is refused as AWS would. */
function within(store: ObjectStore, name: FunctionName): ObjectStore {
  const { warehouse = {}, bills = {} } = ACCESS[name].buckets;
  const rightsAt = (key: string): BucketRights => (BILLS_PREFIXES.some((prefix) => key.startsWith(prefix)) ? bills : warehouse);
  const need = (right: keyof BucketRights, key: string): void => {
    const rights = rightsAt(key);
    // A right to get is one to list too: infra/constructs/stage-function.ts.
    const prefixes = right === 'list' ? [...(rights.list ?? []), ...(rights.get ?? [])] : (rights[right] ?? []);
    if (!prefixes.some((prefix) => key.startsWith(prefix))) throw refused(name, right, key);
  };
  return {
    async putIfAbsent(key, body) {
      need('put', key);
      return await store.putIfAbsent(key, body);
    },
    async get(key) {
      need('get', key);
      return await store.get(key);
    },
    async head(key) {
      need('get', key);
      return await store.head(key);
    },
    async *list(prefix, after) {
      need('list', prefix);
      yield* store.list(prefix, after);
    },
    async delete(key) {
      need('delete', key);
      await store.delete(key);
    },
    async localFile(key) {
      need('get', key);
      return await store.localFile(key);
    },
  };
}

function refused(name: FunctionName, right: string, key: string): KashiError {
  return new KashiError('store_unsuitable', `${name} may not ${right} ${key}`);
}
