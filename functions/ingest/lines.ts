/** Decompressed chunks → physical lines or quoted CSV records, with bounded memory and exact places. Where chunks are cut changes nothing. */
import { csvRecordEnd } from './csv.ts';

export interface LineSink {
  /** bytes [start, end) hold the record without its line end. `lines` physical lines from `line` on. */
  record(bytes: Uint8Array, start: number, end: number, line: number, lines: number, byteStart: number): void;
  /** A line longer than the limit was skipped; its bytes are [byteStart, byteEnd). */
  tooLong(line: number, byteStart: number, byteEnd: number): void;
}

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const QUOTE = 0x22;
export const MARK_BYTES = 3;
/** A quoted CSV record may span lines up to here; beyond it the opening line is refused alone and reading resumes at the next. */
const QUOTED_RECORD_BYTES = 256 * 1024;
const NOTHING = new Uint8Array(0);

/**
 * Push chunks, then call end(). A UTF-8 byte-order mark at the very start is skipped; CR before LF is dropped; a last line without
 * a line end counts, an empty rest does not. With a delimiter, a quoted cell may hold line ends; a line whose quotes do not make a
 * record, alone or with the lines after it, is a record of its own (which splitCsv refuses), so one stray quote costs one line.
 */
export class LineReader {
  private readonly maxBytes: number;
  private readonly quotedBytes: number;
  private readonly delimiter: Uint8Array | null;
  private readonly sink: LineSink;
  /** What was pushed and not consumed; joined only when a line ends, so that a long line is not copied with every chunk. */
  private parts: Uint8Array[] = [];
  private pending = 0;
  private pendingHasLine = false;
  private offset = 0;
  private line = 1;
  /** Start offset of a line that is being skipped because it is too long; −1 otherwise. */
  private skipFrom = -1;
  private started = false;
  /** The first quote at or behind the place being read, in the bytes being consumed. */
  private nextQuote = -1;

  /** `delimiter` of CSV; null for plain lines. */
  constructor(maxBytes: number, delimiter: string | null, sink: LineSink) {
    this.maxBytes = maxBytes;
    this.quotedBytes = Math.min(QUOTED_RECORD_BYTES, maxBytes);
    this.delimiter = delimiter === null ? null : Buffer.from(delimiter);
    this.sink = sink;
  }

  /** The chunk is the caller's again afterwards: what has to wait is copied. */
  push(chunk: Uint8Array): void {
    this.parts.push(chunk);
    this.pending += chunk.length;
    const waits =
      (!this.started && this.pending < MARK_BYTES) ||
      (this.started && !this.pendingHasLine && this.pending <= this.maxBytes && !chunk.includes(NEWLINE));
    if (waits) this.parts.push(Buffer.from(this.parts.pop() ?? NOTHING));
    else this.consume(this.taken(), false);
  }

  /** What is pushed next begins elsewhere: line and offset of its first byte, which begins a line. What was pending ends here. */
  seek(line: number, offset: number): void {
    if (this.offset + this.pending === offset && this.started) return;
    this.consume(this.taken(), true);
    this.started = offset > 0;
    this.line = line;
    this.offset = offset;
  }

  end(): void {
    this.consume(this.taken(), true);
    if (this.skipFrom >= 0) this.sink.tooLong(this.line, this.skipFrom, this.offset);
  }

  /** All pending bytes, without the byte-order mark. */
  private taken(): Uint8Array {
    const bytes = this.parts.length === 1 ? (this.parts[0] ?? NOTHING) : Buffer.concat(this.parts);
    this.parts = [];
    this.pending = 0;
    this.pendingHasLine = false;
    if (this.started) return bytes;
    this.started = true;
    if (!startsWithMark(bytes)) return bytes;
    this.offset = MARK_BYTES;
    return bytes.subarray(MARK_BYTES);
  }

  private consume(bytes: Uint8Array, last: boolean): void {
    let at = 0;
    this.nextQuote = -1;
    while (at < bytes.length) {
      const newline = bytes.indexOf(NEWLINE, at);
      if (newline < 0) break;
      if (this.skipFrom >= 0) {
        this.sink.tooLong(this.line, this.skipFrom, this.offset + newline - at);
        this.skipFrom = -1;
        at = this.advance(at, newline + 1, 1);
        continue;
      }
      const end = this.recordEnd(bytes, at, newline, last);
      if (end < 0) break;
      if (end - at > this.maxBytes) {
        this.sink.tooLong(this.line, this.offset, this.offset + end - at);
        at = this.advance(at, end + 1, 1);
      } else at = this.emit(bytes, at, end, Math.min(end + 1, bytes.length));
    }
    this.rest(bytes, at, last);
  }

  /** Bytes behind the last record: kept for the next chunk, skipped as too long, or the last line. */
  private rest(bytes: Uint8Array, at: number, last: boolean): void {
    const length = bytes.length - at;
    if (length === 0) return;
    if (this.skipFrom < 0 && length > this.maxBytes) this.skipFrom = this.offset;
    if (this.skipFrom >= 0) this.offset += length;
    else if (last) this.emit(bytes, at, bytes.length, bytes.length);
    else {
      // A copy: the chunk is the caller's, and a few bytes must not keep the whole of it alive.
      this.parts = [Buffer.from(bytes.subarray(at))];
      this.pending = length;
      this.pendingHasLine = this.delimiter !== null && bytes.includes(NEWLINE, at);
    }
  }

  /** End of the record that starts at `start`; −1 when more bytes are needed to know. */
  private recordEnd(bytes: Uint8Array, start: number, newline: number, last: boolean): number {
    if (this.delimiter === null || !this.hasQuote(bytes, start, newline)) return newline;
    const window = Math.min(bytes.length, start + this.quotedBytes + 1);
    const end = csvRecordEnd(bytes.subarray(0, window), start, this.delimiter, last && window === bytes.length);
    if (end === 'malformed') return newline;
    if (end === 'open') return last || bytes.length - start > this.quotedBytes ? newline : -1;
    return end - start > this.quotedBytes ? newline : end;
  }

  /** Looks for each quote once: a search per line would read a file without quotes to its end for every line. */
  private hasQuote(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.nextQuote < start) {
      const found = bytes.indexOf(QUOTE, start);
      this.nextQuote = found < 0 ? bytes.length : found;
    }
    return this.nextQuote < end;
  }

  private emit(bytes: Uint8Array, start: number, end: number, next: number): number {
    const trimmed = end > start && bytes[end - 1] === RETURN ? end - 1 : end;
    const lines = this.delimiter === null ? 1 : linesIn(bytes, start, end);
    this.sink.record(bytes, start, trimmed, this.line, lines, this.offset);
    return this.advance(start, next, lines);
  }

  private advance(from: number, to: number, lines: number): number {
    this.offset += to - from;
    this.line += lines;
    return to;
  }
}

/** True for the UTF-8 byte-order mark. */
export function startsWithMark(bytes: Uint8Array): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
}

function linesIn(bytes: Uint8Array, start: number, end: number): number {
  let lines = 1;
  for (let i = bytes.indexOf(NEWLINE, start); i >= 0 && i < end; i = bytes.indexOf(NEWLINE, i + 1)) lines++;
  return lines;
}
