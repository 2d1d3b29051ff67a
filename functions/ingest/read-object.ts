/** One object, once: its records through the parser of its source, into spooled rows and refusals, and these into files of the store. */
import { createHash } from 'node:crypto';
import type { LandedObject } from '../ports.ts';
import { type Hold, isHold, type Rejection, type Source, type SourceContext } from '../sources/source.ts';
import { type Attempt, held, NO_LINES, type Parsed, storeFiles } from './attempt.ts';
import { BlockCutter, countNewlines } from './blocks.ts';
import type { IngestDependencies, Reading } from './ingest-object.ts';
import { type Limits, ObjectFault } from './limits.ts';
import { ObjectJobs } from './object-jobs.ts';
import type { JobDescription, Merged } from './parse-job.ts';
import type { LineCounts } from './parse-object.ts';
import type { Peek } from './peek.ts';
import { readBounded } from './read-bounded.ts';

/** What reading found, before anything of it is in the store. */
export interface Reads {
  readonly hold: Hold | null;
  readonly merged: Merged;
  readonly newlines: number;
}

const NOTHING: Merged = { counts: NO_LINES, reasons: {}, rows: [], refusals: [], firstRefusal: null };

/**
 * Reads the object to its end. `onRaw` sees every raw byte once and in order, unless the object is held.
 * Errors: whatever the landing place or the disk throws.
 */
export async function readObject(
  object: LandedObject,
  source: Source,
  reading: Reading,
  looked: Peek,
  dependencies: IngestDependencies,
  onRaw: (chunk: Uint8Array) => void,
): Promise<Reads> {
  const { limits, pool } = dependencies;
  const context: SourceContext = {
    siteId: reading.siteId,
    zone: reading.zone,
    receivedAtMs: object.lastModifiedMs,
    contentId: source.needsContentId === true ? await decompressedDigest(object, limits) : '',
    options: reading.options,
  };
  const parser = source.open(context);
  if (isHold(parser)) return { hold: parser, merged: NOTHING, newlines: 0 };
  const description: JobDescription = {
    source: reading.map === null ? { name: source.name, framing: source.framing } : reading.map,
    context,
    limits,
    objectName: object.name,
  };
  const jobs = new ObjectJobs(pool, description, source.independentLines === true);
  let newlines = 0;
  try {
    newlines = await feed(jobs, object, source, looked, dependencies, onRaw);
  } catch (error) {
    await jobs.abort();
    if (error instanceof ObjectFault) return { hold: { hold: error.reason, detail: error.message }, merged: NOTHING, newlines: 0 };
    throw error;
  }
  const merged = await jobs.finish();
  return { hold: tooManyBad(merged.counts, merged, limits), merged, newlines };
}

/** What was read, as files in the store, or a hold and none. */
export async function keepReads(
  { hold, merged, newlines }: Reads,
  attempt: Attempt,
  source: Source,
  { store, writer }: IngestDependencies,
): Promise<Parsed> {
  const { counts, reasons, rows, refusals } = merged;
  if (hold === null)
    return { hold: null, lines: counts, newlines, reasons, files: await storeFiles(attempt, source, rows, refusals, writer, store) };
  await writer.discard([...rows, ...refusals]);
  return held(hold.hold, hold.detail, counts, reasons);
}

/** All bytes of the object to its jobs, whole or in blocks of lines. Returns its line feeds. Errors: ObjectFault. */
async function feed(
  jobs: ObjectJobs,
  object: LandedObject,
  source: Source,
  looked: Peek,
  { limits, onBytes, pool }: IngestDependencies,
  onRaw: (chunk: Uint8Array) => void,
): Promise<number> {
  const seeRaw = (chunk: Uint8Array): void => {
    onRaw(chunk);
    onBytes(chunk.length);
  };
  const whole = source.framing === 'binary' ? await readWhole(object, limits) : source.framing === 'json' ? looked.document : null;
  if (whole !== null) {
    for await (const chunk of object.open()) seeRaw(chunk);
    await jobs.send({ bytes: new Uint8Array(whole), line: 1, byteStart: 0, tooLongUntil: null, whole: true });
    return countNewlines(whole);
  }
  const cutter = new BlockCutter(limits.lineBytes, () => pool.spare());
  for await (const chunk of readBounded(object.open(), limits, seeRaw)) {
    for (const block of cutter.push(chunk)) await jobs.send({ ...block, whole: false });
  }
  for (const block of cutter.end()) await jobs.send({ ...block, whole: false });
  return cutter.newlines;
}

/** A share of fewer bad rows than this says nothing about a file in which others are good. */
const MIN_BAD_ROWS = 20;

/** Above the limit, or without one good row, the object is more likely misread than partly bad. */
function tooManyBad(counts: LineCounts, { reasons, firstRefusal }: Merged, limits: Limits): Hold | null {
  const judged = counts.valid + counts.quarantined;
  if (counts.quarantined <= judged * limits.badRowShare) return null;
  if (counts.valid > 0 && counts.quarantined < MIN_BAD_ROWS) return null;
  const share = Math.round(limits.badRowShare * 1e6) / 1e4;
  const why = Object.entries(reasons).map(([reason, count]) => `${reason} ${count}`);
  const first = firstRefusal === null ? '' : `; first at line ${firstRefusal.line}: ${textOfRefusal(firstRefusal)}`;
  return {
    hold: 'too_many_bad_rows',
    detail: `allowed ${share} % of ${judged} rows, found ${counts.quarantined} bad (${why.join(', ')})${first}`,
  };
}

/** Example: 'missing_field tenant (absent)'. */
function textOfRefusal({ reason, field, found }: Rejection): string {
  return [reason, ...(field === null ? [] : [field]), ...(found === null ? [] : [`(${found})`])].join(' ');
}

/** Errors: ObjectFault document_too_large beyond limits.documentBytes. */
async function readWhole(object: LandedObject, limits: Limits): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of readBounded(object.open(), limits)) {
    size += chunk.length;
    if (size > limits.documentBytes) throw new ObjectFault('document_too_large', `allowed ${limits.documentBytes} bytes, found more`);
    chunks.push(Buffer.from(chunk));
  }
  return Buffer.concat(chunks);
}

async function decompressedDigest(object: LandedObject, limits: Limits): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of readBounded(object.open(), limits)) hash.update(chunk);
  return hash.digest('hex');
}
