/** What a period would have cost under other prices: two ratings of the same facts, compared group by group. */
import { Rational } from '../domain/money.ts';
import type { Warehouse } from '../ports.ts';
import { records } from './bill-document.ts';

/** What the difference may be split by, beside the tenant: a column of bill_line each. */
export const SPLITS = { kind: 'kind', site: 'site_id', sku: 'sku', model: 'product', workload: 'workload_id' } as const;
export type Split = keyof typeof SPLITS;

/** Sums of one rating. `key` holds tenant_id, then one value for each split. */
export interface RatedGroup {
  readonly key: readonly string[];
  /** Sum of rounded amounts, 2 decimals. */
  readonly amount: string;
  readonly lines: number;
}

export interface WhatifRow {
  readonly tenant_id: string;
  /** Split name → value. */
  readonly by: Readonly<Partial<Record<Split, string>>>;
  readonly before: string;
  readonly after: string;
  /** after − before. */
  readonly difference: string;
  /** difference ÷ before, 6 decimals; null when nothing was charged before. */
  readonly change: string | null;
  readonly lines_before: number;
  readonly lines_after: number;
}

/** Amounts of a rated period by tenant and splits. bill_line must be defined. Shape: sorted by key; keys are unique. */
export async function ratedGroups(warehouse: Warehouse, period: string, splits: readonly Split[]): Promise<RatedGroup[]> {
  // Column names come from SPLITS, never from a person.
  const columns = ['tenant_id', ...splits.map((split) => SPLITS[split])].join(', ');
  const result = await warehouse.query(
    `select ${columns}, cast(sum(amount) as decimal(38, 2)) as amount, count(*) as lines from bill_line where period = ? group by ${columns} order by ${columns}`,
    [period],
  );
  return records(result).map((row) => ({
    key: ['tenant_id', ...splits.map((split) => SPLITS[split])].map((column) => row[column] ?? ''),
    amount: row['amount'] ?? '0.00',
    lines: Number(row['lines']),
  }));
}

/**
 * One row for each group that either rating has; a group that one of them lacks costs 0.00 there. Shape: sorted by key.
 * Example: before [research 100.00], after [research 90.00, ads 5.00] → ads +5.00 (change null), research −10.00 (−0.100000).
 */
export function compareRatings(before: readonly RatedGroup[], after: readonly RatedGroup[], splits: readonly Split[]): WhatifRow[] {
  // The unit separator cannot be part of a name that passed the configuration.
  const id = ({ key }: RatedGroup): string => key.join('\u001f');
  const [old, now] = [before, after].map((groups) => new Map(groups.map((group) => [id(group), group])));
  const keys = new Map([...before, ...after].map((group) => [id(group), group.key]));
  return [...keys]
    .sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0))
    .map(([text, [tenant = '', ...values]]) => ({
      tenant_id: tenant,
      by: Object.fromEntries(splits.map((split, index) => [split, values[index] ?? ''])),
      ...difference(old?.get(text)?.amount ?? '0.00', now?.get(text)?.amount ?? '0.00'),
      lines_before: old?.get(text)?.lines ?? 0,
      lines_after: now?.get(text)?.lines ?? 0,
    }));
}

/** Two amounts side by side. Example: ('100.00', '90.00') → difference '-10.00', change '-0.100000'. */
export function difference(before: string, after: string): Pick<WhatifRow, 'before' | 'after' | 'difference' | 'change'> {
  const delta = Rational.of(after).subtract(Rational.of(before));
  const base = Rational.of(before);
  return { before, after, difference: delta.toFixed(2), change: base.n === 0n ? null : delta.divide(base).toFixed(6) };
}
