/** Where lines of a landed object lie in its decompressed bytes: looked up when somebody asks, so that no row has to carry it. */
import { contentId } from '../ledger/commit.ts';
import type { LandedObject } from '../ports.ts';
import type { Source } from '../sources/source.ts';
import { type Limits, ObjectFault } from './limits.ts';
import { LineReader } from './lines.ts';
import { peek } from './peek.ts';
import { readBounded } from './read-bounded.ts';

/** Offsets in the decompressed object, [start, end), without the line end. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** What was committed, as the warehouse names it. */
export interface CommittedContent {
  readonly source: string;
  readonly contentId: string;
}

/**
 * The byte range of each of these lines; of a record inside one JSON document or binary message the whole document. Null when the object
 * no longer has the bytes that were committed: a range in other bytes would mislead.
 */
export async function locateLines(
  object: LandedObject,
  content: CommittedContent,
  source: Pick<Source, 'framing' | 'delimiter'>,
  lines: ReadonlySet<number>,
  limits: Limits,
): Promise<ReadonlyMap<number, ByteRange> | null> {
  if ((await digestOf(object, content.source)) !== content.contentId) return null;
  try {
    if (source.framing === 'binary' || (source.framing === 'json' && (await peek(object, limits)).document !== null)) {
      const end = await sizeOf(object, limits);
      return new Map([...lines].map((line) => [line, { start: 0, end }]));
    }
    return await rangesOf(object, source.framing === 'csv' ? (source.delimiter ?? ',') : null, lines, limits);
  } catch (error) {
    // Bounds may have been lowered since; then nothing is said about places.
    if (error instanceof ObjectFault) return null;
    throw error;
  }
}

async function digestOf(object: LandedObject, source: string): Promise<string> {
  const hasher = contentId(source);
  for await (const chunk of object.open()) hasher.update(chunk);
  return hasher.digest();
}

async function sizeOf(object: LandedObject, limits: Limits): Promise<number> {
  let size = 0;
  for await (const chunk of readBounded(object.open(), limits)) size += chunk.length;
  return size;
}

async function rangesOf(
  object: LandedObject,
  delimiter: string | null,
  lines: ReadonlySet<number>,
  limits: Limits,
): Promise<Map<number, ByteRange>> {
  const found = new Map<number, ByteRange>();
  const reader = new LineReader(limits.lineBytes, delimiter, {
    record: (_bytes, start, end, line, _lines, byteStart) => {
      if (lines.has(line)) found.set(line, { start: byteStart, end: byteStart + (end - start) });
    },
    tooLong: () => {},
  });
  for await (const chunk of readBounded(object.open(), limits)) {
    reader.push(chunk);
    if (found.size === lines.size) return found;
  }
  reader.end();
  return found;
}
