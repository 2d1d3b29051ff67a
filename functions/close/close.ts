/**
 * Closing a month. Complete, rate, check, and only then pin: a pin that stands can always be finished. From there every step is a write that
 * may be repeated, and the numbered slot decides; two closes, or one that died and came back, issue one bill with the same bytes.
 */
import { assert, KashiError } from '../domain/errors.ts';
import type { ReferenceRow } from '../domain/reference.ts';
import { putAnyhow } from '../ledger/patient.ts';
import { corrupt } from '../ledger/sealed.ts';
import { newestSnapshot, type Snapshot } from '../ledger/snapshot.ts';
import { type Clock, type ObjectStore, type Signer, TransientStoreError } from '../ports.ts';
import { issueAdjustments } from './adjustments.ts';
import { type ClosedBill, readBillObject } from './bill-object.ts';
import { type Equation, equation } from './equations.ts';
import { type Evaluated, evaluate, openHindrances } from './evaluate.ts';
import { type Evidence, evidenceOf, named, readEvidence } from './evidence.ts';
import { verifyFiles } from './files.ts';
import { brokenEquations, type Hindrance } from './gate.ts';
import { billKey, configKey } from './keys.ts';
import { checkTurn, type MonthPlan, makePin } from './make-pin.ts';
import { type MonthInputs, resolveInputs, resolvePin } from './month-inputs.ts';
import { type GateFacts, gateSettings, type Pin, putPin, readPin, type StoredPin, sameInputs } from './pin.ts';
import { type OpenEngine, rateMonth } from './rate-month.ts';
import { bytesOf, readHashed, storeRules } from './rules.ts';
import { signRecord } from './signed.ts';
import { type BillStatement, readChain, readSignedBill, type SignedBill } from './statement.ts';
import { readWaiver, readWaivers, type StoredWaiver } from './waiver.ts';

/** Places where a process may die, named so that a test can aim at each. */
export type CloseCrashPoint =
  | 'close.afterGate'
  | 'close.afterPin'
  | 'close.midRate'
  | 'close.afterObject'
  | 'close.beforeSlot'
  | 'close.slotUnknown'
  | 'close.afterSlot';

export interface CloseDependencies {
  readonly store: ObjectStore;
  readonly signer: Signer;
  readonly clock: Clock;
  readonly openEngine: OpenEngine;
  /** A second engine that shares no setting with the first which could show in a bill: other threads, other order of files. */
  readonly openTwin: OpenEngine;
  readonly crash?: (point: CloseCrashPoint) => void;
  readonly onStep?: (step: string) => void;
}

/** What only the caller can look at: the landing place. */
export interface Gate {
  readonly facts: GateFacts;
  readonly hindrances: readonly Hindrance[];
}

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
 * Errors: KashiError conflict when another month is next, not_found for an empty warehouse, store_corrupt naming what was changed;
 * TransientStoreError when the store stays unreachable (run it again).
 */
export async function closeMonth(dependencies: CloseDependencies, plan: MonthPlan, gate: Gate): Promise<Closed | Refused> {
  const { store, signer, onStep = () => {} } = dependencies;
  const { period } = plan;
  onStep('chain of bills');
  const chain = await readChain(store, signer.publicKey);
  const done = chain.find(({ value }) => value.period === period);
  if (done !== undefined) return { state: 'already', ...(await finished(dependencies, done)) };
  checkTurn(chain, period);
  for (const { value } of chain.slice(-1)) {
    await readBillObject(store, value.bill);
    await readEvidence(store, value.evidence);
  }
  const work = (await readPin(store, period)) ?? null;
  const judged =
    work === null ? await judgeCandidate(dependencies, plan, gate, chain) : await judgePinned(dependencies, work.pin, chain, plan.period);
  if (judged.open.length > 0) {
    return { state: 'refused', hindrances: judged.open, bill: judged.evaluated.bill, equations: judged.equations };
  }
  dependencies.crash?.('close.afterGate');
  onStep('pin');
  const stands = work ?? (await pinMonth(store, plan, judged));
  dependencies.crash?.('close.afterPin');
  const final =
    sameInputs(stands.pin, judged.pin) && sameWaivers(stands.pin, judged.pin)
      ? judged
      : await judgePinned(dependencies, stands.pin, chain, plan.period);
  assert(final.open.length === 0, `the pinned month ${period} cannot be closed: ${final.open.map(({ subject }) => subject).join(', ')}`);
  onStep('sign and issue');
  const signed = await issue(dependencies, stands, final);
  dependencies.crash?.('close.afterSlot');
  return { state: 'closed', ...(await finished(dependencies, signed)) };
}

interface Judged {
  readonly pin: Pin;
  readonly inputs: MonthInputs;
  readonly evaluated: Evaluated;
  readonly equations: readonly Equation[];
  readonly waivers: readonly StoredWaiver[];
  readonly promises: readonly ReferenceRow[];
  readonly open: readonly Hindrance[];
}

