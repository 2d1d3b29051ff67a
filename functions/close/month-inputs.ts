/** A month's inputs, resolved: which files, which rules, which earlier months are rated again and why. */
import { KashiError } from '../domain/errors.ts';
import { snapshotKey } from '../ledger/keys.ts';
import { corrupt } from '../ledger/sealed.ts';
import { readSnapshot, type Snapshot, type SnapshotFile, snapshotCommits, snapshotFiles } from '../ledger/snapshot.ts';
import type { ObjectStore } from '../ports.ts';
import { type ClosedBill, type IssuedLine, issuedLines, readBillObject } from './bill-object.ts';
import { type Pin, readPin } from './pin.ts';
import { type Rules, readRules } from './rules.ts';
import { readSignedBill, type SignedBill } from './statement.ts';

/** One cause after the other: what the month would be rated to if only this had changed since the stage before. */
export interface Stage {
  readonly cause: string;
  readonly order: number | null;
  readonly files: readonly SnapshotFile[];
  readonly rules: Rules;
}

export interface CorrectionInputs {
  readonly period: string;
  /** SHA-256 of the bill that is corrected. */
  readonly bill: string;
  /** Everything issued for the month so far: its bill, and corrections in later ones. */
  readonly issued: readonly IssuedLine[];
  /** In order; the last one is what the month is rated to now. Empty: nothing has changed. */
  readonly stages: readonly Stage[];
}

export interface MonthInputs {
  readonly period: string;
  readonly snapshot: Snapshot;
  readonly files: readonly SnapshotFile[];
  readonly rules: Rules;
  readonly corrections: readonly CorrectionInputs[];
}

/** Every file that rating reads, once: of the month, and of the months that it corrects as they were read then. */
export function filesOf({ files, corrections }: Pick<MonthInputs, 'files' | 'corrections'>): readonly SnapshotFile[] {
  const all = [...files, ...corrections.flatMap(({ stages }) => stages.flatMap((stage) => stage.files))];
  return [...new Map(all.map((file) => [file.key, file])).values()];
}

/** The inputs that a pin names. Errors: KashiError store_corrupt naming what is missing or is not what the pin says. */
export async function resolvePin(store: ObjectStore, pin: Pin, trusted: string | null): Promise<MonthInputs> {
  return await resolveInputs(store, pin, await readRules(store, pin.rates, pin.sql), trusted);
}

/** As resolvePin, with rules that need not be stored yet: for a bill that is only looked at. */
export async function resolveInputs(
  store: ObjectStore,
  pin: Pick<Pin, 'period' | 'snapshot' | 'previous' | 'corrections'>,
  rules: Rules,
  trusted: string | null,
): Promise<MonthInputs> {
  const snapshot = await pinnedSnapshot(store, pin.snapshot);
  const files = await snapshotFiles(store, snapshot);
  const corrections: CorrectionInputs[] = [];
  if (pin.previous !== null) {
    const before = await readPin(store, pin.previous.period);
    if (before === null) throw corrupt(pin.previous.period, 'no pin of the month before');
    const since = await pinnedSnapshot(store, before.pin.snapshot);
    const sinceFiles = pin.corrections.length === 0 ? [] : await snapshotFiles(store, since);
    const bills = await billsUpTo(store, pin.corrections[0]?.period ?? pin.period, pin.period, trusted);
    for (const correction of pin.corrections) {
      const own = bills.find(({ signed }) => signed.value.period === correction.period);
      if (own === undefined) throw corrupt(correction.period, 'no bill of a month that is corrected');
      corrections.push({
        period: correction.period,
        bill: own.signed.value.bill,
        issued: bills.flatMap(({ bill }) => issuedLines(bill, correction.period)),
        stages: await stagesOf(store, correction, { since, sinceFiles, snapshot, files }),
      });
    }
  }
  return { period: pin.period, snapshot, files, rules, corrections };
}

interface Span {
  readonly since: Snapshot;
  readonly sinceFiles: readonly SnapshotFile[];
  readonly snapshot: Snapshot;
  readonly files: readonly SnapshotFile[];
}

async function stagesOf(store: ObjectStore, correction: Pin['corrections'][number], span: Span): Promise<Stage[]> {
  const { order } = correction;
  const rules = await readRules(store, correction.rates, correction.sql);
  const stages: Stage[] = [];
  if (span.since.sha256 !== span.snapshot.sha256) {
    const { files, isReparsed } = await withOldGenerations(store, span);
    stages.push({ cause: 'late', order: null, files, rules });
    if (isReparsed) stages.push({ cause: 'reparse', order: null, files: span.files, rules });
  }
  if (order !== null)
    stages.push({ cause: order.cause, order: order.number, files: span.files, rules: await readRules(store, order.rates, order.sql) });
  return stages;
}

/** The contents of the newer snapshot, each as the older one read it: what came late, apart from what was read again. */
async function withOldGenerations(store: ObjectStore, span: Span): Promise<{ files: readonly SnapshotFile[]; isReparsed: boolean }> {
  const before = new Map<string, number>();
  for await (const { cid, generation } of snapshotCommits(store, span.since)) before.set(cid, generation);
  const replaced = new Set<string>();
  for await (const { cid, generation } of snapshotCommits(store, span.snapshot))
    if (before.has(cid) && before.get(cid) !== generation) replaced.add(cid);
  if (replaced.size === 0) return { files: span.files, isReparsed: false };
  const old = span.sinceFiles.filter(({ cid }) => replaced.has(cid));
  const kept = span.files.filter(({ cid }) => !replaced.has(cid));
  const files = [...old, ...kept].sort(
    (left, right) => left.fold_seq - right.fold_seq || (left.cid < right.cid ? -1 : left.cid > right.cid ? 1 : 0),
  );
  return { files, isReparsed: true };
}

async function billsUpTo(
  store: ObjectStore,
  first: string,
  before: string,
  trusted: string | null,
): Promise<{ signed: SignedBill; bill: ClosedBill }[]> {
  const bills: { signed: SignedBill; bill: ClosedBill }[] = [];
  for (let period = first; period < before; period = monthAfter(period)) {
    const signed = await readSignedBill(store, period, trusted);
    if (signed === null) throw new KashiError('store_corrupt', 'a bill is missing', { where: period });
    bills.push({ signed, bill: await readBillObject(store, signed.value.bill) });
  }
  return bills;
}

/** Example: '2026-12' → '2027-01'. */
export function monthAfter(period: string): string {
  const [year = 0, month = 0] = period.split('-').map(Number);
  return month === 12 ? `${year + 1}-01` : `${year}-${String(month + 1).padStart(2, '0')}`;
}

/** Errors: KashiError store_corrupt when the snapshot of this number has other bytes than were pinned. */
export async function pinnedSnapshot(store: ObjectStore, pinned: Pin['snapshot']): Promise<Snapshot> {
  const snapshot = await readSnapshot(store, pinned.n);
  if (snapshot.sha256 !== pinned.sha256)
    throw corrupt(snapshotKey(pinned.n), `SHA-256 ${snapshot.sha256}, where the pin says ${pinned.sha256}`);
  return snapshot;
}
