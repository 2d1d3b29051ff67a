/** A month before it is issued: rated, rated again by the twin, and everything that is in the way. */
import { assert, KashiError } from '../domain/errors.ts';
import type { ReferenceRow } from '../domain/reference.ts';
import { corrupt } from '../ledger/sealed.ts';
import { newestSnapshot, type Snapshot } from '../ledger/snapshot.ts';
import type { Clock, ObjectStore, Signer } from '../ports.ts';
import type { ClosedBill } from './bill-object.ts';
import type { OpenEngine } from './engines.ts';
import { type Equation, equation } from './equation.ts';
import { type Evaluated, evaluate, openHindrances } from './evaluate.ts';
import { verifyFiles } from './files.ts';
import { brokenEquations, type Hindrance } from './gate.ts';
import { configKey } from './keys.ts';
import { type MonthPlan, makePin } from './make-pin.ts';
import { filesOf, type MonthInputs, resolveInputs, resolvePin } from './month-inputs.ts';
import { type GateFacts, gateSettings, type Pin, readPin } from './pin.ts';
import { rateMonth } from './rate-month.ts';
import { bytesOf, readHashed } from './rules.ts';
import type { SignedBill } from './statement.ts';
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
  /** The snapshot that it holds for; absent: whatever is the newest. */
  readonly snapshot?: Snapshot;
}

export interface Judged {
  readonly pin: Pin;
  readonly inputs: MonthInputs;
  readonly evaluated: Evaluated;
  readonly equations: readonly Equation[];
  readonly waivers: readonly StoredWaiver[];
  readonly promises: readonly ReferenceRow[];
  readonly open: readonly Hindrance[];
}

/** The month as it would be pinned now. */
export async function judgeCandidate(
  dependencies: CloseDependencies,
  plan: MonthPlan,
  gate: Gate,
  chain: readonly SignedBill[],
): Promise<Judged> {
  const { store, signer, clock } = dependencies;
  const snapshot = gate.snapshot ?? (await requireSnapshot(store));
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
export async function judgePinned(
  dependencies: CloseDependencies,
  pin: Pin,
  chain: readonly SignedBill[],
  period: string,
): Promise<Judged> {
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
  const files = filesOf(inputs);
  onStep(`checksums of ${files.length} files`);
  await verifyFiles(store, files);
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

export function sameWaivers(left: Pin, right: Pin): boolean {
  const names = ({ waivers }: Pin): string =>
    waivers
      .map(({ sha256 }) => sha256)
      .sort()
      .join(' ');
  return names(left) === names(right);
}
