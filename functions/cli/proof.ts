/** What leaves with an exported bill, so that it can be checked without kashi. */
import { type ClosedBill, readBillObject } from '../close/bill-object.ts';
import { billKey, objectKey } from '../close/keys.ts';
import { readChain, type SignedBill } from '../close/statement.ts';
import { assert } from '../domain/errors.ts';
import { type Centre, readVerifier, trustedKey } from './wiring.ts';

export interface ClosedMonth {
  readonly signed: SignedBill;
  readonly bill: ClosedBill;
  /** All signed bills up to this one, oldest first. */
  readonly chain: readonly SignedBill[];
}

/** Name of the program that checks the exported files. */
export const VERIFIER = 'verify-bill.mjs';

/** A closed month with its chain, or null. Errors: KashiError store_corrupt. */
export async function readClosed(centre: Centre, period: string): Promise<ClosedMonth | null> {
  const chain = await readChain(centre.store, trustedKey(centre, null));
  const signed = chain.find(({ value }) => value.period === period);
  if (signed === undefined) return null;
  const bill = await readBillObject(centre.store, signed.value.bill);
  return { signed, bill, chain: chain.filter(({ value }) => value.period <= period) };
}

/** File name → bytes. `chain/<month>.json` are the signed records as they are stored. */
export async function proofFiles({ store }: Pick<Centre, 'store'>, { signed, chain }: ClosedMonth): Promise<Record<string, Uint8Array>> {
  const stored = async (key: string): Promise<Uint8Array> => {
    const bytes = await store.get(key);
    assert(bytes !== null, `${key} was there a moment ago`);
    return bytes;
  };
  const files: Record<string, Uint8Array> = {
    'bill.json': await stored(objectKey(signed.value.bill)),
    'evidence.json': await stored(objectKey(signed.value.evidence)),
  };
  for (const { value } of chain) files[`chain/${value.period}.json`] = await stored(billKey(value.period, 0));
  files['public-key.pem'] = Buffer.from(signed.publicKey, 'utf8');
  files[VERIFIER] = readVerifier();
  return files;
}
