/** Months, their rules, and the key of the simulated centre. */
import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import type { MonthPlan } from '../../functions/close/make-pin.ts';
import { type Rules, rulesOf } from '../../functions/close/rules.ts';
import { PARSER_VERSION } from '../../functions/contract.ts';
import { REFERENCE, type ReferenceName, type ReferenceRows } from '../../functions/domain/reference.ts';
import type { Signer } from '../../functions/ports.ts';

/** Ed25519 of a fixed seed, so that every run signs the same bytes. */
const PRIVATE_KEY = createPrivateKey({
  key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, 7)]),
  format: 'der',
  type: 'pkcs8',
});

export const SIGNER: Signer = {
  algorithm: 'ed25519',
  publicKey: createPublicKey(PRIVATE_KEY).export({ type: 'spki', format: 'pem' }).toString(),
  sign: async (bytes) => sign(null, bytes, PRIVATE_KEY),
};

/** How many months back corrections reach. */
export const CORRECT_MONTHS = 13;

export function monthBounds(period: string): { readonly startMs: number; readonly endMs: number } {
  const [year = 0, month = 0] = period.split('-').map(Number);
  return { startMs: Date.UTC(year, month - 1), endMs: Date.UTC(year, month) };
}

/** What a token costs unless an order says otherwise. */
const FIRST_PRICE = 1;

const rules = new Map<string, Rules>();
const prices = new Map<string, bigint>();

/** The rules of a month by which a token costs so much. */
export function rulesOfPrice(period: string, price: number): Rules {
  const name = `${period} ${price}`;
  let own = rules.get(name);
  if (own === undefined) {
    const { startMs, endMs } = monthBounds(period);
    const empty = Object.fromEntries((Object.keys(REFERENCE) as ReferenceName[]).map((table) => [table, []])) as unknown as ReferenceRows;
    const reference = {
      ...empty,
      ref_period: [{ period, start_ms: startMs, end_ms: endMs }],
      ref_price_tier: [{ price_id: 'p1', unit_price: String(price * 1_000_000) }],
    };
    own = rulesOf('simulated', { period, timeZone: 'UTC', startMs, endMs }, 'CNY', reference, { prelude: '', files: [] });
    rules.set(name, own);
    prices.set(own.ratesSha256, BigInt(price));
  }
  return own;
}

/** What a token costs by the rates of this hash. */
export function priceOf(ratesSha256: string): bigint {
  return prices.get(ratesSha256) ?? 0n;
}

export function planOf(period: string): MonthPlan {
  return {
    period,
    rules: rulesOfPrice(period, FIRST_PRICE),
    promises: [],
    documents: [],
    engine: { name: 'rater', version: '1' },
    parserVersion: PARSER_VERSION,
    // Corrected objects hold other numbers under the same ids: that is part of every seed.
    conflictsAllowed: 1_000_000,
    correctMonths: CORRECT_MONTHS,
  };
}
