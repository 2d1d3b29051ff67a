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
  /** Nothing but spaces and line ends, as far as was looked and to the end. */
  readonly blank: boolean;
}

/** Reads at most the head, or the whole of a JSON document (bounded by limits.documentBytes). Errors: ObjectFault. */
export async function peek(object: LandedObject, limits: Limits): Promise<Peek> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  let hasLine = false;
  let oneDocument = false;
  let complete = true;
  for await (const chunk of readBounded(object.open(), limits)) {
    chunks.push(Buffer.from(chunk));
    size += chunk.length;
    hasLine ||= chunk.includes(NEWLINE);
    if (oneDocument) {
      if (size <= limits.documentBytes) continue;
      if (mostLinesStandAlone(Buffer.concat(chunks), false, limits)) {
        oneDocument = false;
        complete = false;
        break;
      }
      throw new ObjectFault('document_too_large', `allowed ${limits.documentBytes} bytes, found more`);
    }
    if (size < HEAD_BYTES || (!hasLine && size <= limits.lineBytes)) continue;
    oneDocument = mayBeOneDocument(skipByteOrderMark(Buffer.concat(chunks)), limits);
    if (!oneDocument) {
      complete = false;
      break;
    }
  }
  const bytes = skipByteOrderMark(Buffer.concat(chunks));
  const document = complete ? wholeDocument(bytes, limits) : null;
  const head = bytes.subarray(0, HEAD_BYTES);
  const json = document === null ? firstJson(bytes, limits) : document.json;
  return {
    head: { text: new TextDecoder('utf-8').decode(head), json, bytes: head },
    document: document === null ? null : bytes,
    blank: complete && firstLines(bytes, 1).length === 0,
  };
}

export function skipByteOrderMark(bytes: Uint8Array): Uint8Array {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/** The lines that are not blank; the last may be cut off by the end of `bytes`. */
function* nonBlankLines(bytes: Uint8Array): Generator<Span> {
  for (let start = 0; start < bytes.length; ) {
    const newline = bytes.indexOf(NEWLINE, start);
    const end = newline < 0 ? bytes.length : newline;
    if (!bytes.subarray(start, end).every((b) => b === 0x20 || b === 0x09 || b === 0x0d)) yield { start, end };
    start = end + 1;
  }
}

function firstLines(bytes: Uint8Array, count: number): Span[] {
  const lines: Span[] = [];
  for (const line of nonBlankLines(bytes)) if (lines.push(line) === count) break;
  return lines;
}

const VOTING_LINES = 100;

/** What the beginning of an object allows: its first line opens a container, which it does not close unless it is too long for a line, and the lines after it do not stand alone. */
function mayBeOneDocument(bytes: Uint8Array, limits: Limits): boolean {
  const [first] = firstLines(bytes, 1);
  if (first === undefined || !startsContainer(bytes, first)) return false;
  const tooLong = first.end - first.start > limits.lineBytes;
  return (tooLong || first.end === bytes.length || leavesOpen(bytes, first, limits)) && !mostLinesStandAlone(bytes, false, limits);
}

function startsContainer(bytes: Uint8Array, first: Span): boolean {
  const opener = bytes.subarray(first.start, first.end).find((b) => b !== 0x20 && b !== 0x09);
  return opener === 0x7b || opener === 0x5b;
}

function leavesOpen(bytes: Uint8Array, first: Span, limits: Limits): boolean {
  const guard = guardJson(bytes, first.start, first.end, limits.depth);
  return guard.reason === null && guard.openDepth > 0 && !guard.inString;
}

/**
 * The value of a whole object that is one JSON document: over several lines, or on the only line when that is longer than a line may be.
 * One over several lines that does not parse is a (broken) document all the same, unless its lines look like records of their own.
 */
function wholeDocument(bytes: Uint8Array, limits: Limits): { readonly json: unknown } | null {
  const [first, second] = firstLines(bytes, 2);
  if (first === undefined || !startsContainer(bytes, first)) return null;
  if (second === undefined ? first.end - first.start <= limits.lineBytes : !leavesOpen(bytes, first, limits)) return null;
  const whole = parseGuarded(bytes, 0, bytes.length, limits.depth);
  if ('value' in whole) return { json: whole.value };
  return second === undefined || mostLinesStandAlone(bytes, true, limits) ? null : { json: undefined };
}

/** A broken first line must not turn a file of records into one broken document: the lines after it vote, save one that may be cut off. */
function mostLinesStandAlone(bytes: Uint8Array, complete: boolean, limits: Limits): boolean {
  let alone = 0;
  let seen = 0;
  for (const line of nonBlankLines(bytes)) {
    if (seen > VOTING_LINES || (line.end === bytes.length && !complete)) break;
    if (seen > 0 && parsedObject(bytes, line, limits) !== null) alone++;
    seen++;
  }
  return seen > 1 && alone * 2 > seen - 1;
}

function parsedObject(bytes: Uint8Array, line: Span, limits: Limits): object | null {
  const parsed = parseGuarded(bytes, line.start, line.end, limits.depth);
  return 'value' in parsed && typeof parsed.value === 'object' ? parsed.value : null;
}

/** A poisoned first line must not hide what the object is: the first few lines may answer. */
function firstJson(bytes: Uint8Array, limits: Limits): unknown {
  let seen = 0;
  for (const line of nonBlankLines(bytes)) {
    const value = parsedObject(bytes, line, limits);
    if (value !== null) return value;
    if (++seen === VOTING_LINES) break;
  }
  return undefined;
}
