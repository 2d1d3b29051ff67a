/** Parquet files merged by the engine: every row of every file, whole, in one. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { scannedBytes } from '../../bench/layout/scanned.ts';
import { type Duckdb, openDuckdb, sqlText } from '../../functions/adapters/duckdb.ts';
import { duckdbParquetMerger } from '../../functions/adapters/parquet-merge.ts';
import { DATASETS, type Dataset } from '../../functions/datasets.ts';
import { KashiError } from '../../functions/domain/errors.ts';
import type { MergedFile, ParquetMerger } from '../../functions/ports.ts';

let folder = '';
let engine: Duckdb;
let merger: ParquetMerger;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kashi-merge-'));
  engine = await openDuckdb({ directories: [folder], temporaryDirectory: folder });
  merger = await duckdbParquetMerger(folder);
});
after(async () => {
  await merger.close();
  engine.close();
  rmSync(folder, { recursive: true, force: true });
});

type Cells = Readonly<Record<string, string | null>>;
let files = 0;

/** A Parquet file of text cells cast to the types of the dataset, with other columns where `columns` says so. */
async function parquet(
  dataset: Dataset,
  rows: readonly Cells[],
  columns: readonly (readonly [string, string])[] | null = null,
): Promise<Uint8Array> {
  const own = columns ?? dataset.columns.map(({ name, type }) => [name, type] as const);
  const literal = (value: string | null | undefined): string => (value === null || value === undefined ? 'null' : sqlText(value));
  const selects = rows.map(
    (row) => `select ${own.map(([name, type]) => `cast(${literal(row[name])} as ${type}) as "${name}"`).join(', ')}`,
  );
  files += 1;
  const path = join(folder, `in-${files}.parquet`);
  await engine.connection.run(`copy (${selects.join(' union all ')}) to ${sqlText(path)} (format parquet)`);
  return readFileSync(path);
}

async function* each(inputs: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* inputs;
}

async function readBack(dataset: Dataset, { file }: MergedFile): Promise<(string | null)[][]> {
  const columns = dataset.columns.map(({ name }) => `cast("${name}" as varchar)`).join(', ');
  const read = await engine.connection.runAndReadAll(`select ${columns} from read_parquet(${sqlText(file)})`);
  return read.getRows().map((row) => row.map((cell) => (cell === null ? null : String(cell))));
}

/** A value that the type holds, and null, as the engine prints it. */
function cellOf(type: string): fc.Arbitrary<string> {
  if (type === 'VARCHAR') return fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0') && text.isWellFormed());
  if (type === 'BIGINT') return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String);
  if (type === 'DECIMAL(38,0)') return fc.bigInt({ min: -(10n ** 37n), max: 10n ** 37n }).map(String);
  const scale = Number(/,(\d+)\)/.exec(type)?.[1]);
  return fc
    .tuple(fc.bigInt({ min: 0n, max: 99_999n }), fc.bigInt({ min: 0n, max: 10n ** BigInt(scale) - 1n }))
    .map(([whole, part]) => `${whole}.${String(part).padStart(scale, '0')}`);
}

function rowOf(dataset: Dataset): fc.Arbitrary<Cells> {
  const cells = dataset.columns.map(({ name, type }) => {
    if (name === dataset.partitionBy) return [name, fc.integer({ min: 1_700_000_000_000, max: 1_700_000_000_003 }).map(String)] as const;
    if (name === 'object_id') return [name, fc.constantFrom('a', 'b', 'c')] as const;
    return [name, fc.option(cellOf(type))] as const;
  });
  return fc.record(Object.fromEntries(cells));
}

/** Columns of requests of a hundred payers, mixed as they happen, as SQL over a row number. */
const PAYERS: Readonly<Record<string, string>> = {
  native_id: 'md5(cast(i as varchar))',
  event_at_ms: '1700000000000 + i',
  tenant_key: "'payer-' || lpad(cast(i % 100 as varchar), 2, '0')",
  site_id: "'hq'",
  model: "'model-' || cast(hash(i) % 5 as varchar)",
  output_tokens: 'hash(i) % 1000',
  usage_source: "'provider'",
  status: "'success'",
  source: "'litellm'",
  object_id: "'a'",
  line: 'i',
};

