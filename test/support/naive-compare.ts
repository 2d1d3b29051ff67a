/** Rows of the pipeline in the shape of the naive rater, and how the two are compared. */
import assert from 'node:assert/strict';
import type { TextRecord } from '../../functions/billing/bill-document.ts';
import type { NaiveLine, NaiveUnrated } from './naive-rater.ts';

/** Fails with the rows that only one side has; whole months would hide them. */
export function assertSameRows(actual: readonly object[], expected: readonly object[], what: string): void {
  const theirs = expected.map((row) => JSON.stringify(row));
  const ours = actual
    .map((row) => JSON.stringify(row))
    .filter((text) => {
      const place = theirs.indexOf(text);
      if (place >= 0) theirs.splice(place, 1);
      return place < 0;
    });
  assert.deepEqual({ pipeline: ours, naive: theirs }, { pipeline: [], naive: [] }, what);
}

/** A row of bill_line. */
export function billedLine(row: TextRecord): NaiveLine {
  const text = (name: string): string => row[name] ?? '';
  return {
    tenant: text('tenant_id'),
    kind: text('kind') as NaiveLine['kind'],
    site: text('site_id'),
    sku: text('sku'),
    workload: text('workload_id'),
    digest: text('image_digest'),
    price: text('price_id'),
    tier: Number(row['tier_no']),
    quantity: text('quantity'),
    list: text('list_unit_price'),
    factor: text('factor'),
    unit: text('unit_price'),
    exact: text('exact_amount'),
    amount: text('amount'),
    adjustment: row['adjustment'] ?? null,
    hfu: row['hfu'] ?? null,
    mfu: row['mfu'] ?? null,
    coverage: row['coverage'] ?? null,
    records: Number(row['records']),
  };
}

/** A row of bill_unrated. */
export function unratedLine(row: TextRecord): NaiveUnrated {
  const text = (name: string): string => row[name] ?? '';
  return {
    reason: text('reason') as NaiveUnrated['reason'],
    tenant: row['tenant_id'] ?? null,
    site: text('site_id'),
    sku: text('sku'),
    workload: text('workload_id'),
    quantity: text('quantity'),
    records: Number(row['records']),
  };
}
