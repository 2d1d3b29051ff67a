/**
 * The Glue database of a deploy, asked by a real Trino: the definitions are those of the synthesised template, in Glue and S3 of an emulator, and the
 * function's own code points them at a snapshot. Each table and view must say what the embedded engine says, to the last digit.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { CreateDatabaseCommand, CreateTableCommand, GlueClient, type TableInput } from '@aws-sdk/client-glue';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { glueCatalog } from '../../functions/adapters/catalog-glue.ts';
import { sha256OfFile } from '../../functions/adapters/parquet-duckdb.ts';
import { s3Store } from '../../functions/adapters/store-s3.ts';
import { runTrino } from '../../functions/adapters/trino-http.ts';
import { cellText, typeName } from '../../functions/adapters/warehouse-trino.ts';
import { writeParquet } from '../../functions/adapters/write-parquet.ts';
import { compactCentre } from '../../functions/cli/compact.ts';
import { type Session, sessionOver } from '../../functions/cli/session.ts';
import type { Centre } from '../../functions/cli/wiring.ts';
import { type Published, type Publishing, publishTables } from '../../functions/cloud/publish-tables.ts';
import { periodOf } from '../../functions/domain/period.ts';
import { newestSnapshot, snapshotFiles } from '../../functions/ledger/snapshot.ts';
import type { ObjectStore } from '../../functions/ports.ts';
import { defineModels } from '../../functions/warehouse/run.ts';
import { type Emulator, missingMoto, startMoto } from '../aws/emulator.ts';
import { synthesise } from '../infra/templates.ts';
import type { TestCentre } from '../support/centre.ts';
import { smallCentre } from '../support/small-centre.ts';
import { missingForTrino, startTrino, type TrinoServer } from './server.ts';

const DATABASE = 'kashi_dev_warehouse';
const BUCKET = 'acme-warehouse';
const DAY_MS = 86_400_000;

const missing = (await missingForTrino()) ?? (await missingMoto());

describe('the Glue database of a deploy', { skip: missing ?? false }, () => {
  let emulator: Emulator;
  let trino: TrinoServer;
  let opened: TestCentre;
  let centre: Centre;
  let publishing: Publishing;
  let tables: readonly TableInput[];
  const work = mkdtempSync(join(tmpdir(), 'kashi-catalog-'));

  before(async () => {
    emulator = await startMoto();
    trino = await startTrino({ catalogs: { awsdatacatalog: settings(emulator) } });
    opened = await smallCentre();
    await opened.ingest();
    const client = { ...emulator.client, forcePathStyle: true };
    const admin = new S3Client(client);
    await admin.send(new CreateBucketCommand({ Bucket: BUCKET }));
    admin.destroy();
    const store = s3Store({ bucket: BUCKET, prefix: '', workDirectory: opened.centre.warehouseDirectory, client });
    await copy(opened.centre.store, store);
    centre = { ...opened.centre, store };
    tables = await makeTables(emulator);
    publishing = {
      catalog: glueCatalog(DATABASE, emulator.client),
      urlOf: (key) => `s3://${BUCKET}/${key}`,
      writeRows: async (name, columns, rows) => {
        const file = join(work, `${name}.parquet`);
        await writeParquet(file, { columns, rows });
        return file;
      },
      digestOf: sha256OfFile,
    };
  });
  after(async () => {
    await trino?.stop();
    await emulator?.stop();
    opened?.remove();
    rmSync(work, { recursive: true, force: true });
  });

  test('before the first snapshot every view binds, and is empty', async () => {
    const views = tables.filter(({ TableType }) => TableType === 'VIRTUAL_VIEW');
    assert.ok(views.length > 10, `${views.length} views`);
    for (const { Name = '' } of views) assert.deepEqual((await ask(`select count(*) from ${Name}`)).rows, [['0']], Name);
  });

  test('every table and view says what the embedded engine says', async () => {
    const published = (await publishTables(centre, publishing)) as Published;
    assert.deepEqual(published.moved.includes('stored_token_usage') && published.moved.includes('bill_line'), true);
    assert.ok((await sameEverywhere(published, () => true)) > 5000);
  });

  test('published again, nothing moves', async () => {
    assert.deepEqual((await publishTables(centre, publishing))?.moved, []);
  });

  test('after a compaction the same rows lie in other files', async () => {
    const { groups } = await compactCentre({ ...centre, clock: { now: () => Date.now() + 30 * DAY_MS } }, { minFiles: 2 });
    assert.ok(groups.some(({ outcome }) => outcome === 'compacted'));
    const published = (await publishTables(centre, publishing)) as Published;
    assert.ok(published.moved.includes('raw_file'));
    assert.ok(!published.moved.includes('bill'), published.moved.join(', '));
    // What did not move are the files of before; views read what did.
    const views = tables.flatMap(({ Name = '', TableType }) => (TableType === 'VIRTUAL_VIEW' ? [Name] : []));
    assert.ok((await sameEverywhere(published, (name) => views.includes(name) || published.moved.includes(name))) > 1000);
  });

  test('an analyst reads what a column means', async () => {
    const { rows } = await ask('describe fct_token_usage');
    const said = new Map(rows.map(([name, , , comment]) => [name, comment]));
    assert.ok(
      [...said.values()].every((comment) => (comment ?? '').length > 3),
      JSON.stringify([...said]),
    );
  });

  async function ask(sql: string): Promise<{ columns: string[]; rows: (string | null)[][] }> {
    const { columns, rows } = await runTrino({ server: trino.url, user: 'analyst', catalog: 'awsdatacatalog', schema: DATABASE }, sql);
    const types = columns.map(({ type }) => typeName(type));
    return {
      columns: columns.map(({ name }, index) => `${name} ${types[index]}`),
      rows: rows.map((row) => row.map((cell, index) => cellText(cell, types[index] ?? ''))),
    };
  }

  /** Columns and rows of each that is `asked`, but those that name files: these lie elsewhere here. Returns how many rows. */
  async function sameEverywhere({ periods }: Published, asked: (name: string) => boolean): Promise<number> {
    const snapshot = await newestSnapshot(centre.store);
    assert.ok(snapshot !== null);
    const months = periods.map((period) => periodOf(period, centre.config.timeZone));
    const session = await sessionOver(centre, snapshot, await snapshotFiles(centre.store, snapshot), months);
    let rows = 0;
    try {
      for (const { Name = '', StorageDescriptor } of tables) {
        if (Name.startsWith('stored_') || Name === 'raw_file' || !asked(Name)) continue;
        const columns = StorageDescriptor?.Columns?.map((column) => column.Name).join(', ') ?? '';
        rows += await sameRows(session, Name, `select ${columns} from ${Name}`);
      }
    } finally {
      await session.warehouse.close();
    }
    return rows;
  }

  async function sameRows({ warehouse, models }: Session, name: string, sql: string): Promise<number> {
    await defineModels(warehouse, models, [name]);
    if (name === 'quarantine') await warehouse.define(name, 'select * from raw_quarantine', 'view');
    const [expected, found] = [await warehouse.query(sql), await ask(sql)];
    const sorted = (all: readonly (readonly (string | null)[])[]): string[] => all.map((row) => JSON.stringify(row)).sort();
    assert.deepEqual(
      found.columns,
      expected.columns.map((column) => `${column.name} ${column.type}`),
      name,
    );
    assert.deepEqual(sorted(found.rows), sorted(expected.rows), name);
    return found.rows.length;
  }
});

