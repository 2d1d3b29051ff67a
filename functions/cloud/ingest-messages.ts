/** A batch of announcements → committed objects. One message that fails does not hold up the others; the store's silence holds up all that follow. */
import { readings, withIngest } from '../cli/ingest.ts';
import type { Centre } from '../cli/wiring.ts';
import { KashiError } from '../domain/errors.ts';
import { type IngestOutcome, ingestObject } from '../ingest/ingest-object.ts';
import { rowCount } from '../ledger/commit-record.ts';
import { type LandedObject, TransientStoreError } from '../ports.ts';
import { errorText } from '../watch/retry.ts';
import { type Announced, announcedObject } from './landed-message.ts';

export interface Message {
  readonly id: string;
  readonly body: string;
}

export interface BatchReport {
  /** Ids of messages that must come again. */
  readonly failed: readonly string[];
  /** Why, in the same order. */
  readonly faults: readonly { readonly message: string; readonly object: string | null; readonly error: string }[];
  /** Names of objects that were deleted before they were read: nothing is left of them to ingest. */
  readonly gone: readonly string[];
  readonly committed: number;
  readonly known: number;
  readonly held: readonly { readonly name: string; readonly reason: string; readonly detail: string }[];
  readonly rows: number;
  readonly quarantined: number;
}

/** Ingests the objects of a batch in order. Errors: those of opening the stage; then nothing was done, and the whole batch comes again. */
export async function ingestMessages(
  centre: Centre,
  messages: readonly Message[],
  open: (announced: Announced) => Promise<LandedObject>,
): Promise<BatchReport> {
  const readingOf = readings(centre, {});
  const outcomes: IngestOutcome[] = [];
  const faults: BatchReport['faults'][number][] = [];
  const gone: string[] = [];
  await withIngest(centre, {}, 0, async (dependencies) => {
    for (const [index, { id, body }] of messages.entries()) {
      let name: string | null = null;
      try {
        const announced = announcedObject(body);
        name = announced.key;
        const object = await open(announced);
        outcomes.push(await ingestObject(object, readingOf(object.name), { ...dependencies, onBytes: () => {} }));
      } catch (error) {
        if (error instanceof KashiError && error.code === 'gone') {
          gone.push(name ?? '');
          continue;
        }
        faults.push({ message: id, object: name, error: errorText(error) });
        if (!isOutage(error)) continue;
        // The others would wait for the same store: they come again later, and this run costs no more.
        for (const { id: rest } of messages.slice(index + 1))
          faults.push({ message: rest, object: null, error: 'not tried: the store does not answer' });
        break;
      }
    }
  });
  return reportOf(outcomes, faults, gone);
}

function isOutage(error: unknown): boolean {
  return error instanceof TransientStoreError || (error instanceof KashiError && error.code === 'store_unsuitable');
}

function reportOf(outcomes: readonly IngestOutcome[], faults: BatchReport['faults'], gone: readonly string[]): BatchReport {
  const committed = outcomes.filter(({ outcome }) => outcome === 'committed');
  return {
    failed: faults.map(({ message }) => message),
    faults,
    gone,
    committed: committed.length,
    known: outcomes.filter(({ outcome }) => outcome === 'known').length,
    held: outcomes
      .filter(({ outcome }) => outcome === 'held')
      .map(({ name, record: { hold } }) => ({ name, reason: hold?.reason ?? '', detail: hold?.detail ?? '' })),
    rows: committed.reduce((sum, { record }) => sum + rowCount(record), 0),
    quarantined: committed.reduce((sum, { record }) => sum + record.lines.quarantined, 0),
  };
}
