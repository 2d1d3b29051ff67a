/** The Glue adapter with the SDK's real client against an emulator over HTTP: the suite of every catalog, and that nothing else of a table changes. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { CreateDatabaseCommand, CreateTableCommand, GetTableCommand, GlueClient, type TableInput } from '@aws-sdk/client-glue';
import { glueCatalog } from '../../functions/adapters/catalog-glue.ts';
import { TransientStoreError } from '../../functions/ports.ts';
import { tableCatalogSuite } from '../ports/catalog-suite.ts';
import { startMoto } from './emulator.ts';
import { faultyProxy } from './faulty-proxy.ts';

const emulator = await startMoto();
const admin = new GlueClient(emulator.client);
after(async () => {
  admin.destroy();
  await emulator.stop();
});

const THINGS: TableInput = {
  Name: 'things',
  Description: 'One row: one thing.',
  TableType: 'EXTERNAL_TABLE',
  Parameters: { classification: 'parquet' },
  PartitionKeys: [],
  StorageDescriptor: { Columns: [{ Name: 'id', Type: 'string', Comment: 'of the thing' }], Location: 's3://acme/none/' },
};

let databases = 0;

async function newDatabase(): Promise<string> {
  databases += 1;
  const name = `rooms_${databases}`;
  await admin.send(new CreateDatabaseCommand({ DatabaseInput: { Name: name } }));
  await admin.send(new CreateTableCommand({ DatabaseName: name, TableInput: THINGS }));
  return name;
}

tableCatalogSuite('Glue', async () => glueCatalog(await newDatabase(), emulator.client));

test('a table keeps its columns, their comments and its other parameters', async () => {
  const database = await newDatabase();
  await glueCatalog(database, emulator.client).point('things', { folder: 's3://acme/a', snapshot: 7 });
  const { Table } = await admin.send(new GetTableCommand({ DatabaseName: database, Name: 'things' }));
  assert.deepEqual(Table?.StorageDescriptor, { ...THINGS.StorageDescriptor, Location: 's3://acme/a/' });
  assert.deepEqual(Table?.Parameters, { classification: 'parquet', 'kashi.snapshot': '7' });
  assert.deepEqual([Table?.Description, Table?.TableType], [THINGS.Description, THINGS.TableType]);
});

test('a throttle passes by itself, an outage is told', async () => {
  const database = await newDatabase();
  const proxy = await faultyProxy(emulator.endpoint);
  const catalog = glueCatalog(database, { ...emulator.client, endpoint: proxy.endpoint });
  proxy.plan('POST', 503, 'dropBefore', 500);
  assert.equal((await catalog.pointed('things')).snapshot, null);
  assert.equal(proxy.seen('POST'), 4);
  proxy.plan('POST', ...Array<503>(6).fill(503));
  await assert.rejects(catalog.pointed('things'), (error) => error instanceof TransientStoreError);
  await proxy.stop();
});
