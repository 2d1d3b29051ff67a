/** Many landed objects, one after the other, with the line equation per source. */
import type { LandedObject, Progress } from '../ports.ts';
import { type IngestDependencies, type IngestOutcome, ingestObject, type Reading } from './ingest-object.ts';
import type { LineCounts } from './parse-object.ts';

export interface SourceReport extends LineCounts {
  readonly source: string;
  objects: number;
  held: number;
  /** Contents that had been committed before; their lines are not counted again. */
  known: number;
  rows: number;
  /** physical − valid − quarantined − blank; anything but 0 is a lost line. */
  residual: number;
  reasons: Record<string, number>;
}

export interface HeldObject {
  readonly name: string;
  readonly source: string;
  readonly reason: string;
  readonly detail: string;
}

export interface IngestReport {
  readonly sources: readonly SourceReport[];
  readonly total: SourceReport;
  readonly held: readonly HeldObject[];
  readonly outcomes: readonly IngestOutcome[];
}

/** Ingests the objects in order. `readingOf` resolves the landing rule of a name. */
export async function ingestAll(
  objects: readonly LandedObject[],
  readingOf: (name: string) => Reading,
  dependencies: Omit<IngestDependencies, 'onBytes'>,
  progress: Progress,
): Promise<IngestReport> {
  const totalBytes = objects.reduce((sum, object) => sum + object.bytes, 0);
  const outcomes: IngestOutcome[] = [];
  let done = 0;
  for (const object of objects) {
    let ofThis = 0;
    const onBytes = (bytes: number): void => {
      ofThis = Math.min(object.bytes, ofThis + bytes);
      progress.update(done + ofThis, totalBytes, object.name);
    };
    progress.update(done, totalBytes, object.name);
    outcomes.push(await ingestObject(object, readingOf(object.name), { ...dependencies, onBytes }));
    done += object.bytes;
  }
  progress.finish();
  return reportOf(outcomes);
}

export function reportOf(outcomes: readonly IngestOutcome[]): IngestReport {
  const sources = new Map<string, SourceReport>();
  const total = emptyReport('total');
  const held: HeldObject[] = [];
  for (const { name, outcome, record } of outcomes) {
    const own = sources.get(record.source) ?? emptyReport(record.source);
    sources.set(record.source, own);
    for (const report of [own, total]) addOutcome(report, outcome, record);
    if (record.hold !== null) held.push({ name, source: record.source, ...record.hold });
  }
  for (const report of [...sources.values(), total]) report.residual = report.physical - report.valid - report.quarantined - report.blank;
  return { sources: [...sources.values()].sort((a, b) => (a.source < b.source ? -1 : 1)), total, held, outcomes };
}

function addOutcome(report: SourceReport, outcome: IngestOutcome['outcome'], record: IngestOutcome['record']): void {
  report.objects++;
  if (outcome === 'unfinished') return;
  if (outcome === 'known') {
    report.known++;
    return;
  }
  if (outcome === 'held') {
    report.held++;
    return;
  }
  report.physical += record.lines.physical;
  report.valid += record.lines.valid;
  report.quarantined += record.lines.quarantined;
  report.blank += record.lines.blank;
  for (const [dataset, rows] of Object.entries(record.rows)) if (dataset !== 'quarantine') report.rows += rows ?? 0;
  for (const [reason, count] of Object.entries(record.reasons)) report.reasons[reason] = (report.reasons[reason] ?? 0) + count;
}

function emptyReport(source: string): SourceReport {
  return { source, objects: 0, held: 0, known: 0, physical: 0, valid: 0, quarantined: 0, blank: 0, rows: 0, residual: 0, reasons: {} };
}
