/** Statements 001, 002, … of closed months: each names the corrections that one later bill charges. */
import { sumDecimals } from '../domain/money.ts';
import { corrupt } from '../ledger/sealed.ts';
import { openRecord, type Signed, signRecord } from '../ledger/signed.ts';
import type { ObjectStore, Signer } from '../ports.ts';
import { type ClosedBill, issuedLines } from './bill-object.ts';
import { billKey } from './keys.ts';
import type { AdjustmentStatement, SignedBill } from './statement.ts';

/** Writes a statement for each month that the bill corrects, unless it is written. */
export async function issueAdjustments(store: ObjectStore, signer: Signer, signed: SignedBill, bill: ClosedBill): Promise<void> {
  for (const period of correctedMonths(bill)) {
    const before = await readAdjustments(store, period, signer.publicKey);
    if (before.some(({ value }) => value.issued_in === bill.period)) continue;
    const lines = issuedLines(bill, period);
    const previous = before.at(-1)?.sha256 ?? (await billSha256(store, period, signer.publicKey));
    const statement: AdjustmentStatement = {
      format: 'kashi.statement/1',
      kind: 'adjustment',
      centre: bill.centre,
      period,
      number: before.length + 1,
      issued_in: bill.period,
      bill: signed.value.bill,
      lines: lines.map(({ line_id }) => line_id),
      currency: bill.currency,
      total: sumDecimals(
        lines.map(({ amount }) => amount),
        2,
      ),
      previous: { period, sha256: previous },
    };
    await store.putIfAbsent(billKey(period, statement.number), await signRecord(signer, statement));
  }
}

/** The months whose closed bills this bill corrects, in order. */
export function correctedMonths(bill: ClosedBill): string[] {
  const months = bill.bills.flatMap(({ lines }) =>
    lines.flatMap(({ charge_period }) => (charge_period === undefined ? [] : [charge_period])),
  );
  return [...new Set(months)].sort();
}

/** The statements of corrections of a month, oldest first. Errors: KashiError store_corrupt. */
export async function readAdjustments(store: ObjectStore, period: string, trusted: string | null): Promise<Signed<AdjustmentStatement>[]> {
  const found: Signed<AdjustmentStatement>[] = [];
  for (let number = 1; ; number += 1) {
    const key = billKey(period, number);
    const bytes = await store.get(key);
    if (bytes === null) return found;
    const signed = openRecord<AdjustmentStatement>(bytes, key, trusted);
    const before = found.at(-1)?.sha256 ?? (await billSha256(store, period, trusted));
    if (signed.value.period !== period || signed.value.number !== number)
      throw corrupt(key, `statement ${signed.value.number} of ${signed.value.period}`);
    if (signed.value.previous.sha256 !== before) throw corrupt(key, 'a statement made after another one');
    found.push(signed);
  }
}

async function billSha256(store: ObjectStore, period: string, trusted: string | null): Promise<string> {
  const key = billKey(period, 0);
  const bytes = await store.get(key);
  if (bytes === null) throw corrupt(key, 'no object');
  return openRecord(bytes, key, trusted).sha256;
}
