/** The first look at an object: which source it is, and whether JSON comes as lines or as one document. */
import type { LandedObject } from '../ports.ts';
import type { Head } from '../sources/source.ts';
import { guardJson, parseGuarded } from './guard.ts';
import { type Limits, ObjectFault } from './limits.ts';
import { readBounded } from './read-bounded.ts';

const HEAD_BYTES = 64 * 1024;
const NEWLINE = 0x0a;

export interface Peek {
  readonly head: Head;
  /** The whole object when it is one JSON document; null when it is line by line. */
  readonly document: Uint8Array | null;
}

/** Reads at most the head, or the whole of a JSON document (bounded by limits.documentBytes). Errors: ObjectFault. */
export async function peek(object: LandedObject, limits: Limits): Promise<Peek> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  let oneDocument = false;
  let complete = true;
  for await (const chunk of readBounded(object.open(), limits)) {
    chunks.push(chunk);
    size += chunk.length;
    if (oneDocument) {
      if (size > limits.documentBytes) throw new ObjectFault('document_too_large', `allowed ${limits.documentBytes} bytes, found more`);
      continue;
    }
    if (size < HEAD_BYTES || (!hasLine(chunk, chunks) && size <= limits.lineBytes)) continue;
    oneDocument = isOneDocument(skipByteOrderMark(Buffer.concat(chunks)), false, limits);
    if (!oneDocument) {
      complete = false;
      break;
    }
  }
  const bytes = skipByteOrderMark(Buffer.concat(chunks));
  if (!oneDocument && complete) oneDocument = isOneDocument(bytes, true, limits);
  const text = new TextDecoder('utf-8').decode(bytes.subarray(0, HEAD_BYTES));
  return { head: { text, json: firstJson(bytes, oneDocument, limits), bytes: bytes.subarray(0, HEAD_BYTES) }, document: oneDocument ? bytes : null };
}

function hasLine(chunk: Uint8Array, chunks: readonly Uint8Array[]): boolean {
  return chunk.includes(NEWLINE) || chunks.some((earlier) => earlier.includes(NEWLINE));
}

export function skipByteOrderMark(bytes: Uint8Array): Uint8Array {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/** The n-th line that is not blank. */
function nonBlankLine(bytes: Uint8Array, skip: number): Span | null {
  let start = 0;
  let seen = 0;
  while (start < bytes.length) {
    const newline = bytes.indexOf(NEWLINE, start);
    const end = newline < 0 ? bytes.length : newline;
    const blank = bytes.subarray(start, end).every((b) => b === 0x20 || b === 0x09 || b === 0x0d);
    if (!blank && seen++ === skip) return { start, end };
    start = end + 1;
  }
  return null;
}

/**
 * One document when the first line opens a container that it does not close, and the next line does not stand alone
 * (which would make the first a broken line among good ones).
 */
function isOneDocument(bytes: Uint8Array, complete: boolean, limits: Limits): boolean {
  const first = nonBlankLine(bytes, 0);
  if (first === null) return false;
  const opener = bytes.subarray(first.start, first.end).find((b) => b !== 0x20 && b !== 0x09);
  if (opener !== 0x7b && opener !== 0x5b) return false;
  const guard = guardJson(bytes, first.start, first.end, limits.depth);
  if (guard.reason !== null) return false;
  const unfinished = !complete && first.end === bytes.length;
  if (guard.openDepth === 0 || (guard.inString && !unfinished)) return unfinished;
  const second = nonBlankLine(bytes, 1);
  if (second === null) return true;
  if (opener === 0x5b) return true;
  const next = parseGuarded(bytes, second.start, second.end, limits.depth);
  return !('value' in next && typeof next.value === 'object');
}

function firstJson(bytes: Uint8Array, oneDocument: boolean, limits: Limits): unknown {
  if (oneDocument) {
    const whole = parseGuarded(bytes, 0, bytes.length, limits.depth);
    return 'value' in whole ? whole.value : undefined;
  }
  // A poisoned first line must not hide what the object is: the first few lines may answer.
  for (let skip = 0; skip < 20; skip++) {
    const line = nonBlankLine(bytes, skip);
    if (line === null) return undefined;
    const parsed = parseGuarded(bytes, line.start, line.end, limits.depth);
    if ('value' in parsed && typeof parsed.value === 'object' && parsed.value !== null) return parsed.value;
  }
  return undefined;
}