describe('merged files', () => {
  for (const dataset of Object.values(DATASETS)) {
    test(`${dataset.name}: the multiset of whole rows is that of the inputs, in the order of merged files`, async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.array(rowOf(dataset), { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 3 }),
          async (inputs) => {
            // Some rows are the same in two files.
            const all = [...inputs, inputs[0]!];
            const merged = await merger.merge(dataset, each(await Promise.all(all.map((rows) => parquet(dataset, rows)))));
            const rows = await readBack(dataset, merged);
            const names = dataset.columns.map(({ name }) => name);
            const given = all.flat().map((row) => names.map((name) => row[name] ?? null));
            assert.deepEqual(rows.map((row) => JSON.stringify(row)).sort(), given.map((row) => JSON.stringify(row)).sort());
            const times = rows.map((row) => Number(row[names.indexOf(dataset.partitionBy)]));
            const together = rows.map((row) => JSON.stringify((dataset.clusterBy ?? []).map((name) => row[names.indexOf(name)])));
            assert.equal(new Set(together).size, together.filter((one, at) => one !== together[at - 1]).length);
            assert.ok(times.every((time, at) => together[at] !== together[at - 1] || time >= (times[at - 1] ?? time)));
            assert.equal(merged.digest, merged.inputDigest);
            assert.deepEqual([merged.rows, merged.minMs, merged.maxMs], [rows.length, Math.min(...times), Math.max(...times)]);
            const ids = rows.map((row) => row[names.indexOf('object_id')]);
            assert.deepEqual(
              merged.contents.map((content) => [content.object_id, content.rows]),
              [...Map.groupBy(ids, (id) => id)].map(([id, own]) => [id, own.length]).sort(),
            );
          },
        ),
        { numRuns: 8 },
      );
    });
  }

  const dataset = DATASETS.token_usage;
  const row = (line: number, change: Cells = {}): Cells => ({
    native_id: `id-${line}`,
    event_at_ms: '1700000000000',
    site_id: 'hq',
    usage_source: 'provider',
    status: 'success',
    source: 'litellm',
    object_id: 'a',
    line: String(line),
    ...change,
  });

  test('the digest sees what the counts do not: a value, a null, two rows that swap a cell', async () => {
    const digestOf = async (rows: readonly Cells[]): Promise<string> =>
      (await merger.merge(dataset, each([await parquet(dataset, rows)]))).digest;
    const plain = await digestOf([row(1), row(2)]);
    assert.equal(await digestOf([row(2), row(1)]), plain, 'order does not count');
    for (const other of [
      [row(1), row(2, { output_tokens: '0' })],
      [row(1), row(2, { model: '' })],
      [row(1, { native_id: 'id-2' }), row(2, { native_id: 'id-1' })],
      [row(1, { model: 'm', model_alias: null }), row(2)],
      [row(1, { model: null, model_alias: 'm' }), row(2)],
      [row(1), row(1)],
    ])
      assert.notEqual(await digestOf(other), plain);
  });

  test('the same rows give the same bytes, however they were spread', async () => {
    const rows = Array.from({ length: 300 }, (_, line) => row(line, { event_at_ms: String(1_700_000_000_000 + (line % 7)) }));
    const one = await merger.merge(dataset, each([await parquet(dataset, rows)]));
    const spread = [rows.slice(200), rows.slice(0, 100), rows.slice(100, 200).reverse()];
    const other = await merger.merge(dataset, each(await Promise.all(spread.map((part) => parquet(dataset, part)))));
    assert.equal(other.sha256, one.sha256);
  });

  test("one payer's rows are found without reading those of the others", async () => {
    const inputs: Uint8Array[] = [];
    for (const part of [0, 1]) {
      const path = join(folder, `payers-${part}.parquet`);
      const columns = dataset.columns.map(({ name, type }) => `cast(${PAYERS[name] ?? 'null'} as ${type}) as "${name}"`).join(', ');
      await engine.connection.run(`copy (select ${columns} from range(250000) as numbers (i)) to ${sqlText(path)} (format parquet)`);
      inputs.push(readFileSync(path));
    }
    const { file, bytes } = await merger.merge(dataset, each(inputs));
    const columns = ['event_at_ms', 'tenant_key', 'model', 'output_tokens'];
    const scanned = async (payer: string): Promise<number> =>
      await scannedBytes(engine.connection, [file], columns, [{ column: 'tenant_key', from: payer, to: payer }]);
    const all = await scannedBytes(engine.connection, [file], columns, []);
    // 500,000 rows are five row groups, and one of a hundred payers lies in one or two of them.
    for (const payer of ['payer-00', 'payer-50', 'payer-99']) {
      assert.ok((await scanned(payer)) > 0);
      assert.ok((await scanned(payer)) * 2 < all, payer);
    }
    assert.equal(await scanned('payer-none'), 0);
    assert.ok(all < bytes);
  });

  test('a column that an earlier kashi did not write is null', async () => {
    const columns = dataset.columns.filter(({ name }) => name !== 'attempt_group').map(({ name, type }) => [name, type] as const);
    const old = await parquet(dataset, [row(1)], columns);
    for (const inputs of [[old], [old, await parquet(dataset, [row(2, { attempt_group: 'g' })])]]) {
      const merged = await merger.merge(dataset, each(inputs));
      assert.equal(merged.digest, merged.inputDigest);
      assert.equal((await readBack(dataset, merged))[0]?.[dataset.columns.findIndex(({ name }) => name === 'attempt_group')], null);
    }
  });

  test('a column that only a later kashi writes, or of another type, is refused: it would be lost or changed', async () => {
    const columns = dataset.columns.map(({ name, type }) => [name, type] as const);
    const refused = (error: unknown): boolean => error instanceof KashiError && error.code === 'store_corrupt';
    const later = await parquet(dataset, [row(1)], [...columns, ['carbon_grams', 'BIGINT']]);
    await assert.rejects(merger.merge(dataset, each([await parquet(dataset, [row(2)]), later])), refused);
    const wide = await parquet(
      dataset,
      [row(1)],
      columns.map(([name, type]) => [name, name === 'output_tokens' ? 'DOUBLE' : type] as const),
    );
    await assert.rejects(merger.merge(dataset, each([await parquet(dataset, [row(2)]), wide])), refused);
  });
});
