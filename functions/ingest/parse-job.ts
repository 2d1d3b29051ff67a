/** The part of reading one object that a thread does: blocks of lines in, spooled rows and counts out. */
import { DATASETS, type Dataset, QUARANTINE } from '../datasets.ts';
import type { RowSpool, SpooledRows, StoredRow } from '../ports.ts';
import { mappedSource, parseMapText } from '../sources/mapped.ts';
import { SOURCES } from '../sources/registry.ts';
import { isHold, type RecordPlace, type Rejection, type Source, type SourceContext } from '../sources/source.ts';
import type { Block } from './blocks.ts';
import type { Limits } from './limits.ts';
import { type LineCounts, ObjectParser } from './parse-object.ts';

/** How a thread finds a source that it cannot be handed. */
export type SourceRef =
  | { readonly name: string; readonly framing: Source['framing'] }
  | { readonly map: string; readonly fileName: string };

/** Plain data: it crosses to another thread. */
export interface JobDescription {
  readonly source: SourceRef;
  readonly context: SourceContext;
  readonly limits: Limits;
  readonly objectName: string;
}

/** What crosses for each block; `whole` is a document or message instead of lines. */
export interface JobBlock extends Block {
  readonly whole: boolean;
}

export interface JobResult {
  readonly counts: LineCounts;
  readonly reasons: Readonly<Record<string, number>>;
  readonly rows: SpooledRows | null;
  readonly refusals: SpooledRows | null;
  /** What was refused first, to say why an object is held. */
  readonly firstRefusal: FirstRefusal | null;
}

export interface FirstRefusal extends Rejection {
  readonly line: number;
}

/** The results of all jobs of one object. */
export interface Merged {
  readonly counts: LineCounts;
  readonly reasons: Readonly<Record<string, number>>;
  readonly rows: readonly SpooledRows[];
  readonly refusals: readonly SpooledRows[];
  readonly firstRefusal: FirstRefusal | null;
}

/** Lines without anything on them are blank under every source; an object of them alone is not worth stopping a close for. */
export const BLANK_LINES: Source = {
  name: 'unknown',
  fact: 'token_usage',
  framing: 'text',
  detect: () => false,
  open: () => ({ parse: () => 'blank' }),
};

function resolveSource(ref: SourceRef): Source {
  if ('map' in ref) return mappedSource(parseMapText(ref.map, ref.fileName));
  const shapes = SOURCES.flatMap((source) => [source, ...(source.shapes ?? [])]);
  const found = [...shapes, BLANK_LINES].find(({ name, framing }) => name === ref.name && framing === ref.framing);
  if (found === undefined) throw new Error(`invariant broken: no source ${ref.name} with framing ${ref.framing}`);
  return found;
}

/** Takes blocks in order; rows go to spools as they come. The source has been opened once before, so it cannot hold the object here. */
export class ParseJob {
  private readonly reasons: Record<string, number> = {};
  private readonly rows: RowSpool;
  private readonly refusals: RowSpool;
  private readonly parser: ObjectParser;
  private firstRefusal: FirstRefusal | null = null;

  constructor(description: JobDescription, spoolOf: (dataset: Dataset) => RowSpool) {
    const { context, limits, objectName } = description;
    const source = resolveSource(description.source);
    const records = source.open(context);
    if (isHold(records)) throw new Error(`invariant broken: ${source.name} opened before and now holds: ${records.detail}`);
    this.rows = spoolOf(DATASETS[source.fact]);
    this.refusals = spoolOf(QUARANTINE);
    const short = source.ordinary === undefined ? null : { reader: source.ordinary.open(context, this.rows), columns: this.rows };
    const sink = {
      row: (row: StoredRow, line: number) => this.rows.append(row, line),
      refused: ({ reason, field, found }: Rejection, place: RecordPlace, lines: number) => {
        this.reasons[reason] = (this.reasons[reason] ?? 0) + lines;
        this.firstRefusal ??= { reason, field, found, line: place.line };
        const where = { landed_at_ms: context.receivedAtMs, object_name: objectName, byte_start: place.byteStart, byte_end: place.byteEnd };
        this.refusals.append({ ...where, reason, field, found }, place.line);
      },
    };
    this.parser = new ObjectParser(source, records, limits, sink, short);
  }

  take({ bytes, line, byteStart, tooLongUntil, whole }: JobBlock): ArrayBuffer | null {
    if (whole) this.parser.document(bytes);
    else if (tooLongUntil !== null) this.parser.tooLong(line, byteStart, tooLongUntil);
    else {
      // Buffer searches bytes five times as fast as Uint8Array does.
      this.parser.block(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), line, byteStart);
      return bytes.buffer;
    }
    return null;
  }

  finish(): JobResult {
    this.parser.finish();
    return {
      counts: this.parser.counts,
      reasons: this.reasons,
      rows: this.rows.finish(),
      refusals: this.refusals.finish(),
      firstRefusal: this.firstRefusal,
    };
  }

  abort(): void {
    this.parser.release();
    this.rows.abort();
    this.refusals.abort();
  }
}

/** One result of several jobs over parts of one object. */
export function mergeResults(results: readonly JobResult[]): Merged {
  const counts: LineCounts = { physical: 0, valid: 0, quarantined: 0, blank: 0 };
  const reasons: Record<string, number> = {};
  for (const result of results) {
    for (const name of Object.keys(counts) as (keyof LineCounts)[]) counts[name] += result.counts[name];
    for (const [reason, count] of Object.entries(result.reasons)) reasons[reason] = (reasons[reason] ?? 0) + count;
  }
  const first = results.map(({ firstRefusal }) => firstRefusal).filter((refusal) => refusal !== null);
  first.sort((a, b) => a.line - b.line);
  const present = (spools: readonly (SpooledRows | null)[]): SpooledRows[] => spools.filter((spool) => spool !== null);
  return {
    counts,
    reasons,
    rows: present(results.map(({ rows }) => rows)),
    refusals: present(results.map(({ refusals }) => refusals)),
    firstRefusal: first[0] ?? null,
  };
}
