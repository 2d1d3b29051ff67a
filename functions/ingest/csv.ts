/** RFC 4180: where a record ends, and what its cells are. One reading of quotes for both, so that they never disagree. */

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const QUOTE = 0x22;

/** malformed: a quote stands where none may. open: the bytes end inside a quoted cell. */
export type RecordEnd = number | 'malformed' | 'open';

/**
 * Offset of the line end that closes the record from `start` on, or bytes.length when the bytes end with it. `complete`: no more bytes follow.
 * A quote opens a cell only at its beginning, a doubled one inside is text, and a delimiter or line end follows the closing one.
 */
export function csvRecordEnd(bytes: Uint8Array, start: number, delimiter: Uint8Array, complete: boolean): RecordEnd {
  let at = start;
  for (;;) {
    if (bytes[at] === QUOTE) {
      const close = closingQuote(bytes, at + 1);
      if (close < 0) return 'open';
      at = close + 1;
      if (bytes[at] === RETURN && (bytes[at + 1] === NEWLINE || at + 1 === bytes.length)) at++;
    } else at = cellEnd(bytes, at, delimiter);
    if (at === bytes.length) return complete ? at : 'open';
    if (bytes[at] === NEWLINE) return at;
    if (!startsWith(bytes, at, delimiter)) return !complete && bytes.length - at < delimiter.length ? 'open' : 'malformed';
    at += delimiter.length;
  }
}

/** Offset behind an unquoted cell: of a delimiter, line end, quote or the end. */
function cellEnd(bytes: Uint8Array, from: number, delimiter: Uint8Array): number {
  let at = from;
  while (at < bytes.length && bytes[at] !== NEWLINE && bytes[at] !== QUOTE && !startsWith(bytes, at, delimiter)) at++;
  return at;
}

function startsWith(bytes: Uint8Array, at: number, delimiter: Uint8Array): boolean {
  for (let i = 0; i < delimiter.length; i++) if (bytes[at + i] !== delimiter[i]) return false;
  return true;
}

/** Offset of the quote that closes a cell (doubled ones skipped), or −1. A quote that is the last byte counts. */
function closingQuote(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(QUOTE, from); at >= 0; at = bytes.indexOf(QUOTE, at + 2)) if (bytes[at + 1] !== QUOTE) return at;
  return -1;
}

/**
 * Cells of one RFC 4180 record; doubled quotes inside a quoted cell are one. null when a quote stands where none may
 * (inside an unquoted cell, after a closing quote, or unbalanced).
 */
export function splitCsv(text: string, delimiter: string): string[] | null {
  if (!text.includes('"')) return text.split(delimiter);
  const cells: string[] = [];
  for (let at = 0; ; at++) {
    if (text[at] === '"') {
      const close = closingQuoteOf(text, at + 1);
      if (close < 0) return null;
      cells.push(text.slice(at + 1, close).replaceAll('""', '"'));
      at = close + 1;
      if (at < text.length && text[at] !== delimiter) return null;
    } else {
      const next = text.indexOf(delimiter, at);
      const end = next < 0 ? text.length : next;
      const cell = text.slice(at, end);
      if (cell.includes('"')) return null;
      cells.push(cell);
      at = end;
    }
    if (at >= text.length) return cells;
  }
}

function closingQuoteOf(text: string, from: number): number {
  for (let at = text.indexOf('"', from); at >= 0; at = text.indexOf('"', at + 2)) if (text[at + 1] !== '"') return at;
  return -1;
}
