/** `kashi close <yyyy-mm>`: the month's bill, final, signed, provable. */
import { Command } from 'commander';
import { type Closed, closeMonth, type Preview, previewMonth, type Refused } from '../close/close.ts';
import { equationText, residualOf } from '../close/equation.ts';
import type { Hindrance } from '../close/gate.ts';
import type { CloseCrashPoint, CloseDependencies, Gate } from '../close/judge.ts';
import { settledGate } from '../close/settled.ts';
import { closedMonths } from '../close/statement.ts';
import { KashiError } from '../domain/errors.ts';
import { effectiveText, periodOf } from '../domain/period.ts';
import { fold } from '../ledger/fold.ts';
import { reconcile } from '../ledger/reconcile.ts';
import { newestSnapshot, type Snapshot } from '../ledger/snapshot.ts';
import type { LandedObject, ObjectStore } from '../ports.ts';
import { type CommonOptions, ENGINES, withCentreOptions } from './centre-options.ts';
import { planOf } from './closing.ts';
import { EXIT, grouped, groupedDecimal, printJson, printLines, stepNotes, tableLines, visible } from './output.ts';
import {
  type Centre,
  centreKeys,
  createCentreKey,
  fetchKmsKey,
  landedIfPresent,
  openCentre,
  openEngine,
  openSigner,
  openTwin,
} from './wiring.ts';

export function closeCommand(): Command {
  return withCentreOptions(
    new Command('close').description('close a month: check, pin, rate, sign and issue its bill').argument('<yyyy-mm>', 'billing period'),
    ENGINES,
  )
    .addHelpText(
      'after',
      `
Examples:
  kashi close 2026-10
  kashi waive 2026-10 "held:gw/broken.jsonl" --by "Li Wei" --reason "empty file, producer confirmed"

What it asks: the month is over, everything that landed is ingested, nothing is held or unrated, producers' totals are met, every equation holds.
What is in the way is named; a person may answer for some of it (kashi waive). A closed bill never changes: what comes later becomes corrections
in the next month's bill. Closing again, or after a crash, finishes the same bill. The first close makes the signing key.

Exit codes: 0 closed, 1 an equation does not hold, 3 something is in the way.`,
    )
    .action(async (period: string, options: CommonOptions) => {
      const centre = openCentre(options);
      const outcome = await closeCentre(centre, period, options.json === true);
      if (options.json === true) printJson(closeJson(outcome));
      else printLines(closeLines(outcome));
      process.exitCode = exitCode(outcome);
    });
}

export interface CloseOptions {
  readonly crash?: (point: CloseCrashPoint) => void;
  /** SHA-256 of the bill that a person agreed to; absent: nobody is asked. */
  readonly approved?: string;
  /** Everything is folded already, by a process that may write snapshots. */
  readonly isFolded?: true;
}

export type CloseOutcome = (Closed | Refused) & { readonly period: string; readonly keyMade: string | null };

/** Folds, looks at the landing place, and closes. Errors: those of closeMonth, and KashiError config_missing for a lost signing key. */
export async function closeCentre(
  centre: Centre,
  period: string,
  quiet: boolean,
  { crash, approved, isFolded }: CloseOptions = {},
): Promise<CloseOutcome> {
  const plan = await planOf(centre, period);
  const keyMade = await ensureKey(centre);
  const notes = stepNotes(quiet);
  try {
    const dependencies = { ...closeDependencies(centre), onStep: notes.step, ...(crash === undefined ? {} : { crash }) };
    const gate = await settledGate(centre.store, centre.clock, () => gateOf(centre, period), isFolded === true ? newestOf : fold);
    const outcome = await closeMonth(dependencies, plan, gate, approved ?? null);
    return { ...outcome, period, keyMade };
  } finally {
    notes.finish();
  }
}

const newestOf = (store: ObjectStore): Promise<Snapshot | null> => newestSnapshot(store);

