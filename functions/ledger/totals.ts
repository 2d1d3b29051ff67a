/** Sums over all commits of a snapshot, kept by adding what comes and subtracting what is replaced. */
import type { DatasetName } from '../datasets.ts';
import { assert } from '../domain/errors.ts';
import { type CommitRecord, rowCount } from './commit-record.ts';

/** Of one source. `objects` counts held ones too; lines and rows are those of the objects that are not held. */
export interface SourceTotals {
  readonly objects: number;
  readonly held: number;
  readonly physical: number;
  readonly valid: number;
  readonly quarantined: number;
  readonly blank: number;
  readonly rows: number;
}

export interface DatasetTotals {
  readonly files: number;
  readonly rows: number;
  readonly bytes: number;
}

/** What holds at every snapshot: physical = valid + quarantined + blank, by source; reasons sum to quarantined. */
export interface Totals {
  readonly sources: Readonly<Record<string, SourceTotals>>;
  /** Quarantined lines by source and reason. */
  readonly quarantine: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly datasets: Readonly<Partial<Record<DatasetName, DatasetTotals>>>;
}

/** A running sum: `add` what a snapshot gains, `subtract` what a higher generation replaces. */
export interface TotalsSum {
  add(record: CommitRecord): void;
  subtract(record: CommitRecord): void;
  /** The sums, without entries that are zero throughout: equal sets of commits have equal totals. */
  result(): Totals;
}

const EMPTY: Totals = { sources: {}, quarantine: {}, datasets: {} };

/** Begins at the totals of an earlier snapshot, or at nothing. Errors: assertion when a sum would be negative. */
export function sumFrom(start: Totals = EMPTY): TotalsSum {
  const sources = new Map<string, Counts>(Object.entries(start.sources).map(([name, counts]) => [name, { ...counts }]));
  const quarantine = new Map<string, Counts>(Object.entries(start.quarantine).map(([name, counts]) => [name, { ...counts }]));
  const datasets = new Map<string, Counts>(Object.entries(start.datasets).map(([name, counts]) => [name, { ...counts }]));

  function count(record: CommitRecord, sign: 1 | -1): void {
    const { physical, valid, quarantined, blank } = record.lines;
    const lines = record.kind === 'held' ? { held: 1 } : { physical, valid, quarantined, blank, rows: rowCount(record) };
    addTo(sources, record.source, { ...NO_SOURCE, objects: 1, ...lines }, sign);
    if (record.kind === 'data') addTo(quarantine, record.source, record.reasons, sign);
    for (const { dataset, rows, bytes } of record.files) addTo(datasets, dataset, { files: 1, rows, bytes }, sign);
  }

  return {
    add: (record) => count(record, 1),
    subtract: (record) => count(record, -1),
    result: () => ({
      sources: present(sources) as Record<string, Counts & SourceTotals>,
      quarantine: withoutZeros(present(quarantine)),
      datasets: present(datasets) as Record<string, Counts & DatasetTotals>,
    }),
  };
}

type Counts = Record<string, number>;

const NO_SOURCE: SourceTotals = { objects: 0, held: 0, physical: 0, valid: 0, quarantined: 0, blank: 0, rows: 0 };

function addTo(sums: Map<string, Counts>, name: string, counts: Readonly<Record<string, number>>, sign: 1 | -1): void {
  const sum = sums.get(name) ?? {};
  for (const [member, value] of Object.entries(counts)) {
    const total = (sum[member] ?? 0) + sign * value;
    assert(Number.isSafeInteger(total) && total >= 0, `totals: ${member} of ${name} would be ${total}`);
    sum[member] = total;
  }
  sums.set(name, sum);
}

function present(sums: ReadonlyMap<string, Counts>): Record<string, Counts> {
  return Object.fromEntries([...sums].filter(([, counts]) => Object.values(counts).some((value) => value !== 0)));
}

function withoutZeros(sums: Record<string, Counts>): Record<string, Counts> {
  return Object.fromEntries(
    Object.entries(sums).map(([name, counts]) => [name, Object.fromEntries(Object.entries(counts).filter(([, value]) => value !== 0))]),
  );
}