function settings({ endpoint }: Emulator): Record<string, string> {
  return {
    'connector.name': 'hive',
    'hive.metastore': 'glue',
    'hive.metastore.glue.region': 'us-east-1',
    'hive.metastore.glue.endpoint-url': endpoint,
    'hive.metastore.glue.aws-access-key': 'test',
    'hive.metastore.glue.aws-secret-key': 'test',
    // Tables move while they are asked here; a cached definition would read the former folder for a while.
    'hive.metastore-cache-ttl': '0s',
    'hive.table-statistics-enabled': 'false',
    'fs.native-s3.enabled': 'true',
    's3.endpoint': endpoint,
    's3.region': 'us-east-1',
    's3.path-style-access': 'true',
    's3.aws-access-key': 'test',
    's3.aws-secret-key': 'test',
  };
}

/** As CloudFormation would: database and tables of the template, the bucket's name put in. */
async function makeTables(emulator: Emulator): Promise<TableInput[]> {
  const resources = [...synthesise('dev').resources.values()].filter(({ Properties }) => Properties.DatabaseName === DATABASE);
  const inputs = resources.map(({ Properties }) => named(Properties.TableInput) as TableInput);
  const glue = new GlueClient(emulator.client);
  await glue.send(new CreateDatabaseCommand({ DatabaseInput: { Name: DATABASE } }));
  for (const input of inputs) await glue.send(new CreateTableCommand({ DatabaseName: DATABASE, TableInput: input }));
  glue.destroy();
  assert.ok(inputs.length > 80, `${inputs.length} tables`);
  return inputs;
}

/** A part of a template in which every reference is the bucket. */
function named(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(named);
  if (typeof part !== 'object' || part === null) return part;
  if ('Fn::ImportValue' in part) return BUCKET;
  if ('Fn::Join' in part) return (named((part as { 'Fn::Join': [string, unknown[]] })['Fn::Join'][1]) as string[]).join('');
  return Object.fromEntries(Object.entries(part).map(([name, value]) => [name, named(value)]));
}

async function copy(from: ObjectStore, to: ObjectStore): Promise<void> {
  for await (const { key } of from.list('')) await to.putIfAbsent(key, (await from.get(key)) ?? new Uint8Array());
}
