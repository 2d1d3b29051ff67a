/** Every reference table has the columns, types and ranges that functions/domain/reference.ts promises. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BUILT_IN_ACCELERATORS } from '../../functions/domain/accelerator.ts';
import { buildReference, buildReferences } from '../../functions/domain/build-reference.ts';
import { DEFAULT_CONFIG } from '../../functions/domain/config.ts';
import { parseInventory } from '../../functions/domain/inventory.ts';
import { periodOf } from '../../functions/domain/period.ts';
import { parsePriceBook } from '../../functions/domain/price-book.ts';
import { REFERENCE, type ReferenceName, type ReferenceRows } from '../../functions/domain/reference.ts';
import { parseTenants } from '../../functions/domain/tenant.ts';
import { parseOneYaml, parseYaml } from '../../functions/domain/yaml-config.ts';
import { casesIn, readCase } from './golden.ts';

const ZONE = 'Asia/Shanghai';
const EMPTY: Parameters<typeof buildReference>[0] = {
  config: DEFAULT_CONFIG,
  priceBook: null,
  tenants: null,
  inventory: null,
  catalog: BUILT_IN_ACCELERATORS,
  period: periodOf('2026-10', ZONE),
};
const NAMES = Object.keys(REFERENCE) as ReferenceName[];

function fits(type: string, value: unknown): boolean {
  const decimal = /^DECIMAL\((\d+),(\d+)\)$/.exec(type);
  if (decimal !== null) {
    const [whole = '', fraction = ''] = String(value).replace('-', '').split('.');
    return (
      typeof value === 'string' &&
      /^-?\d+(\.\d+)?$/.test(value) &&
      fraction.length <= Number(decimal[2]) &&
      whole.length <= Number(decimal[1]) - Number(decimal[2])
    );
  }
  if (type === 'BIGINT') return typeof value === 'bigint' || Number.isSafeInteger(value);
  return type === 'BOOLEAN' ? typeof value === 'boolean' : typeof value === 'string';
}

function assertContract(rows: ReferenceRows): void {
  assert.deepEqual(Object.keys(rows).sort(), [...NAMES].sort());
  for (const name of NAMES) {
    const columns = REFERENCE[name].columns;
    for (const row of rows[name]) {
      assert.deepEqual(
        Object.keys(row),
        columns.map((column) => column.name),
        name,
      );
      for (const { name: column, type, nullable } of columns) {
        const value = row[column];
        assert.ok((value === null && nullable === true) || fits(type, value), `${name}.${column}: ${String(value)} is no ${type}`);
      }
    }
  }
}

test('without any file only the period, settings, catalog, one segment and the token policy have rows', () => {
  const rows = buildReference(EMPTY);
  assertContract(rows);
  const filled = NAMES.filter((name) => rows[name].length > 0);
  assert.deepEqual(filled, [
    'ref_period',
    'ref_setting',
    'ref_accelerator',
    'ref_accelerator_alias',
    'ref_peak',
    'ref_segment',
    'ref_token_policy',
  ]);
  assert.deepEqual(rows.ref_period, [{ period: '2026-10', start_ms: 1_790_784_000_000, end_ms: 1_793_462_400_000 }]);
  assert.deepEqual(rows.ref_setting, [
    { currency: 'CNY', sample_interval_ms: 60_000, sample_carry_ms: 120_000, unmapped_as_is: false, correct_from_ms: null },
  ]);
  assert.deepEqual(
    rows.ref_token_policy.filter((row) => row['charged'] === true).map((row) => row['status']),
    ['success'],
  );
});

for (const { name, dir } of casesIn('price-book/valid')) {
  test(`price book ${name}: every row keeps its table's contract`, () => {
    const context = { timeZone: ZONE, currency: 'CNY', catalog: BUILT_IN_ACCELERATORS };
    assertContract(
      buildReference({ ...EMPTY, priceBook: parsePriceBook(parseYaml(readCase(dir, 'book.yaml'), 'book.yaml'), 'book.yaml', context) }),
    );
  });
}

test('tenants and inventory of all time are kept, because facts are joined by their own instants', () => {
  const [tenantsCase, inventoryCase] = ['tenants-key-changes-hands', 'inventory-node-replaced-and-repaired'].map((name) =>
    casesIn('config/valid').find((one) => one.name === name),
  );
  const tenants = parseTenants(parseOneYaml(readCase(tenantsCase?.dir ?? '', 'tenants.yaml'), 't'), 't', ZONE);
  const inventory = parseInventory(parseOneYaml(readCase(inventoryCase?.dir ?? '', 'inventory.yaml'), 'i'), 'i', {
    timeZone: ZONE,
    catalog: BUILT_IN_ACCELERATORS,
  });
  const rows = buildReference({ ...EMPTY, period: periodOf('2024-01', ZONE), tenants, inventory });
  assertContract(rows);
  assert.equal(rows.ref_tenant_key.length, 4);
  assert.equal(rows.ref_capacity.length, 2);
  assert.equal(rows.ref_outage.length, 3);
  assert.deepEqual(
    rows.ref_site.map((row) => [row['site_id'], row['bills_gpu_hours'], row['bills_tokens']]),
    [
      ['hq', true, false],
      ['edge-1', true, true],
      ['edge-2', false, true],
      ['lab', false, false],
    ],
  );
});

test('several periods: each has its segments and token policy', () => {
  const { period: _one, ...input } = EMPTY;
  const book = `kind: token_policy
entries:
  - {id: a, charged: [success], effective_from: 2026-01-01, approved_by: f}
  - {id: b, charged: [success, failure], effective_from: 2026-11-01, approved_by: f}
`;
  const priceBook = parsePriceBook(parseYaml(book, 'b'), 'b', { timeZone: ZONE, currency: 'CNY', catalog: BUILT_IN_ACCELERATORS });
  const periods = ['2026-09', '2026-10', '2026-11', '2026-12'].map((name) => periodOf(name, ZONE));
  const rows = buildReferences({ ...input, priceBook }, periods);
  assertContract(rows);
  assert.deepEqual(
    rows.ref_period.map((row) => row['end_ms']),
    periods.map(({ endMs }) => endMs),
  );
  assert.deepEqual(
    rows.ref_segment.map((row) => [row['period'], row['segment_no']]),
    periods.map(({ period }) => [period, 0]),
  );
  const failures = rows.ref_token_policy.filter((row) => row['status'] === 'failure');
  assert.deepEqual(
    failures.map((row) => [row['period'], row['charged']]),
    [
      ['2026-09', false],
      ['2026-10', false],
      ['2026-11', true],
      ['2026-12', true],
    ],
  );
});
