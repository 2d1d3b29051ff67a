/**
 * Closing a month. Complete, rate, check, and only then pin: a pin that stands can always be finished. From there every step is a write that
 * may be repeated, and the numbered slot decides; two closes, or one that died and came back, issue one bill with the same bytes.
 */
import { assert, KashiError } from '../domain/errors.ts';
import { ATTEMPT_LIFETIME_MS } from '../ledger/commit.ts';
import { putAnyhow } from '../ledger/patient.ts';
import { corrupt } from '../ledger/sealed.ts';
import { signRecord } from '../ledger/signed.ts';
import { TransientStoreError } from '../ports.ts';
import { issueAdjustments } from './adjustments.ts';
import { type ClosedBill, readBillObject } from './bill-object.ts';
import type { Equation } from './equation.ts';
import { type Evidence, evidenceOf, named, readEvidence } from './evidence.ts';
import type { Hindrance } from './gate.ts';
import { type CloseDependencies, type Gate, type Judged, judgeCandidate, judgePinned, sameWaivers } from './judge.ts';
import { billKey, configKey } from './keys.ts';
import { checkTurn, type MonthPlan } from './make-pin.ts';
import { putPin, readPin, type StoredPin, sameInputs } from './pin.ts';
import { bytesOf, storeRules } from './rules.ts';
import { type BillStatement, readChain, readSignedBill, type SignedBill } from './statement.ts';

export interface Closed {
  readonly state: 'closed' | 'already';
  readonly signed: SignedBill;
  readonly bill: ClosedBill;
  readonly evidence: Evidence;
}

export interface Refused {
  readonly state: 'refused';
  /** What nobody has mended or answered for. */
  readonly hindrances: readonly Hindrance[];
  readonly bill: ClosedBill;
  readonly equations: readonly Equation[];
}

/**
 * Closes the month of the plan, or says what is in the way. A month that is closed stays as it is.
 * `approved`: SHA-256 of the bill that a person agreed to; another bill is in the way then. Null: nobody is asked.
 * Errors: KashiError conflict when another month is next, not_found for an empty warehouse, store_corrupt naming what was changed;
 * TransientStoreError when the store stays unreachable (run it again).
 */
export async function closeMonth(
  dependencies: CloseDependencies,
  plan: MonthPlan,
  gate: Gate,
  approved: string | null = null,
): Promise<Closed | Refused> {
  const { onStep = () => {} } = dependencies;
  const looked = await look(dependencies, plan, gate);
  if ('done' in looked) return { state: 'already', ...(await finished(dependencies, looked.done)) };
  const { chain, work, judged } = looked;
  const open = [...judged.open, ...notApproved(judged, plan.period, approved)];
  if (open.length > 0) return { state: 'refused', hindrances: open, bill: judged.evaluated.bill, equations: judged.equations };
  dependencies.crash?.('close.afterGate');
  onStep('pin');
  const stands = work ?? (await pinMonth(dependencies, plan, judged));
  dependencies.crash?.('close.afterPin');
  const final =
    sameInputs(stands.pin, judged.pin) && sameWaivers(stands.pin, judged.pin)
      ? judged
      : await judgePinned(dependencies, stands.pin, chain, plan.period);
  assert(
    final.open.length === 0,
    `the pinned month ${plan.period} cannot be closed: ${final.open.map(({ subject }) => subject).join(', ')}`,
  );
  onStep('sign and issue');
  const signed = await issue(dependencies, stands, final);
  dependencies.crash?.('close.afterSlot');
  return { state: 'closed', ...(await finished(dependencies, signed)) };
}

/** What closing the month now would issue, for a person to look at. Nothing is stored. Errors: those of closeMonth. */
export async function previewMonth(dependencies: CloseDependencies, plan: MonthPlan, gate: Gate): Promise<Preview> {
  const looked = await look(dependencies, plan, gate);
  if ('done' in looked) {
    const { bill: sha256 } = looked.done.value;
    return { state: 'already', sha256, bill: await readBillObject(dependencies.store, sha256), hindrances: [], equations: [] };
  }
  const { evaluated, equations, open } = looked.judged;
  return { state: open.length > 0 ? 'refused' : 'ready', sha256: evaluated.billSha256, bill: evaluated.bill, hindrances: open, equations };
}

export interface Preview {
  /** already: it is closed, and this is its bill. */
  readonly state: 'ready' | 'refused' | 'already';
  readonly sha256: string;
  readonly bill: ClosedBill;
  readonly hindrances: readonly Hindrance[];
  readonly equations: readonly Equation[];
}

