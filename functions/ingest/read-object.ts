/** One object, once: its records through the parser of its source, into spooled rows and refusals, and these into files of the store. */
import { createHash } from 'node:crypto';
import { DATASETS, QUARANTINE } from '../datasets.ts';
import type { LandedObject, RowSpool } from '../ports.ts';
import { type Hold, isHold, type Source, type SourceContext } from '../sources/source.ts';
import { type Attempt, held, type Parsed, storeFiles } from './attempt.ts';
import type { IngestDependencies, Reading } from './ingest-object.ts';
import { type Limits, ObjectFault } from './limits.ts';
import { type LineCounts, ObjectParser, type RowSink } from './parse-object.ts';
import type { Peek } from './peek.ts';
import { readBounded } from './read-bounded.ts';

const DRAIN_ROWS = 50_000;

/** What the object came to: files in the store, or a hold and none. Errors: whatever the store or the disk throws. */
export async function readObject(
  attempt: Attempt,
  source: Source,
  reading: Reading,
  looked: Peek,
  dependencies: IngestDependencies,
): Promise<Parsed> {
  const { object } = attempt;
  const { limits, store, writer } = dependencies;
  const context: SourceContext = {
    siteId: reading.siteId,
    zone: reading.zone,
    receivedAtMs: object.lastModifiedMs,
    contentId: source.needsContentId === true ? await decompressedDigest(object, limits) : '',
    options: reading.options,
  };
  const parser = source.open(context);
  if (isHold(parser)) return held(parser.hold, parser.detail);
  const spools = { rows: writer.spool(DATASETS[source.fact]), refusals: writer.spool(QUARANTINE) };
  const abort = async (): Promise<unknown> => await Promise.all([spools.rows.abort(), spools.refusals.abort()]);
  const collector = new Collector(attempt, spools);
  const records = new ObjectParser(source, parser, limits, collector);
  let newlines = 0;
  try {
    newlines = await feed(records, object, source, looked, dependencies, () => collector.drain());
    records.finish();
  } catch (error) {
    await abort();
    if (error instanceof ObjectFault) return held(error.reason, error.message);
    throw error;
  }
  const { counts } = records;
  const { reasons } = collector;
  const hold = tooManyBad(counts, limits);
  if (hold === null) {
    return { hold: null, lines: counts, newlines, reasons, files: await storeFiles(attempt, spools.rows, spools.refusals, source, store) };
  }
  await abort();
  return held(hold.hold, hold.detail, counts, reasons);
}

/** Gives rows and refusals their origin and counts reasons. */
class Collector implements RowSink {
  readonly reasons: Record<string, number> = {};
  private readonly object: LandedObject;
  private readonly origin: { readonly source: string; readonly object_id: string };
  private readonly spools: { readonly rows: RowSpool; readonly refusals: RowSpool };
  private sinceDrain = 0;

  constructor(attempt: Attempt, spools: Collector['spools']) {
    this.object = attempt.object;
    this.origin = { source: attempt.source, object_id: attempt.cid.slice(0, 16) };
    this.spools = spools;
  }

  row: RowSink['row'] = (row, line) => {
    this.spools.rows.append({ ...row, ...this.origin, line });
    this.sinceDrain++;
  };

  refused: RowSink['refused'] = ({ reason, field, found }, { line, byteStart, byteEnd }) => {
    this.reasons[reason] = (this.reasons[reason] ?? 0) + 1;
    const { lastModifiedMs, name } = this.object;
    const place = { landed_at_ms: lastModifiedMs, object_name: name, byte_start: byteStart, byte_end: byteEnd, line };
    this.spools.refusals.append({ ...this.origin, ...place, reason, field, found });
  };

  async drain(): Promise<void> {
    if (this.sinceDrain < DRAIN_ROWS) return;
    this.sinceDrain = 0;
    await this.spools.rows.drain();
  }
}

/** All bytes of the object into the parser, whole or in chunks. Returns its line feeds. */
async function feed(
  records: ObjectParser,
  object: LandedObject,
  source: Source,
  looked: Peek,
  { limits, onBytes }: IngestDependencies,
  drain: () => Promise<void>,
): Promise<number> {
  const whole = source.framing === 'binary' ? await readWhole(object, limits) : source.framing === 'json' ? looked.document : null;
  if (whole !== null) {
    onBytes(object.bytes);
    records.document(whole);
    return countNewlines(whole);
  }
  let newlines = 0;
  for await (const chunk of readBounded(object.open(), limits, (raw) => onBytes(raw.length))) {
    newlines += countNewlines(chunk);
    records.push(chunk);
    await drain();
  }
  return newlines;
}

/** Above the limit the object is more likely misread than partly bad. */
function tooManyBad(counts: LineCounts, limits: Limits): Hold | null {
  const judged = counts.valid + counts.quarantined;
  if (counts.quarantined <= judged * limits.badRowShare) return null;
  return {
    hold: 'too_many_bad_rows',
    detail: `allowed ${Math.round(limits.badRowShare * 1e6) / 1e4} % of ${judged} rows, found ${counts.quarantined} bad`,
  };
}

/** Errors: ObjectFault document_too_large beyond limits.documentBytes. */
async function readWhole(object: LandedObject, limits: Limits): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of readBounded(object.open(), limits)) {
    size += chunk.length;
    if (size > limits.documentBytes) throw new ObjectFault('document_too_large', `allowed ${limits.documentBytes} bytes, found more`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function decompressedDigest(object: LandedObject, limits: Limits): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of readBounded(object.open(), limits)) hash.update(chunk);
  return hash.digest('hex');
}

function countNewlines(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, at + 1)) count++;
  return count;
}
