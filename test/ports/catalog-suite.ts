/** What every TableCatalog promises. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { KashiError } from '../../functions/domain/errors.ts';
import type { TableCatalog } from '../../functions/ports.ts';

/** `open`: a catalog whose one table `things` reads `s3://acme/none`, of no snapshot. */
export function tableCatalogSuite(name: string, open: () => Promise<TableCatalog>): void {
  describe(`table catalog: ${name}`, () => {
    const isMissing = (error: unknown): boolean => error instanceof KashiError && error.code === 'not_found';

    test('a new table reads its first folder, of no snapshot', async () => {
      assert.deepEqual(await (await open()).pointed('things'), { folder: 's3://acme/none', snapshot: null });
    });

    test('a table reads what it was pointed at last', async () => {
      const catalog = await open();
      await catalog.point('things', { folder: 's3://acme/a', snapshot: 1 });
      await catalog.point('things', { folder: 's3://acme/b', snapshot: 12 });
      assert.deepEqual(await catalog.pointed('things'), { folder: 's3://acme/b', snapshot: 12 });
    });

    test('a table that nobody made is said to be missing', async () => {
      const catalog = await open();
      await assert.rejects(catalog.pointed('other'), isMissing);
      await assert.rejects(catalog.point('other', { folder: 's3://acme/a', snapshot: 1 }), isMissing);
    });
  });
}