type Looked =
  | { readonly done: SignedBill }
  | { readonly chain: readonly SignedBill[]; readonly work: StoredPin | null; readonly judged: Judged };

/** The month as it is: closed, or judged by its pin when there is one, else by the configuration and the newest snapshot. */
async function look(dependencies: CloseDependencies, plan: MonthPlan, gate: Gate): Promise<Looked> {
  const { store, signer, onStep = () => {} } = dependencies;
  const { period } = plan;
  onStep('chain of bills');
  const chain = await readChain(store, signer.publicKey);
  const done = chain.find(({ value }) => value.period === period);
  if (done !== undefined) return { done };
  checkTurn(chain, period);
  for (const { value } of chain.slice(-1)) {
    await readBillObject(store, value.bill);
    await readEvidence(store, value.evidence);
  }
  const work = (await readPin(store, period)) ?? null;
  const judged =
    work === null ? await judgeCandidate(dependencies, plan, gate, chain) : await judgePinned(dependencies, work.pin, chain, period);
  return { chain, work, judged };
}

/** Whoever agreed saw other amounts: something came in, or the configuration changed, since. */
function notApproved({ evaluated }: Judged, period: string, approved: string | null): Hindrance[] {
  if (approved === null || approved === evaluated.billSha256) return [];
  return [{ subject: `approval:${period}`, problem: `bill ${approved} was approved, now it is ${evaluated.billSha256}`, waivable: false }];
}

/** Everything that the pin names is stored before the pin is. */
async function pinMonth({ store, clock }: CloseDependencies, plan: MonthPlan, { pin, promises }: Judged): Promise<StoredPin> {
  await storeRules(store, plan.rules);
  await putAnyhow(store, configKey('promises', pin.promises), bytesOf(promises));
  for (const [index, { kind, bytes }] of plan.documents.entries())
    await putAnyhow(store, configKey(kind, pin.documents[index]!.sha256), bytes);
  // Until it is pinned, the snapshot is kept only for a while after it was the newest.
  if (clock.now() >= pin.pinned_at_ms + ATTEMPT_LIFETIME_MS)
    throw new KashiError('conflict', 'the close took so long that its files may be collected', { where: pin.period, hint: 'run it again' });
  return await putPin(store, pin);
}

/** Writes bill and evidence, signs, and takes the slot. */
async function issue(dependencies: CloseDependencies, stored: StoredPin, judged: Judged): Promise<SignedBill> {
  const { store, signer } = dependencies;
  const { bill, billBytes, billSha256, checks, hours } = judged.evaluated;
  await putAnyhow(store, named(billBytes).key, billBytes);
  dependencies.crash?.('close.afterObject');
  const evidence = evidenceOf(bill, billSha256, stored, judged.inputs.snapshot, judged.equations, checks, judged.waivers, hours);
  const evidenceBytes = bytesOf(evidence);
  await putAnyhow(store, named(evidenceBytes).key, evidenceBytes);
  const statement: BillStatement = {
    format: 'kashi.statement/1',
    kind: 'bill',
    centre: bill.centre,
    period: bill.period,
    number: 0,
    bill: billSha256,
    evidence: named(evidenceBytes).sha256,
    pin: stored.sha256,
    previous: stored.pin.previous,
    currency: bill.currency,
    total: bill.total,
    pinned_at_ms: stored.pin.pinned_at_ms,
  };
  const record = await signRecord(signer, statement);
  dependencies.crash?.('close.beforeSlot');
  try {
    await store.putIfAbsent(billKey(bill.period, 0), record);
  } catch (error) {
    if (!(error instanceof TransientStoreError)) throw error;
    dependencies.crash?.('close.slotUnknown');
    await putAnyhow(store, billKey(bill.period, 0), record);
  }
  const stands = await readSignedBill(store, bill.period, signer.publicKey);
  if (stands === null) throw corrupt(billKey(bill.period, 0), 'no object after it was written');
  const isSame = Buffer.from(bytesOf(stands.value)).equals(bytesOf(statement));
  assert(isSame, `rating ${bill.period} was not deterministic: its slot holds bill ${stands.value.bill}, this close made ${billSha256}`);
  return stands;
}

/** What follows the slot, and may be done again: statements of the months that it corrects. */
async function finished({ store, signer }: CloseDependencies, signed: SignedBill): Promise<Omit<Closed, 'state'>> {
  const bill = await readBillObject(store, signed.value.bill);
  await issueAdjustments(store, signer, signed, bill);
  return { signed, bill, evidence: await readEvidence(store, signed.value.evidence) };
}
