/**
 * Lines of a scrape by their bytes. Every scrape prints the same series in the same order, so behind each line's series stands the one that
 * followed it last time: its bytes are compared, and only the value and the timestamp are read. A series is learned from its text, once.
 */
import { Buffer, isUtf8 } from 'node:buffer';

/** What stands before the value, or a whole comment. */
export interface KnownStart<Meaning> {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly meaning: Meaning;
  /** What of its kind followed it last time. */
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
  /** Comments and series follow their own kind: the same comments stand before the series of every device. */
  private lastComment: KnownStart<Meaning> | null = null;
  private lastSeries: KnownStart<Meaning> | null = null;
  private bytes: Uint8Array = new Uint8Array(0);
  private view = new DataView(this.bytes.buffer);

  /** `learn` says what a start means, as UTF-8 text; null: lines that begin so are for the thorough way. */
  constructor(learn: (start: string) => Meaning | null) {
    this.learn = learn;
  }

  /** The start of the line in [start, end), or null. A comment is a start that fills its line; a series ends before the space of its value. */
  startOf(bytes: Uint8Array, start: number, end: number): KnownStart<Meaning> | null {
    if (bytes !== this.bytes) {
      this.bytes = bytes;
      this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    const isComment = bytes[start] === HASH;
    const last = isComment ? this.lastComment : this.lastSeries;
    let found = last?.next ?? null;
    if (found === null || !this.stands(found, isComment, start, end)) {
      const close = isComment ? end : seriesEnd(bytes, start, end);
      if (close < 0) return null;
      found = this.find(bytes, start, close);
      if (found === null) return null;
      // Not `last`: to make room it may have been forgotten.
      const before = isComment ? this.lastComment : this.lastSeries;
      if (before !== null) before.next = found;
    }
    if (isComment) this.lastComment = found;
    else this.lastSeries = found;
    return found;
  }

  /** A series must be followed by a space, a comment by the end. */
  private stands(known: KnownStart<Meaning>, isComment: boolean, start: number, end: number): boolean {
    const { length } = known.bytes;
    const close = start + length;
    if (close > end || (isComment ? close !== end : this.bytes[close] !== SPACE)) return false;
    const [a, b] = [known.view, this.view];
    let there = 0;
    let here = start;
    for (; there + 16 <= length; there += 16, here += 16) {
      const first = (a.getInt32(there, true) ^ b.getInt32(here, true)) | (a.getInt32(there + 4, true) ^ b.getInt32(here + 4, true));
      const last =
        (a.getInt32(there + 8, true) ^ b.getInt32(here + 8, true)) | (a.getInt32(there + 12, true) ^ b.getInt32(here + 12, true));
      if ((first | last) !== 0) return false;
    }
    for (; there < length; there++, here++) if (known.bytes[there] !== this.bytes[here]) return false;
    return true;
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
      this.lastComment = null;
      this.lastSeries = null;
    }
    const made: KnownStart<Meaning> = { bytes: own, view: new DataView(own.buffer, own.byteOffset, own.length), meaning, next: null };
    this.known.set(key, made);
    this.knownBytes += own.length;
    return made;
  }
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
