/** What is signed for a month, and the chain that statements form. */
import { PREFIX } from '../contract.ts';
import { KashiError } from '../domain/errors.ts';
import { corrupt } from '../ledger/sealed.ts';
import { openRecord, type Signed } from '../ledger/signed.ts';
import type { ObjectStore } from '../ports.ts';
import { billKey, parseBillKey } from './keys.ts';

/** The bill of a month (number 0). */
export interface BillStatement {
  readonly format: 'kashi.statement/1';
  readonly kind: 'bill';
  readonly centre: string;
  readonly period: string;
  readonly number: 0;
  /** SHA-256 of the bill's bytes: the comparable digest. */
  readonly bill: string;
  /** SHA-256 of the evidence's bytes. */
  readonly evidence: string;
  /** SHA-256 of the pin's bytes. */
  readonly pin: string;
  /** The month before and the SHA-256 of its record; null in the first bill of a warehouse. */
  readonly previous: { readonly period: string; readonly sha256: string } | null;
  readonly currency: string;
  readonly total: string;
  /** Epoch ms: when its inputs were pinned. */
  readonly pinned_at_ms: number;
}

/** Corrections of a closed month, as issued in a later one (numbers from 1). */
export interface AdjustmentStatement {
  readonly format: 'kashi.statement/1';
  readonly kind: 'adjustment';
  readonly centre: string;
  readonly period: string;
  readonly number: number;
  /** The month in whose bill the corrections are charged, and that bill's SHA-256. */
  readonly issued_in: string;
  readonly bill: string;
  /** Correction lines. */
  readonly lines: readonly string[];
  readonly currency: string;
  readonly total: string;
  /** SHA-256 of the record of the statement before. */
  readonly previous: { readonly period: string; readonly sha256: string };
}

export type SignedBill = Signed<BillStatement>;

/** Months with a bill, in order. */
export async function closedMonths(store: ObjectStore): Promise<string[]> {
  const months: string[] = [];
  for await (const { key } of store.list(PREFIX.bills)) {
    const { period, number } = parseBillKey(key);
    if (number === 0) months.push(period);
  }
  return months.sort();
}

/** The signed bill of a month, or null. Errors: KashiError store_corrupt. */
export async function readSignedBill(store: ObjectStore, period: string, trusted: string | null): Promise<SignedBill | null> {
  const key = billKey(period, 0);
  const bytes = await store.get(key);
  if (bytes === null) return null;
  const signed = openRecord<BillStatement>(bytes, key, trusted);
  const { value } = signed;
  if (value.kind !== 'bill' || value.period !== period || value.number !== 0) throw corrupt(key, `the statement of ${value.period}`);
  return signed;
}

/**
 * All signed bills in order, each verified, each naming the one before by its hash, all by one key. Errors: KashiError store_corrupt naming
 * the first that is missing, changed, or not the one its successor was made after.
 */
export async function readChain(store: ObjectStore, trusted: string | null): Promise<SignedBill[]> {
  const chain: SignedBill[] = [];
  for (const period of await closedMonths(store)) {
    const before = chain.at(-1);
    const signed = await readSignedBill(store, period, trusted ?? before?.publicKey ?? null);
    const expected = before === undefined ? null : { period: before.value.period, sha256: before.sha256 };
    const named = signed?.value.previous ?? null;
    if (signed === null) throw corrupt(billKey(period, 0), 'no object');
    if (named?.period !== expected?.period || named?.sha256 !== expected?.sha256) {
      throw new KashiError('store_corrupt', 'the chain of bills is broken', {
        where: billKey(period, 0),
        allowed: expected === null ? 'no bill before the first' : `previous bill ${expected.period}, record ${expected.sha256}`,
        found: named === null ? 'no previous bill' : `previous bill ${named.period}, record ${named.sha256}`,
      });
    }
    chain.push(signed);
  }
  return chain;
}
