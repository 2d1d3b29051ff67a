/** A closed month once more, from what was pinned and nothing else: the same bytes, or the name of what was changed. */
import { canonicalJson, sha256Hex } from '../domain/canonical-json.ts';
import { KashiError } from '../domain/errors.ts';
import type { ReferenceRow } from '../domain/reference.ts';
import { readCommit } from '../ledger/commit.ts';
import { commitKey } from '../ledger/keys.ts';
import { corrupt } from '../ledger/sealed.ts';
import { snapshotCommits, verifyChain } from '../ledger/snapshot.ts';
import type { ObjectStore } from '../ports.ts';
import { correctedMonths, readAdjustments } from './adjustments.ts';
import { readBillObject } from './bill-object.ts';
import type { OpenEngine } from './engines.ts';
import type { Equation } from './equation.ts';
import { evaluate } from './evaluate.ts';
import { type Evidence, readEvidence } from './evidence.ts';
import { verifyFiles } from './files.ts';
import { pinnedWaivers } from './judge.ts';
import { billKey, configKey, pinKey } from './keys.ts';
import { filesOf, type MonthInputs, resolvePin } from './month-inputs.ts';
import { readOrders } from './order.ts';
import { gateSettings, type Pin, readPin } from './pin.ts';
import { readHashed, readHashedBytes } from './rules.ts';
import { readChain, type SignedBill } from './statement.ts';

export interface VerifyReport {
  readonly period: string;
  /** The digest in the signed statement; null when it cannot be read. */
  readonly sha256: string | null;
  readonly recomputed_sha256: string | null;
  readonly matches: boolean;
  /** What was looked at, in order; the first problem ends it. */
  readonly checks: readonly { readonly name: string; readonly detail: string }[];
  readonly problem: { readonly message: string; readonly where?: string; readonly found?: string; readonly allowed?: string } | null;
  readonly key_id: string | null;
  /** Whether the key was compared with one that the verifier brought. */
  readonly trusted_key: boolean;
}

/** `trusted`: the public key that must have signed, as PEM. Never throws for what is stored: a wrong byte is a report. */
export async function verifyMonth(
  store: ObjectStore,
  period: string,
  trusted: string | null,
  openEngine: OpenEngine,
): Promise<VerifyReport> {
  const checks: { name: string; detail: string }[] = [];
  const note = (name: string, detail: string): void => void checks.push({ name, detail });
  let signed: SignedBill | null = null;
  let recomputed: string | null = null;
  let problem: VerifyReport['problem'] = null;
  try {
    signed = await signedMonth(store, period, trusted, note);
    recomputed = await recompute(store, signed, trusted, openEngine, note);
    if (recomputed !== signed.value.bill)
      problem = { message: 'the month is rated to another bill', where: billKey(period, 0), allowed: signed.value.bill, found: recomputed };
  } catch (error) {
    problem = problemOf(error);
  }
  return {
    period,
    sha256: signed?.value.bill ?? null,
    recomputed_sha256: recomputed,
    matches: problem === null,
    checks,
    problem,
    key_id: signed?.keyId ?? null,
    trusted_key: trusted !== null,
  };
}

type Note = (name: string, detail: string) => void;

async function signedMonth(store: ObjectStore, period: string, trusted: string | null, note: Note): Promise<SignedBill> {
  const chain = await readChain(store, trusted);
  const signed = chain.find(({ value }) => value.period === period);
  if (signed === undefined) {
    throw new KashiError('not_found', 'the month is not closed', {
      where: period,
      allowed: chain.length === 0 ? 'no month is closed' : chain.map(({ value }) => value.period).join(', '),
    });
  }
  note('chain', `${chain.length} signed ${chain.length === 1 ? 'bill' : 'bills'}, each naming the one before, key ${signed.keyId}`);
  return signed;
}

