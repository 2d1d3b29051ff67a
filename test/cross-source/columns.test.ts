/** What a model's header says of its columns is what the engine answers: name, type, order. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { readSqlFiles } from '../../functions/adapters/sql-files.ts';
import { parseModel } from '../../functions/warehouse/model.ts';
import { defineModels } from '../../functions/warehouse/run.ts';
import { type TestCentre, testCentre } from '../support/centre.ts';

const MODELS = readSqlFiles().map(parseModel);
/** DuckDB's word → the word of the header. */
const TYPES: Readonly<Record<string, string>> = { timestamp: 'timestamp(3)', timestamp_ms: 'timestamp(3)', hugeint: 'decimal(38,0)' };

describe('columns', () => {
  let centre: TestCentre;
  const answered = new Map<string, readonly { readonly name: string; readonly type: string }[]>();

  before(async () => {
    centre = testCentre(join(import.meta.dirname, '..', 'bills', 'hfu-exactly-20-percent'));
    await centre.ingest();
    await centre.session('2025-10', async ({ warehouse, models }) => {
      await defineModels(
        warehouse,
        models,
        models.map(({ name }) => name),
      );
      for (const { name } of models) answered.set(name, (await warehouse.query(`select * from ${name} limit 0`)).columns);
    });
  });

  after(() => centre.remove());

  for (const model of MODELS) {
    test(model.name, () => {
      const actual = (answered.get(model.name) ?? []).map(({ name, type }) => `${name} ${TYPES[type.toLowerCase()] ?? type.toLowerCase()}`);
      assert.deepEqual(
        actual,
        model.columns.map(({ name, type }) => `${name} ${type}`),
      );
    });
  }
});
