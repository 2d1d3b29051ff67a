import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BUILT_IN_ACCELERATORS } from '../../functions/domain/accelerator.ts';
import { buildReference } from '../../functions/domain/build-reference.ts';
import { DEFAULT_CONFIG } from '../../functions/domain/config.ts';
import { periodOf } from '../../functions/domain/period.ts';
import { type PriceBook, parsePriceBook } from '../../functions/domain/price-book.ts';
import type { ReferenceName, ReferenceRows } from '../../functions/domain/reference.ts';
import { parseYaml } from '../../functions/domain/yaml-config.ts';
import { assertGolden, casesIn, readCase, refusalText } from './golden.ts';

const ZONE = 'Asia/Shanghai';
const PERIOD = periodOf('2026-10', ZONE);
/** What a price book decides; the other tables come from other files. */
const TABLES: readonly ReferenceName[] = [
  'ref_segment',
  'ref_price',
  'ref_price_tier',
  'ref_allowance',
  'ref_adjustment',
  'ref_curve',
  'ref_exemption',
  'ref_token_policy',
  'ref_credit_rule',
  'ref_token_credit',
  'ref_pool_cost',
  'ref_power_span',
  'ref_release',
  'ref_release_workload',
  'ref_budget',
];

function bookOf(text: string): PriceBook {
  return parsePriceBook(parseYaml(text, 'book.yaml'), 'book.yaml', { timeZone: ZONE, currency: 'CNY', catalog: BUILT_IN_ACCELERATORS });
}

function referenceOf(text: string): ReferenceRows {
  const priceBook = bookOf(text);
  return buildReference({
    config: DEFAULT_CONFIG,
    priceBook,
    tenants: null,
    inventory: null,
    catalog: BUILT_IN_ACCELERATORS,
    period: PERIOD,
  });
}

describe('price books that are accepted', () => {
  for (const { name, dir } of casesIn('price-book/valid')) {
    test(name, () => {
      const rows = referenceOf(readCase(dir, 'book.yaml'));
      const lines = TABLES.flatMap((table) => [table, ...rows[table].map((row) => `  ${JSON.stringify(row)}`)]);
      assertGolden(dir, 'expected.txt', `${lines.join('\n')}\n`);
    });
  }
});

describe('price books that are refused', () => {
  for (const { name, dir } of casesIn('price-book/refused')) {
    test(name, () => {
      const text = refusalText(() => bookOf(readCase(dir, 'book.yaml')));
      assert.match(text, /^price_book_invalid\n/);
      assertGolden(dir, 'expected.txt', text);
    });
  }
});

describe('names of other files', () => {
  const price = (extra: string): string =>
    `kind: gpu_price\nentries:\n  - {id: a, accelerator: h800, price: 1, ${extra}, effective_from: 2026-01-01, approved_by: f}\n`;
  const input = {
    config: DEFAULT_CONFIG,
    tenants: { fileName: 'tenants.yaml', tenants: [{ id: 'research', name: 'R', keys: [] }] },
    inventory: { fileName: 'inventory.yaml', sites: [] },
    catalog: BUILT_IN_ACCELERATORS,
    period: PERIOD,
  };

  test('a rate card of a tenant that exists is accepted', () => {
    assert.equal(buildReference({ ...input, priceBook: bookOf(price('tenant: research')) }).ref_price.length, 1);
  });

  test('a misspelt tenant and an unknown site are refused', () => {
    const text = refusalText(() => buildReference({ ...input, priceBook: bookOf(price('tenant: reserch, site: hq')) }));
    assert.equal(
      text,
      'price_book_invalid\n2 faults\n  entry a site: unknown site, allowed: one of inventory.yaml (), found: hq\n' +
        '  entry a tenant: unknown tenant, allowed: one of tenants.yaml (research), found: reserch\n  where:   book.yaml\n',
    );
  });

  test('without a tenant map, or with as_is, any tenant may have a rate card', () => {
    const priceBook = bookOf(price('tenant: anyone'));
    const asIs = { ...DEFAULT_CONFIG, tenants: { map: null, unmapped: 'as_is' as const } };
    assert.equal(buildReference({ ...input, config: asIs, priceBook }).ref_price.length, 1);
    assert.equal(buildReference({ ...input, tenants: null, priceBook }).ref_price.length, 1);
  });
});
