/**
 * The Athena client against an emulator that runs no SQL: how statements are started, waited for, read and refused. What the SQL means is
 * proved on Trino, whose engine Athena runs.
 */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { AthenaClient, CreateWorkGroupCommand, GetQueryExecutionCommand, ListQueryExecutionsCommand } from '@aws-sdk/client-athena';
import { type Athena, athena, scanMeter } from '../../functions/adapters/athena-run.ts';
import { athenaService } from '../../functions/adapters/warehouse-athena.ts';
import { DATASETS } from '../../functions/datasets.ts';
import { KashiError } from '../../functions/domain/errors.ts';
import { startMoto } from './emulator.ts';

const emulator = await startMoto();
const { client, endpoint } = emulator;
const admin = new AthenaClient(client);
await admin.send(
  new CreateWorkGroupCommand({ Name: 'billing', Configuration: { ResultConfiguration: { OutputLocation: 's3://acme-answers/' } } }),
);
const options = { workGroup: 'billing', results: null, reuseMinutes: null, client };
const engine: Athena = athena(options);
after(async () => {
  engine.close();
  admin.destroy();
  await emulator.stop();
});

/** What the emulator answers next. */
async function nextAnswer(columns: readonly object[], rows: readonly (readonly (string | null)[])[]): Promise<void> {
  const Rows = rows.map((row) => ({ Data: row.map((value) => (value === null ? {} : { VarCharValue: value })) }));
  const results = [{ rows: Rows, column_info: columns }];
  const answer = await fetch(`${endpoint}/moto-api/static/athena/query-results`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ account_id: '123456789012', region: client.region, results }),
  });
  assert.equal(answer.status, 201, await answer.text());
}

async function statements(): Promise<string[]> {
  const { QueryExecutionIds = [] } = await admin.send(new ListQueryExecutionsCommand({ WorkGroup: 'billing' }));
  const all = await Promise.all(QueryExecutionIds.map((id) => admin.send(new GetQueryExecutionCommand({ QueryExecutionId: id }))));
  return all.map(({ QueryExecution }) => QueryExecution?.Query ?? '');
}

describe('Athena', () => {
  test('decimals, nulls and instants come as the embedded engine prints them', async () => {
    await nextAnswer(
      [
        { Name: 'amount', Type: 'decimal', Precision: 38, Scale: 2 },
        { Name: 'n', Type: 'bigint' },
        { Name: 'at', Type: 'timestamp' },
        { Name: 'who', Type: 'varchar' },
      ],
      [['12345678901234567890.05', '9007199254740993', '2026-10-01 00:00:00.120', null]],
    );
    const { columns, rows } = await engine.run('show something');
    assert.deepEqual(
      columns.map(({ name, type }) => `${name} ${type}`),
      ['amount DECIMAL(38,2)', 'n BIGINT', 'at TIMESTAMP_MS', 'who VARCHAR'],
    );
    assert.deepEqual(rows, [['12345678901234567890.05', '9007199254740993', '2026-10-01 00:00:00.12', null]]);
  });

  test('a workgroup that is missing says what to set', async () => {
    const lost = athena({ ...options, workGroup: 'nowhere' });
    await assert.rejects(
      lost.run('select 1'),
      (error: unknown) => error instanceof KashiError && error.toLines().join('\n').includes('nowhere'),
    );
    lost.close();
  });

  test('a session makes a database, reads datasets through their manifests, and drops everything', async () => {
    const manifests = new Map([['token_usage', 's3://acme-kashi/prod/_symlink/token_usage/0123']]);
    const service = await athenaService({ ...options, data: 's3://acme-kashi/prod/', manifests });
    assert.equal(service.pathOf('data/x.parquet'), 's3://acme-kashi/prod/data/x.parquet');
    await service.tableOverDataset('stored_token_usage', DATASETS.token_usage.columns, 'token_usage');
    await service.createTable('bill', 'select 1 as one');
    await service.close();
    const said = (await statements()).join('\n');
    assert.match(said, /create database kashi_[0-9a-f]{32}/);
    assert.match(
      said,
      /create external table stored_token_usage \(`native_id` string, .*inputformat 'org\.apache\.hadoop\.hive\.ql\.io\.SymlinkTextInputFormat'.* location 's3:\/\/acme-kashi\/prod\/_symlink\/token_usage\/0123\/'/,
    );
    assert.match(said, /create table bill with \(format = 'PARQUET'\) as select 1 as one/);
    assert.match(said, /drop database if exists kashi_[0-9a-f]{32} cascade/);
  });

  test('the cost is told as Athena counts it: 10 MB at least a statement, nothing for DDL', () => {
    const meter = scanMeter();
    for (const bytes of [0, 1, 1e12]) meter.add(bytes);
    assert.equal(
      meter.text(),
      '1,000,000,000,001 bytes scanned by 2 statements, about 5.0001 USD at 5 USD per TB (10 MB at least a statement)',
    );
  });
});
