/** A line of a closed bill, and for a correction the line that it corrects and everything issued for it. */
import type { ObjectStore } from '../ports.ts';
import { type ClosedBill, type IssuedLine, issuedLines, readBillObject } from './bill-object.ts';
import { readOrders, type StoredOrder } from './order.ts';
import { closedMonths, readSignedBill } from './statement.ts';

export interface FoundLine {
  /** Month of the bill on which the line is. */
  readonly period: string;
  readonly bill: string;
  readonly line: IssuedLine;
  readonly correction: CorrectionStory | null;
}

export interface CorrectionStory {
  readonly charge_period: string;
  readonly corrects_line_id: string;
  readonly cause: string;
  /** The line on the closed bill; null when that bill had none, and the correction brings it. */
  readonly corrected: IssuedLine | null;
  /** Every line issued for it so far and by this bill, oldest first: they add up to what it is rated to. */
  readonly issued: readonly { readonly period: string; readonly line: IssuedLine }[];
  readonly order: StoredOrder | null;
}

/** The line of this id on any closed bill, or null. Errors: KashiError store_corrupt. */
export async function findClosedLine(store: ObjectStore, lineId: string): Promise<FoundLine | null> {
  const bills: ClosedBill[] = [];
  for (const period of await closedMonths(store)) {
    const signed = await readSignedBill(store, period, null);
    if (signed === null) continue;
    const bill = await readBillObject(store, signed.value.bill);
    bills.push(bill);
    const line = linesOf(bill).find(({ line_id }) => line_id === lineId);
    if (line !== undefined) return { period, bill: signed.value.bill, line, correction: await storyOf(store, line, bills) };
  }
  return null;
}

function linesOf(bill: ClosedBill): IssuedLine[] {
  return bill.bills.flatMap(({ tenant_id, lines }) => lines.map((line) => ({ ...line, tenant_id })));
}

/** `bills`: from the first to the one with the line. */
async function storyOf(store: ObjectStore, line: IssuedLine, bills: readonly ClosedBill[]): Promise<CorrectionStory | null> {
  const { corrects_line_id, charge_period, cause, order } = line;
  if (corrects_line_id === undefined || charge_period === undefined) return null;
  const issued = bills.flatMap((bill) =>
    issuedLines(bill, charge_period)
      .filter((one) => (one.corrects_line_id ?? one.line_id) === corrects_line_id)
      .map((one) => ({ period: bill.period, line: one })),
  );
  const orders = order === null || order === undefined ? [] : await readOrders(store, charge_period, null);
  return {
    charge_period,
    corrects_line_id,
    cause: cause ?? '',
    corrected: issued.find(({ period }) => period === charge_period)?.line ?? null,
    issued,
    order: orders.find(({ number }) => number === order) ?? null,
  };
}