/** What closeCentre would issue of what is folded. Nothing is stored. Errors: those of closeMonth. */
export async function previewCentre(centre: Centre, period: string): Promise<Preview> {
  return await previewMonth(closeDependencies(centre), await planOf(centre, period), await gateOf(centre, period));
}

function closeDependencies(centre: Centre): CloseDependencies {
  return {
    store: centre.store,
    signer: openSigner(centre),
    clock: centre.clock,
    openEngine: (files, prelude) => openEngine(centre, files, prelude),
    openTwin: (files, prelude) => openTwin(centre, files, prelude),
  };
}

/** The first close of a warehouse makes the key; after that a missing one is never replaced. Returns where it was made. */
export async function ensureKey(centre: Centre): Promise<string | null> {
  const { exists, privateKeyPath } = centreKeys(centre);
  if (exists || (await fetchKmsKey(centre))) return null;
  if ((await closedMonths(centre.store)).length > 0)
    throw new KashiError('config_missing', 'the signing key is missing', {
      where: privateKeyPath,
      allowed: 'the key that signed the earlier bills',
      found: 'no file',
      hint: 'bring it back from where it is kept; a new key could not continue the chain',
    });
  return createCentreKey(centre) ? privateKeyPath : null;
}

async function gateOf(centre: Centre, period: string): Promise<Gate> {
  const hindrances: Hindrance[] = [...((await centre.deployed?.hindrances()) ?? [])];
  const { endMs } = periodOf(period, centre.config.timeZone);
  if (centre.clock.now() < endMs)
    hindrances.push({
      subject: `month:${period}`,
      problem: `it runs until ${effectiveText(endMs, centre.config.timeZone)} (${centre.config.timeZone})`,
      waivable: false,
    });
  const unreadable = (path: string, error: unknown): void => {
    const problem = `cannot be looked at: ${error instanceof Error ? error.message : String(error)}`;
    hindrances.push({ subject: `landing:${path}`, problem, waivable: false });
  };
  let [objects, bytes] = [0, 0];
  async function* counted(): AsyncGenerator<Pick<LandedObject, 'name' | 'bytes' | 'lastModifiedMs'>> {
    for await (const object of centre.deployed?.landed() ?? landedIfPresent(centre, unreadable)) {
      objects += 1;
      bytes += object.bytes;
      yield object;
    }
  }
  for await (const { name } of reconcile(centre.store, counted()))
    hindrances.push({ subject: `landed:${name}`, problem: 'landed, but not ingested: kashi ingest', waivable: false });
  return { facts: { landed_objects: objects, landed_bytes: bytes }, hindrances };
}

export function exitCode(outcome: CloseOutcome): number {
  if (outcome.state !== 'refused') return EXIT.ok;
  return outcome.hindrances.some(({ subject }) => subject.startsWith('equation:')) ? EXIT.checkFailed : EXIT.incomplete;
}

function closeJson(outcome: CloseOutcome): unknown {
  const { period } = outcome;
  if (outcome.state === 'refused')
    return { period, state: 'refused', hindrances: outcome.hindrances, total: outcome.bill.total, equations: outcome.equations };
  const { signed, bill, evidence, state } = outcome;
  return {
    period,
    state: 'closed',
    already_closed: state === 'already',
    sha256: signed.value.bill,
    evidence_sha256: signed.value.evidence,
    record_sha256: signed.sha256,
    previous: signed.value.previous,
    key_id: signed.keyId,
    snapshot: evidence.pin.pin.snapshot.n,
    currency: bill.currency,
    total: bill.total,
    bills: bill.bills.map(({ tenant_id, total, lines }) => ({ tenant_id, total, lines: lines.length })),
    corrections: bill.bills.flatMap(({ lines }) => lines).filter(({ kind }) => kind === 'correction').length,
    equations: evidence.equations,
    waivers: evidence.waivers,
  };
}

/** Hindrances that are printed in full; there may be one an hour. */
const SHOWN = 40;

