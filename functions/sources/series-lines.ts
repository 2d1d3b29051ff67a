/**
 * Lines of a scrape by their bytes. Every scrape prints the same series in the same order, so behind each line's series stands the one that
 * followed it last time: its bytes are compared, and only the value and the timestamp are read. A series is learned from its text, once.
 */
import { Buffer, isUtf8 } from 'node:buffer';

/** What stands before the value, or a whole comment. */
export interface KnownStart<Meaning> {
  readonly bytes: Uint8Array;
  readonly meaning: Meaning;
  /** What followed it last time. */
  next: KnownStart<Meaning> | null;
}

/** Bytes of all starts that are remembered; more are forgotten together. */
const MOST_BYTES = 32 * 1024 ** 2;
const SPACE = 0x20;
const HASH = 0x23;
const CLOSE = 0x7d;

export class SeriesLines<Meaning> {
  private readonly learn: (start: string) => Meaning | null;
  private readonly known = new Map<string, KnownStart<Meaning>>();
  private knownBytes = 0;
  private last: KnownStart<Meaning> | null = null;

  /** `learn` says what a start means, as UTF-8 text; null: lines that begin so are for the thorough way. */
  constructor(learn: (start: string) => Meaning | null) {
    this.learn = learn;
  }

  /** The start of the line in [start, end), or null. A comment is a start that fills its line; a series ends before the space of its value. */
  startOf(bytes: Uint8Array, start: number, end: number): KnownStart<Meaning> | null {
    const guess = this.last?.next ?? null;
    if (guess !== null && stands(guess.bytes, bytes, start, end)) {
      this.last = guess;
      return guess;
    }
    const close = bytes[start] === HASH ? end : seriesEnd(bytes, start, end);
    if (close < 0) return null;
    const found = this.find(bytes, start, close);
    if (found === null) return null;
    if (this.last !== null) this.last.next = found;
    this.last = found;
    return found;
  }

  private find(bytes: Uint8Array, start: number, end: number): KnownStart<Meaning> | null {
    const own = Buffer.from(bytes.subarray(start, end));
    const key = own.toString('latin1');
    const known = this.known.get(key);
    if (known !== undefined) return known;
    if (!isUtf8(own)) return null;
    const meaning = this.learn(own.toString('utf8'));
    if (meaning === null) return null;
    if (this.knownBytes + own.length > MOST_BYTES) {
      this.known.clear();
      this.knownBytes = 0;
      this.last = null;
    }
    const made: KnownStart<Meaning> = { bytes: own, meaning, next: null };
    this.known.set(key, made);
    this.knownBytes += own.length;
    return made;
  }
}

/** A series must be followed by a space, a comment by the end. */
function stands(text: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  const { length } = text;
  if (start + length > end || (text[0] === HASH ? start + length !== end : bytes[start + length] !== SPACE)) return false;
  // From the end: series of one metric differ in what comes last.
  for (let i = length - 1; i >= 0; i--) if (text[i] !== bytes[start + i]) return false;
  return true;
}

/** Offset of the space behind the brace before the last one or two words, or −1. */
function seriesEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = end;
  for (let words = 0; words < 2; words++) {
    while (at > start && bytes[at - 1] !== SPACE) at--;
    at--;
    if (at <= start) return -1;
    if (bytes[at - 1] === CLOSE) return at;
  }
  return -1;
}
