/** One suite for every engine: what a Warehouse answers must not tell which one it is. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { buildReferences } from '../../functions/domain/build-reference.ts';
import { KashiError } from '../../functions/domain/errors.ts';
import { periodOf } from '../../functions/domain/period.ts';
import type { Warehouse } from '../../functions/ports.ts';
import type { TestCentre } from '../support/centre.ts';

const refused = (error: unknown): boolean => error instanceof KashiError && error.code === 'sql_refused';

/** `open` gives the engine over everything that was ingested into the centre. */
export function warehouseSuite(name: string, centre: () => Promise<TestCentre>, open: (centre: TestCentre) => Promise<Warehouse>): void {
  describe(`warehouse: ${name}`, () => {
    let opened: TestCentre | null = null;
    let engine: Warehouse | null = null;
    const warehouse = (): Warehouse => engine as Warehouse;
    const rows = async (sql: string): Promise<readonly (readonly (string | null)[])[]> => (await warehouse().query(sql)).rows;
    before(async () => {
      opened = await centre();
      engine = await open(opened);
    });
    after(async () => {
      await engine?.close();
      opened?.remove();
    });

    test('stored rows are those of the snapshot, with their places', async () => {
      const [[count, objects, order]] = (await rows(
        'select count(*), count(distinct object_id), min(fold_order) from raw_token_usage',
      )) as [[string, string, string]];
      assert.ok(Number(count) > 0 && Number(objects) > 0);
      assert.equal(Number(order) >= 0, true);
      assert.deepEqual(await rows('select count(*) from raw_token_usage where object_id not in (select object_id from raw_object)'), [
        ['0'],
      ]);
    });

    test('every digit is kept', async () => {
      const { rows: found, columns } = await warehouse().query(
        `select cast(9007199254740993 as bigint) as wide, cast('12345678901234567890123456.123456789012' as decimal(38, 12)) as exact,
         cast(null as varchar) as nothing, true as yes, '' as blank, '千卡 ''x'' "y" \\ --' as words, cast('-0.05' as decimal(4, 2)) as small`,
      );
      assert.deepEqual(found, [
        ['9007199254740993', '12345678901234567890123456.123456789012', null, 'true', '', `千卡 'x' "y" \\ --`, '-0.05'],
      ]);
      assert.deepEqual(
        columns.map((column) => `${column.name} ${column.type}`),
        ['wide BIGINT', 'exact DECIMAL(38,12)', 'nothing VARCHAR', 'yes BOOLEAN', 'blank VARCHAR', 'words VARCHAR', 'small DECIMAL(4,2)'],
      );
    });

    test('instants print alike', async () => {
      const at = (ms: number): string => `cast(from_unixtime_nanos(cast(${ms} as bigint) * 1000000) as timestamp(3))`;
      const { rows: found, columns } = await warehouse().query(
        `select ${at(0)} as zero, ${at(1_790_812_800_120)}, ${at(1_790_812_800_001)}`,
      );
      assert.deepEqual(found, [['1970-01-01 00:00:00', '2026-10-01 00:00:00.12', '2026-10-01 00:00:00.001']]);
      assert.equal(columns[0]?.type, 'TIMESTAMP_MS');
    });

    test('the words of the shared subset mean the same', async () => {
      assert.deepEqual(
        await rows(`select div_half_up(5, 2), div_half_up(-5, 2), div_half_up(7, 3), div_half_up(div_half_up(99, 2), 7),
          greatest(1, cast(null as integer)), lower(to_hex(md5(to_utf8('千卡')))), cast(cast('2.345' as decimal(10, 3)) as decimal(10, 2))`),
        [['3', '-3', '2', '7', null, createHash('md5').update('千卡').digest('hex'), '2.35']],
      );
    });

    test('parameters are bound, whatever they hold', async () => {
      const hostile = `x'; drop table raw_object; --`;
      assert.deepEqual((await warehouse().query('select ?, ?, ?', [hostile, 42n, true])).rows, [[hostile, '42', 'true']]);
      assert.deepEqual((await warehouse().query('select count(*) from raw_token_usage where source = ?', [hostile])).rows, [['0']]);
    });

    test('anything but one reading statement is refused', async () => {
      for (const sql of [
        '',
        '-- nothing',
        'drop table raw_object',
        'select 1; select 2',
        'create table x as select 1 as y',
        'select * from nowhere',
      ])
        await assert.rejects(warehouse().query(sql), refused, sql);
      assert.ok((await rows('select count(*) from raw_object;')).length === 1);
    });

    test('reference rows and models', async () => {
      const { config, priceBook, tenants, inventory, catalog } = (opened as TestCentre).centre;
      const months = ['2026-09', '2026-10'].map((month) => periodOf(month, config.timeZone));
      const reference = buildReferences({ config, priceBook, tenants, inventory, catalog }, months);
      await warehouse().loadReference(reference);
      assert.deepEqual(await rows('select period from ref_period order by period'), [['2026-09'], ['2026-10']]);
      await warehouse().define('probe_table', 'select period, end_ms - start_ms as length_ms from ref_period', 'table');
      await warehouse().define('probe_view', '-- a comment before it\nselect count(*) as months from probe_table', 'view');
      assert.deepEqual(await rows('select months from probe_view'), [['2']]);
      await warehouse().loadReference({ ...reference, ref_period: reference.ref_period.slice(0, 1) });
      await warehouse().define('probe_table', 'select period, end_ms - start_ms as length_ms from ref_period', 'table');
      assert.deepEqual(await rows('select months from probe_view'), [['1']]);
      await assert.rejects(
        warehouse().define('probe_wrong', 'select no_such_column from ref_period', 'table'),
        /model probe_wrong does not run/,
      );
    });

    test('an answer as Parquet', async () => {
      const file = await warehouse().parquetFile(`select 'a' as name, cast('1.50' as decimal(38, 2)) as amount -- the end\n;`);
      assert.equal(readFileSync(file).subarray(0, 4).toString(), 'PAR1');
    });
  });
}