/** The month as it would be pinned now. */
async function judgeCandidate(dependencies: CloseDependencies, plan: MonthPlan, gate: Gate, chain: readonly SignedBill[]): Promise<Judged> {
  const { store, signer, clock } = dependencies;
  const snapshot = await requireSnapshot(store);
  const pin = await makePin(store, plan, snapshot, chain, gate.facts, clock.now(), signer.publicKey);
  const inputs = await resolveInputs(store, pin, plan.rules, signer.publicKey);
  const before = pin.previous === null ? null : await readPin(store, pin.previous.period);
  // A file that was answered for last month is still held, and nobody is asked twice.
  const carried = before === null ? [] : await pinnedWaivers(store, before.pin, signer.publicKey);
  const waivers = new Map([...carried, ...(await readWaivers(store, plan.period, signer.publicKey))]);
  const judged = await judge(dependencies, pin, inputs, plan.promises, waivers, gate.hindrances, chain);
  const used = judged.waivers.map(({ key, sha256 }) => ({ key, sha256 }));
  return { ...judged, pin: { ...pin, waivers: used } };
}

/** The month as it was pinned, by this or another close. */
async function judgePinned(dependencies: CloseDependencies, pin: Pin, chain: readonly SignedBill[], period: string): Promise<Judged> {
  const { store, signer } = dependencies;
  assert(pin.period === period, `pin of ${pin.period} for ${period}`);
  const last = chain.at(-1);
  if (pin.previous?.sha256 !== last?.sha256) throw corrupt(period, 'a pin made after another bill than the last one');
  const inputs = await resolvePin(store, pin, signer.publicKey);
  const promises = await readHashed<readonly ReferenceRow[]>(store, configKey('promises', pin.promises), pin.promises);
  return await judge(dependencies, pin, inputs, promises, await pinnedWaivers(store, pin, signer.publicKey), [], chain);
}

/** The waivers that a pin names, by subject. Errors: KashiError store_corrupt when one is not what was pinned. */
export async function pinnedWaivers(store: ObjectStore, pin: Pin, trusted: string | null): Promise<Map<string, StoredWaiver>> {
  const waivers = new Map<string, StoredWaiver>();
  for (const { key, sha256 } of pin.waivers) {
    const waiver = await readWaiver(store, key, trusted);
    if (waiver.sha256 !== sha256) throw corrupt(key, `SHA-256 ${waiver.sha256}, where the pin says ${sha256}`);
    waivers.set(waiver.subject, waiver);
  }
  return waivers;
}

async function judge(
  dependencies: CloseDependencies,
  pin: Pin,
  inputs: MonthInputs,
  promises: readonly ReferenceRow[],
  waivers: ReadonlyMap<string, StoredWaiver>,
  outside: readonly Hindrance[],
  chain: readonly SignedBill[],
): Promise<Judged> {
  const { store, onStep = () => {} } = dependencies;
  onStep(`checksums of ${inputs.files.length} files`);
  await verifyFiles(store, inputs.files);
  onStep('rate and check');
  const evaluated = await evaluate(store, inputs, promises, gateSettings(pin), waivers, dependencies.openEngine);
  dependencies.crash?.('close.midRate');
  onStep('rate again on the twin');
  const twin = await rateMonth(inputs, promises, dependencies.openTwin, async ({ bill }) => bill);
  const own = [equation('chain', 'signed bills', { bills: chain.length }, { verified: chain.length }), twinEquation(evaluated, twin)];
  const all = [...outside, ...evaluated.hindrances, ...brokenEquations(own)];
  const used = new Set(all.map(({ subject }) => subject));
  return {
    pin,
    inputs,
    evaluated,
    equations: [...evaluated.equations, ...own],
    waivers: [...waivers.values()]
      .filter(({ subject }) => used.has(subject))
      .sort((left, right) => (left.subject < right.subject ? -1 : 1)),
    promises,
    open: openHindrances(all, waivers),
  };
}

/** Lines of one engine that the other rates to the same, to the last character. */
function twinEquation({ bill, billBytes }: Evaluated, twin: ClosedBill): Equation {
  const texts = (one: ClosedBill): string[] =>
    one.bills.flatMap(({ tenant_id, lines }) => lines.map((line) => JSON.stringify([tenant_id, line])));
  const others = new Set(texts(twin));
  const lines = texts(bill);
  const same = lines.filter((line) => others.has(line)).length;
  const found = equation('twin', 'two engines', { lines: lines.length }, { 'same lines': same });
  // Anything else that differs, such as a line that only the twin has.
  const isSame = Buffer.from(bytesOf(twin)).equals(billBytes);
  return isSame || found.residual !== '0' ? found : { ...found, residual: '1' };
}

async function requireSnapshot(store: ObjectStore): Promise<Snapshot> {
  const snapshot = await newestSnapshot(store);
  if (snapshot === null)
    throw new KashiError('not_found', 'the warehouse is empty', {
      allowed: 'a warehouse into which something was ingested',
      hint: 'kashi ingest <paths>',
    });
  return snapshot;
}

function sameWaivers(left: Pin, right: Pin): boolean {
  const names = ({ waivers }: Pin): string =>
    waivers
      .map(({ sha256 }) => sha256)
      .sort()
      .join(' ');
  return names(left) === names(right);
}

/** Everything that the pin names is stored before the pin is. */
async function pinMonth(store: ObjectStore, plan: MonthPlan, { pin, promises }: Judged): Promise<StoredPin> {
  await storeRules(store, plan.rules);
  await putAnyhow(store, configKey('promises', pin.promises), bytesOf(promises));
  for (const [index, { kind, bytes }] of plan.documents.entries())
    await putAnyhow(store, configKey(kind, pin.documents[index]!.sha256), bytes);
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