export function closeLines(outcome: CloseOutcome): string[] {
  const made =
    outcome.keyMade === null
      ? []
      : [`Made the signing key ${outcome.keyMade}: keep a copy where nobody can change bills, and give others only its .pub.pem.`, ''];
  return [...made, ...(outcome.state === 'refused' ? refusedLines(outcome) : closedLines(outcome))];
}

function toDo(subject: string, waivable: boolean): string {
  if (subject.startsWith('month:')) return 'wait';
  return waivable ? 'mend or waive' : 'mend';
}

function refusedLines({ period, hindrances }: Refused & { readonly period: string }): string[] {
  const rows = hindrances
    .slice(0, SHOWN)
    .map(({ subject, problem, waivable }) => [visible(subject), visible(problem), toDo(subject, waivable)]);
  const first = hindrances.find(({ waivable }) => waivable);
  return [
    `${period} cannot be closed: ${grouped(hindrances.length)} ${hindrances.length === 1 ? 'thing is' : 'things are'} in the way.`,
    '',
    ...tableLines(['what', 'why', 'to do'], rows, new Set(), 100),
    ...(hindrances.length > SHOWN ? [`… and ${hindrances.length - SHOWN} more (--json lists all)`] : []),
    ...(first === undefined
      ? []
      : [
          '',
          'A person may answer for what cannot be mended; it is signed and printed on the bill:',
          `  kashi waive ${period} "${visible(first.subject)}" --by "<name>" --reason "<why>"`,
        ]),
  ];
}

function closedLines({ period, signed, bill, evidence, state }: Closed & { readonly period: string }): string[] {
  const corrections = bill.bills.flatMap(({ lines }) => lines).filter(({ kind }) => kind === 'correction');
  return [
    state === 'already' ? `${period} is closed already; its bill stays as it is.` : `Closed ${period}.`,
    '',
    ...tableLines(
      ['tenant', 'lines', `bill (${bill.currency})`],
      bill.bills.map(({ tenant_id, lines, total }) => [tenant_id, grouped(lines.length), groupedDecimal(total)]),
      new Set([1, 2]),
    ),
    `Total ${groupedDecimal(bill.total)} ${bill.currency}${corrections.length === 0 ? '' : `, ${corrections.length} of the lines correct earlier months`}`,
    '',
    ...equationLines(evidence.equations),
    ...waiverLines(evidence.waivers),
    '',
    `Bill      SHA-256 ${signed.value.bill}`,
    `Previous  ${signed.value.previous === null ? 'none, this is the first' : `${signed.value.previous.period}, record ${signed.value.previous.sha256}`}`,
    `Signed    ${signed.algorithm}, key ${signed.keyId}, record ${signed.sha256}`,
    '',
    `Prove it: kashi verify ${period}`,
  ];
}

/** Every equation. Sums of tenants and checks have one a tenant and a model: their number and residual are enough for a terminal. */
export function equationLines(equations: Closed['evidence']['equations']): string[] {
  const checks = equations.filter(({ name }) => name === 'checks');
  const tenants = equations.filter(({ name, subject }) => name === 'money' && subject !== 'bill');
  const whole = equations.filter((one) => !checks.includes(one) && !tenants.includes(one));
  return [
    ...whole.map(equationText),
    `money of each tenant: ${grouped(tenants.length)} sums; residual ${residualOf(tenants)}`,
    `checks: ${grouped(checks.length)} of lines, tiers and conservation; ${residualOf(checks)} rows are wrong`,
  ];
}

export function waiverLines(waivers: Closed['evidence']['waivers']): string[] {
  if (waivers.length === 0) return [];
  const rows = waivers.map(({ subject, reason, waived_by }) => [visible(subject), visible(waived_by), visible(reason)]);
  return ['', 'Waived:', ...tableLines(['what', 'by', 'why'], rows, new Set(), 80)];
}
