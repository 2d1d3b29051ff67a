/** Landed objects in memory, and what a stage did with them. */

import { DEFAULT_LIMITS, type Limits, ObjectFault } from '../../functions/ingest/limits.ts';
import { LineReader } from '../../functions/ingest/lines.ts';
import { readBounded } from '../../functions/ingest/read-bounded.ts';
import type { LandedObject } from '../../functions/ports.ts';

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The bytes in chunks of `size`. */
export async function* inChunks(bytes: Uint8Array, size = 65_536): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export function landedObject(content: Uint8Array | string, name = 'object', chunkBytes = 65_536): LandedObject {
  const bytes = typeof content === 'string' ? bytesOf(content) : content;
  return { name, bytes: bytes.length, lastModifiedMs: Date.UTC(2026, 10, 2), open: () => inChunks(bytes, chunkBytes) };
}

/** Everything that comes out, or the reason of the fault. */
export async function unpackedOrFault(
  bytes: Uint8Array,
  chunkBytes = 65_536,
  limits: Limits = DEFAULT_LIMITS,
): Promise<Buffer | ObjectFault['reason']> {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of readBounded(inChunks(bytes, chunkBytes), limits)) chunks.push(chunk);
  } catch (error) {
    if (error instanceof ObjectFault) return error.reason;
    throw error;
  }
  return Buffer.concat(chunks);
}

/** Text of a record with its place, or a line that was too long. */
export type Seen =
  | { readonly text: string; readonly line: number; readonly lines: number; readonly byteStart: number }
  | { readonly tooLong: number; readonly byteStart: number; readonly byteEnd: number };

/** What the reader gives for chunks that are cut at `cuts`. */
export function readLines(bytes: Uint8Array, cuts: readonly number[], maxBytes: number, delimiter: string | null): Seen[] {
  const seen: Seen[] = [];
  const reader = new LineReader(maxBytes, delimiter, {
    record: (all, start, end, line, lines, byteStart) =>
      void seen.push({ text: Buffer.from(all.subarray(start, end)).toString('latin1'), line, lines, byteStart }),
    tooLong: (line, byteStart, byteEnd) => void seen.push({ tooLong: line, byteStart, byteEnd }),
  });
  const borders = [0, ...cuts.filter((cut) => cut > 0 && cut < bytes.length).sort((a, b) => a - b), bytes.length];
  // Each chunk is a copy, as a stream's are: a reader that keeps a view of a reused buffer would fail.
  for (let i = 1; i < borders.length; i++) reader.push(bytes.slice(borders[i - 1], borders[i]));
  reader.end();
  return seen;
}
