/** Both sides of the telescoping equation, each from what is stored: what the bills issued for a month, and what it is rated to now. */
import assert from 'node:assert/strict';
import { withSession } from '../../functions/cli/session.ts';
import { issuedLines, readBillObject } from '../../functions/close/bill-object.ts';
import { readSignedBill } from '../../functions/close/statement.ts';
import { Rational } from '../../functions/domain/money.ts';
import { defineModels } from '../../functions/warehouse/run.ts';
import type { LivingCentre } from './support.ts';

interface Sum {
  amount: Rational;
  quantity: Rational;
}

function add(sums: Map<string, Sum>, id: string, quantity: string, amount: string): void {
  const sum = sums.get(id) ?? { amount: Rational.of(0n), quantity: Rational.of(0n) };
  sums.set(id, { amount: sum.amount.add(Rational.of(amount)), quantity: sum.quantity.add(Rational.of(quantity)) });
}

function printed(sums: ReadonlyMap<string, Sum>): string[] {
  return [...sums]
    .map(([id, { amount, quantity }]) => `${id} ${quantity.toFixed(6)} ${amount.toFixed(2)}`)
    .filter((text) => !text.endsWith(' 0.000000 0.00'))
    .sort();
}

/** Everything issued for a month over the bills of these months, line by line: id, quantity and amount. */
export async function issuedFor(living: LivingCentre, period: string, months: readonly string[]): Promise<string[]> {
  const { store } = living.open();
  const sums = new Map<string, Sum>();
  for (const month of months) {
    const signed = await readSignedBill(store, month, null);
    assert.ok(signed !== null);
    for (const line of issuedLines(await readBillObject(store, signed.value.bill), period))
      add(sums, line.corrects_line_id ?? line.line_id, line.quantity, line.amount);
  }
  return printed(sums);
}

/** The month, rated afresh by a warehouse that never closed anything. */
export async function ratedAfresh(living: LivingCentre, period: string): Promise<string[]> {
  return await withSession(living.open(), period, async ({ warehouse, models }) => {
    await defineModels(warehouse, models, ['bill_line']);
    const sums = new Map<string, Sum>();
    for (const [id, quantity, amount] of (
      await warehouse.query('select line_id, cast(quantity as varchar), cast(amount as varchar) from bill_line')
    ).rows)
      add(sums, id ?? '', quantity ?? '0', amount ?? '0');
    return printed(sums);
  });
}
