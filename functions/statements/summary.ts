/** Sums of a statement: by tenant, item and site, and the way from list prices to the total. */
import type { BillLine } from '../billing/bill-document.ts';
import { Rational, sumDecimals } from '../domain/money.ts';
import type { Statement } from './statement.ts';

/** Amounts are decimal texts with two decimals. */
export interface Share {
  readonly key: string;
  readonly total: string;
  readonly lines: number;
}

/** total = atList + adjustment + credits + corrections + rounding, to 0.01. */
export interface Bridge {
  /** Σ quantity × list price of what was charged. */
  readonly atList: string;
  /** What the HFU/MFU factors added or took away. */
  readonly adjustment: string;
  readonly credits: string;
  readonly corrections: string;
  /** What rounding each line once, and the sums above, leaves. */
  readonly rounding: string;
  readonly total: string;
}

export function bridgeOf({ bills, total }: Pick<Statement, 'bills' | 'total'>): Bridge {
  const lines = bills.flatMap((bill) => bill.lines);
  const charged = lines.filter(({ kind }) => kind !== 'credit' && kind !== 'correction');
  const exact = (price: (line: BillLine) => string): Rational =>
    charged.reduce((sum, line) => sum.add(Rational.of(line.quantity).multiply(Rational.of(price(line)))), Rational.of(0n));
  const atList = exact((line) => line.list_unit_price).toFixed(2);
  const adjusted = exact((line) => line.unit_price).toFixed(2);
  const adjustment = Rational.of(adjusted).subtract(Rational.of(atList)).toFixed(2);
  const amounts = (kind: string): string =>
    sumDecimals(
      lines.filter((line) => line.kind === kind).map(({ amount }) => amount),
      2,
    );
  const [credits, corrections] = [amounts('credit'), amounts('correction')];
  const known = sumDecimals([adjusted, credits, corrections], 2);
  return { atList, adjustment, credits, corrections, rounding: Rational.of(total).subtract(Rational.of(known)).toFixed(2), total };
}

/** Totals by a property of the lines, largest first; equal ones by key. */
export function sharesBy(lines: readonly BillLine[], keyOf: (line: BillLine) => string): Share[] {
  const groups = new Map<string, BillLine[]>();
  for (const line of lines) groups.set(keyOf(line), [...(groups.get(keyOf(line)) ?? []), line]);
  return [...groups]
    .map(([key, own]) => ({
      key,
      total: sumDecimals(
        own.map(({ amount }) => amount),
        2,
      ),
      lines: own.length,
    }))
    .sort((a, b) => Rational.of(b.total).compare(Rational.of(a.total)) || (a.key < b.key ? -1 : 1));
}

/** The product of a line: accelerator model, or model without the meter. */
export function productOf(line: BillLine): string {
  return isTokenLine(line) ? line.sku.slice(0, line.sku.lastIndexOf(':')) : line.sku;
}

/** Tokens, also those that are given back or corrected. */
export function isTokenLine({ unit }: Pick<BillLine, 'unit'>): boolean {
  return unit === '1000000 Tokens';
}
