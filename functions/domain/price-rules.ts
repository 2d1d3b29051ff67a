/** Entries that say when a unit is charged at all: which attempts count, and which provider faults are credited. */
import type { Dated } from './effective.ts';
import { below, type Place } from './faults.ts';
import { Rational } from './money.ts';
import {
  datedEntry,
  type Entry,
  type Provenance,
  provenanceOf,
  type RawDecimal,
  type RawEntry,
  type Reading,
  requireWholeMonths,
} from './price-entry.ts';

/** Attempt statuses, as stored. A `not_billable` attempt is never charged. */
export const TOKEN_STATUSES = ['success', 'failure', 'cache_hit', 'not_billable'] as const;
export type TokenStatus = (typeof TOKEN_STATUSES)[number];

/** What is charged when the book does not say: only attempts that succeeded upstream. */
export const DEFAULT_CHARGED: ReadonlySet<TokenStatus> = new Set<TokenStatus>(['success']);

export interface TokenPolicyTerms extends Provenance {
  readonly charged: ReadonlySet<TokenStatus>;
}
export type TokenPolicy = TokenPolicyTerms & Entry;

export interface CreditRuleTerms extends Provenance {
  readonly fault: 'node_lost' | 'preempted' | 'xid';
  /** The Xid code, for fault xid only. */
  readonly xid: number | null;
  /** Longest time before the fault that is credited. */
  readonly creditedMs: number;
}
export type CreditRule = CreditRuleTerms & Entry;

/** Tokens that are given back: of a model, in a span, at a site and by an image where these are named. */
export interface TokenCreditTerms extends Provenance {
  readonly model: string;
  /** Empty: any, as in siteId and tenantId. */
  readonly imageDigest: string;
  readonly siteId: string;
  readonly tenantId: string;
}
export type TokenCredit = TokenCreditTerms & Entry;

export interface RawTokenCredit extends RawEntry {
  readonly model: string;
  readonly image_digest?: string;
  readonly site?: string;
  readonly tenant?: string;
}

export interface RawTokenPolicy extends RawEntry {
  readonly charged: readonly Exclude<TokenStatus, 'not_billable'>[];
}

export interface RawCreditRule extends RawEntry {
  readonly fault: CreditRuleTerms['fault'];
  readonly codes?: readonly number[];
  readonly credited_hours: RawDecimal;
}

/** Which statuses are charged. Faults: an entry that starts or ends inside a month, because a period has one policy. */
export function readTokenPolicy(reading: Reading, place: Place, raw: RawTokenPolicy): Dated<TokenPolicyTerms> | null {
  const terms: TokenPolicyTerms = { ...provenanceOf(raw), charged: new Set<TokenStatus>(raw.charged) };
  const dated = datedEntry(reading, place, raw, [], 'token_policy', terms);
  if (dated !== null) requireWholeMonths(reading, dated, 'a token policy');
  return dated;
}

/**
 * Credit rules of one entry: one per Xid code, else one. Faults: codes without fault xid, fault xid without codes
 * (some Xids are the program's own mistake, so which are the provider's is a decision, not a default).
 * Example: fault xid, codes [48, 79], credited_hours 1.5 → two rules of 5 400 000 ms.
 */
export function readCreditRules(reading: Reading, place: Place, raw: RawCreditRule): Dated<CreditRuleTerms>[] {
  const isXid = raw.fault === 'xid';
  if (isXid !== (raw.codes !== undefined)) {
    const allowed = isXid ? 'the Xid codes that are credited' : 'no codes, or fault xid';
    reading.faults.add(below(place, 'codes'), isXid ? 'missing key' : 'codes belong to fault xid', allowed, isXid ? 'nothing' : raw.fault);
    return [];
  }
  const creditedMs = Number(Rational.of(raw.credited_hours).multiply(Rational.of(3_600_000)).toFixed(0));
  const rules: Dated<CreditRuleTerms>[] = [];
  for (const xid of raw.codes ?? [null]) {
    const terms: CreditRuleTerms = { ...provenanceOf(raw), fault: raw.fault, xid, creditedMs };
    const label = xid === null ? raw.fault : `xid ${xid}`;
    const dated = datedEntry(reading, place, raw, [raw.fault, String(xid ?? '')], label, terms);
    // Wrong dates are one fault of the entry, not one per code.
    if (dated === null) return [];
    rules.push(dated);
  }
  return rules;
}

/** An order to give tokens back. Each stands for itself: two may overlap, and never give back more than was charged. Faults: an unknown model. */
export function readTokenCredit(reading: Reading, place: Place, raw: RawTokenCredit): Dated<TokenCreditTerms> | null {
  if (reading.models !== null && !reading.models.has(raw.model))
    reading.faults.add(below(place, 'model'), 'unknown model', [...reading.models].join(', '), raw.model);
  const terms: TokenCreditTerms = {
    ...provenanceOf(raw),
    ...{ model: raw.model, imageDigest: raw.image_digest ?? '', siteId: raw.site ?? '', tenantId: raw.tenant ?? '' },
  };
  return datedEntry(reading, place, raw, [raw.id], raw.id, terms);
}