async function recompute(
  store: ObjectStore,
  signed: SignedBill,
  trusted: string | null,
  openEngine: OpenEngine,
  note: Note,
): Promise<string> {
  const { value } = signed;
  const key = trusted ?? signed.publicKey;
  const bill = await readBillObject(store, value.bill);
  const evidence = await readEvidence(store, value.evidence);
  const stored = await readPin(store, value.period);
  if (stored === null) throw corrupt(pinKey(value.period), 'no object');
  if (stored.sha256 !== value.pin || canonicalJson(stored) !== canonicalJson(evidence.pin))
    throw corrupt(pinKey(value.period), `SHA-256 ${stored.sha256}, where the statement says ${value.pin}`);
  note('objects', 'bill, evidence and pin have the bytes that were signed');
  for (const period of [value.period, ...correctedMonths(bill)]) await readAdjustments(store, period, key);

  const { pin } = stored;
  const snapshots = await verifyChain(store, pin.snapshot);
  const inputs = await resolvePin(store, pin, key);
  await verifyCommits(store, inputs);
  note('history', `${snapshots} ${snapshots === 1 ? 'snapshot' : 'snapshots'} back to the first, every commit as it was folded`);
  const verified = await verifyFiles(store, filesOf(inputs));
  note('files', `${verified} files have the bytes that their commits say`);
  for (const { kind, sha256 } of pin.documents) await readHashedBytes(store, configKey(kind, sha256), sha256);
  await verifyOrders(store, pin, key);
  const promises = await readHashed<readonly ReferenceRow[]>(store, configKey('promises', pin.promises), pin.promises);
  const waivers = await pinnedWaivers(store, pin, key);
  note('configuration', `${pin.documents.length} reviewed files, rates, SQL, ${waivers.size} ${waivers.size === 1 ? 'waiver' : 'waivers'}`);

  const again = await evaluate(store, inputs, promises, gateSettings(pin), waivers, openEngine);
  compareEquations(evidence, again.equations, value.period);
  note('recomputed', `bill ${again.billSha256}`);
  return again.billSha256;
}

/** The commit objects themselves, beside the copies in the segments. */
async function verifyCommits(store: ObjectStore, { snapshot }: MonthInputs): Promise<void> {
  for await (const { fold_seq: _seq, ...entry } of snapshotCommits(store, snapshot)) {
    const key = commitKey(entry.cid, entry.generation);
    const record = await readCommit(store, entry.cid, entry.generation);
    if (record === null) throw corrupt(key, 'no object');
    if (canonicalJson(record) !== canonicalJson(entry)) throw corrupt(key, 'another record than was folded');
  }
}

async function verifyOrders(store: ObjectStore, pin: Pin, trusted: string): Promise<void> {
  for (const { period, order } of pin.corrections) {
    if (order === null) continue;
    const found = (await readOrders(store, period, trusted)).find(({ number }) => number === order.number);
    if (found?.sha256 !== order.sha256) throw corrupt(`orders of ${period}`, `order ${order.number} is not what was pinned`);
  }
}

/** The equations that the inputs decide must come out as they were printed. */
function compareEquations(evidence: Evidence, again: readonly Equation[], period: string): void {
  const printed = evidence.equations.filter(({ name }) => name !== 'chain' && name !== 'twin');
  const digest = (equations: readonly Equation[]): string => sha256Hex(canonicalJson(equations));
  if (digest(printed) === digest(again)) return;
  const broken = again.find((one, place) => canonicalJson(one) !== canonicalJson(printed[place] ?? null));
  throw corrupt(`evidence of ${period}`, `equation ${broken?.name ?? ''} ${broken?.subject ?? ''} comes out otherwise`);
}

function problemOf(error: unknown): VerifyReport['problem'] {
  if (error instanceof KashiError) {
    const { where, allowed, found } = error.details;
    return {
      message: error.message,
      ...(where === undefined ? {} : { where }),
      ...(allowed === undefined ? {} : { allowed }),
      ...(found === undefined ? {} : { found }),
    };
  }
  return { message: error instanceof Error ? error.message : String(error) };
}
