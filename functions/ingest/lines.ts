/** Decompressed chunks → physical lines or quoted CSV records, with bounded memory and exact places. */

export interface LineSink {
  /** bytes [start, end) hold the record without its line end. `lines` physical lines from `line` on. */
  record(bytes: Uint8Array, start: number, end: number, line: number, lines: number, byteStart: number): void;
  /** A line longer than the limit was skipped; its bytes are [byteStart, byteEnd). */
  tooLong(line: number, byteStart: number, byteEnd: number): void;
}

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const QUOTE = 0x22;
/** A quoted CSV record may span lines up to here; beyond it the opening line is refused alone and reading resumes at the next. */
const QUOTED_RECORD_BYTES = 256 * 1024;

/**
 * Push chunks, then call end(). A UTF-8 byte-order mark at the very start is skipped; CR before LF is dropped;
 * a last line without a line end counts, an empty rest does not.
 */
export class LineReader {
  private readonly maxBytes: number;
  private readonly quoted: boolean;
  private readonly sink: LineSink;
  private carry: Uint8Array = new Uint8Array(0);
  private offset = 0;
  private line = 1;
  /** Start offset of a line that is being skipped because it is too long; −1 otherwise. */
  private skipFrom = -1;
  private started = false;

  constructor(maxBytes: number, quoted: boolean, sink: LineSink) {
    this.maxBytes = maxBytes;
    this.quoted = quoted;
    this.sink = sink;
  }

  push(chunk: Uint8Array): void {
    let bytes = this.carry.length === 0 ? chunk : Buffer.concat([this.carry, chunk]);
    if (!this.started) {
      if (bytes.length < 3) {
        this.carry = bytes;
        return;
      }
      bytes = this.skipByteOrderMark(bytes);
    }
    this.consume(bytes, false);
  }

  end(): void {
    const bytes = this.started ? this.carry : this.skipByteOrderMark(this.carry);
    this.carry = new Uint8Array(0);
    this.consume(bytes, true);
    if (this.skipFrom >= 0) this.sink.tooLong(this.line, this.skipFrom, this.offset);
  }

  private skipByteOrderMark(bytes: Uint8Array): Uint8Array {
    this.started = true;
    if (bytes[0] !== 0xef || bytes[1] !== 0xbb || bytes[2] !== 0xbf) return bytes;
    this.offset = 3;
    return bytes.subarray(3);
  }

  private consume(bytes: Uint8Array, last: boolean): void {
    let at = 0;
    while (at < bytes.length) {
      const newline = bytes.indexOf(NEWLINE, at);
      if (newline < 0) break;
      if (this.skipFrom >= 0) {
        this.sink.tooLong(this.line, this.skipFrom, this.offset + newline - at);
        this.skipFrom = -1;
        at = this.advance(at, newline + 1, 1);
        continue;
      }
      const end = this.quoted ? recordEnd(bytes, at, newline, last) : newline;
      if (end < 0) break;
      if (end - at > this.maxBytes) {
        this.sink.tooLong(this.line, this.offset, this.offset + end - at);
        at = this.advance(at, end + 1, 1);
      } else at = this.emit(bytes, at, end, Math.min(end + 1, bytes.length));
    }
    this.rest(bytes, at, last);
  }

  private rest(bytes: Uint8Array, at: number, last: boolean): void {
    const length = bytes.length - at;
    if (this.skipFrom >= 0) {
      this.offset += length;
    } else if (last) {
      if (length > this.maxBytes) this.sink.tooLong(this.line, this.offset, this.offset + length);
      else if (length > 0) this.emit(bytes, at, bytes.length, bytes.length);
    } else if (length > this.maxBytes) {
      this.skipFrom = this.offset;
      this.offset += length;
    } else {
      this.carry = length === 0 ? new Uint8Array(0) : bytes.slice(at);
      return;
    }
    this.carry = new Uint8Array(0);
  }

  private emit(bytes: Uint8Array, start: number, end: number, next: number): number {
    const trimmed = end > start && bytes[end - 1] === RETURN ? end - 1 : end;
    let lines = 1;
    if (this.quoted) for (let i = bytes.indexOf(NEWLINE, start); i >= 0 && i < end; i = bytes.indexOf(NEWLINE, i + 1)) lines++;
    this.sink.record(bytes, start, trimmed, this.line, lines, this.offset);
    return this.advance(start, next, lines);
  }

  private advance(from: number, to: number, lines: number): number {
    this.offset += to - from;
    this.line += lines;
    return to;
  }
}

/** End of the record that starts at `start`: the first line end outside quotes. −1 when more bytes are needed. */
function recordEnd(bytes: Uint8Array, start: number, firstNewline: number, last: boolean): number {
  let quotes = 0;
  let newline = firstNewline;
  let from = start;
  for (;;) {
    for (let i = bytes.indexOf(QUOTE, from); i >= 0 && i < newline; i = bytes.indexOf(QUOTE, i + 1)) quotes++;
    if (quotes % 2 === 0) return newline;
    if (newline - start > QUOTED_RECORD_BYTES) return firstNewline;
    from = newline + 1;
    newline = bytes.indexOf(NEWLINE, from);
    if (newline >= 0) continue;
    const rest = bytes.length - start;
    if (!last) return rest > QUOTED_RECORD_BYTES ? firstNewline : -1;
    for (let i = bytes.indexOf(QUOTE, from); i >= 0; i = bytes.indexOf(QUOTE, i + 1)) quotes++;
    return quotes % 2 === 0 ? bytes.length : firstNewline;
  }
}

/**
 * Cells of one RFC 4180 record; doubled quotes inside a quoted cell are one. null when a quote stands where none may
 * (inside an unquoted cell, after a closing quote, or unbalanced).
 */
export function splitCsv(text: string, delimiter: string): string[] | null {
  if (!text.includes('"')) return text.split(delimiter);
  const cells: string[] = [];
  let at = 0;
  for (;;) {
    if (text[at] === '"') {
      let cell = '';
      let from = at + 1;
      for (;;) {
        const close = text.indexOf('"', from);
        if (close < 0) return null;
        cell += text.slice(from, close);
        if (text[close + 1] !== '"') {
          at = close + 1;
          break;
        }
        cell += '"';
        from = close + 2;
      }
      cells.push(cell);
      if (at < text.length && text[at] !== delimiter) return null;
    } else {
      const next = text.indexOf(delimiter, at);
      const cell = next < 0 ? text.slice(at) : text.slice(at, next);
      if (cell.includes('"')) return null;
      cells.push(cell);
      at = next < 0 ? text.length : next;
    }
    if (at >= text.length) return cells;
    at++;
    if (at === text.length) {
      cells.push('');
      return cells;
    }
  }
}
