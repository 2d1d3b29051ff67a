/**
 * JSON lines → spans of named fields. Lines of one log repeat their keys, so the scanner learns the bytes between values ("shape")
 * once, with everything that had to be checked about them (syntax, no key twice), and afterwards only compares them. Shapes are a
 * tree: behind each key the keys that have followed it. Accepts a subset of what guard.ts accepts and of what select-json.ts calls plain.
 */
import { isUtf8 } from 'node:buffer';
import { type FieldSpans, KIND } from '../sources/ordinary.ts';

const MAX_SHAPES = 8_192;
const SHAPE_BYTES = 512 * 1024;
/** Keys that may follow one key; objects that are maps of ids do not fill the tree. */
const MAX_FOLLOWERS = 48;
const MAX_KEYS = 512;
/** Four bytes are read at once, so so many must lie behind the line. */
export const SLACK_BYTES = 8;
const NONE = -1;

/** Names below one object → the field they are, and what is wanted below them. */
interface Wanted {
  readonly field: number;
  readonly below: ReadonlyMap<string, Wanted>;
}
const NOTHING: ReadonlyMap<string, Wanted> = new Map();

export class FieldScanner implements FieldSpans {
  bytes: Uint8Array = new Uint8Array(0);
  readonly kinds: Uint8Array;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly numbers: Float64Array;
  readonly decimals: Uint8Array;
  private readonly maxDepth: number;
  private readonly wanted: ReadonlyMap<string, Wanted>;
  private view: DataView = new DataView(new ArrayBuffer(0));
  private at = 0;
  private end = 0;
  /** A byte of a text was beyond ASCII. */
  private beyondAscii = false;

  // The tree. A shape is a key with the bytes before and behind it, from the last value to its own; shape 0 is the line itself.
  private shapes = 1;
  private readonly firstFollower = new Int32Array(MAX_SHAPES).fill(NONE);
  private readonly nextFollower = new Int32Array(MAX_SHAPES).fill(NONE);
  private readonly before = new Int32Array(MAX_SHAPES).fill(NONE);
  private readonly field = new Int32Array(MAX_SHAPES).fill(NONE);
  /** Shapes that stand for the object, and for the elements of the array, that is the value of a key. */
  private readonly objectBelow = new Int32Array(MAX_SHAPES).fill(NONE);
  private readonly arrayBelow = new Int32Array(MAX_SHAPES).fill(NONE);
  private readonly wantedBelow: ReadonlyMap<string, Wanted>[] = [];
  private readonly textStart = new Int32Array(MAX_SHAPES);
  private readonly textLength = new Int32Array(MAX_SHAPES);
  private readonly keyStart = new Int32Array(MAX_SHAPES);
  private readonly keyLength = new Int32Array(MAX_SHAPES);
  private readonly texts = new Uint8Array(SHAPE_BYTES + SLACK_BYTES);
  private readonly textView = new DataView(this.texts.buffer);
  private textEnd = 0;

  /** `paths`: dotted, through objects. */
  constructor(paths: readonly string[], maxDepth: number) {
    this.maxDepth = maxDepth;
    this.wanted = wantedOf(paths.map((path, field) => ({ names: path.split('.'), field })));
    this.wantedBelow[0] = this.wanted;
    this.kinds = new Uint8Array(paths.length);
    this.starts = new Int32Array(paths.length);
    this.ends = new Int32Array(paths.length);
    this.numbers = new Float64Array(paths.length);
    this.decimals = new Uint8Array(paths.length);
  }

  /** The bytes that the next lines lie in. */
  over(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset);
  }

  /** Reads the object that fills [start, end); false when it is not plainly one, and then the fields hold nothing of use. */
  scan(start: number, end: number): boolean {
    if (end + SLACK_BYTES > this.view.byteLength || this.bytes[start] !== 0x7b) return false;
    this.at = start;
    this.end = end;
    this.beyondAscii = false;
    this.kinds.fill(KIND.absent);
    if (!this.object(0, 1)) return false;
    if (this.at < end) this.at = Math.min(this.space(this.at), end);
    // What was taken lies together, so an end in the right place means that nothing behind it was taken.
    return this.at === end && (!this.beyondAscii || isUtf8(this.bytes.subarray(start, end)));
  }

  /** `shape` stands for the object; this.at is its brace. */
  private object(shape: number, depth: number): boolean {
    if (shape === NONE || depth > this.maxDepth) return false;
    const { bytes } = this;
    let last = shape;
    this.at++;
    const empty = this.space(this.at);
    if (bytes[empty] === 0x7d) {
      this.at = empty + 1;
      return true;
    }
    for (;;) {
      const next = this.follower(last);
      if (next === NONE) return false;
      this.at += this.textLength[next]!;
      if (!this.member(next, depth)) return false;
      if (bytes[this.at] !== 0x7d) {
        last = next;
        if (bytes[this.at]! > 0x20) continue;
        const behind = this.space(this.at);
        if (bytes[behind] !== 0x7d) continue;
        this.at = behind;
      }
      this.at++;
      return true;
    }
  }

  /** The known shape at this.at behind `last`, or a new one, or NONE when the bytes are none. */
  private follower(last: number): number {
    const { view, textView, bytes, texts, at } = this;
    for (let shape = this.firstFollower[last]!; shape !== NONE; shape = this.nextFollower[shape]!) {
      let there = this.textStart[shape]!;
      const end = at + this.textLength[shape]!;
      if (end > this.end) continue;
      let here = at;
      while (here + 4 <= end && view.getInt32(here, true) === textView.getInt32(there, true)) {
        here += 4;
        there += 4;
      }
      if (here + 4 <= end) continue;
      while (here < end && bytes[here] === texts[there]) {
        here++;
        there++;
      }
      if (here === end) return shape;
    }
    return this.learn(last);
  }

  private member(shape: number, depth: number): boolean {
    const { bytes, view, at } = this;
    const field = this.field[shape]!;
    switch (bytes[at]) {
      case 0x22:
        return this.text(field);
      case 0x7b:
        if (field !== NONE) this.kinds[field] = KIND.object;
        return this.object(this.below(this.objectBelow, shape, this.wantedBelow[shape] ?? NOTHING), depth + 1);
      case 0x5b:
        if (field !== NONE) this.kinds[field] = KIND.other;
        return this.array(this.below(this.arrayBelow, shape, NOTHING), depth + 1);
      case 0x6e:
        return view.getInt32(at, true) === 0x6c6c756e && this.word(field, KIND.null, 4);
      case 0x74:
        return view.getInt32(at, true) === 0x65757274 && this.word(field, KIND.true, 4);
      case 0x66:
        return view.getInt32(at + 1, true) === 0x65736c61 && this.word(field, KIND.false, 5);
      default:
        return this.number(field);
    }
  }

  private word(field: number, kind: number, length: number): true {
    if (field !== NONE) this.kinds[field] = kind;
    this.at += length;
    return true;
  }

  /** Elements share one shape, so a list of objects costs what one of them costs. */
  private array(shape: number, depth: number): boolean {
    if (shape === NONE || depth > this.maxDepth) return false;
    const { bytes } = this;
    this.at = this.space(this.at + 1);
    if (bytes[this.at] === 0x5d) {
      this.at++;
      return true;
    }
    for (;;) {
      if (!this.member(shape, depth)) return false;
      const behind = this.space(this.at);
      this.at = behind + 1;
      if (bytes[behind] === 0x5d) return true;
      if (bytes[behind] !== 0x2c) return false;
      this.at = this.space(behind + 1);
    }
  }

  /** this.at is the opening quote. Ends at the first quote without a backslash; a control character, such as the line's end, refuses. */
  private text(field: number): boolean {
    const { bytes, view, end } = this;
    let at = this.at + 1;
    let plain = true;
    for (;;) {
      if (at >= end) return false;
      const four = view.getInt32(at, true);
      const quotes = four ^ 0x22222222;
      const escapes = four ^ 0x5c5c5c5c;
      const odd =
        (((quotes - 0x01010101) & ~quotes) |
          ((escapes - 0x01010101) & ~escapes) |
          ((four - 0x20202020) & ~four) |
          four |
          (four + 0x01010101)) &
        0x80808080;
      if (odd === 0) {
        at += 4;
        continue;
      }
      at += (31 - Math.clz32(odd & -odd)) >> 3;
      const byte = bytes[at]!;
      if (byte === 0x22) break;
      if (byte === 0x5c) {
        plain = false;
        at = this.escape(at);
        if (at === NONE) return false;
      } else if (byte < 0x20) return false;
      else {
        if (byte >= 0x80) this.beyondAscii = true;
        else if (byte === 0x7f) plain = false;
        at++;
      }
    }
    if (field !== NONE) {
      this.kinds[field] = plain ? KIND.text : KIND.other;
      this.starts[field] = this.at + 1;
      this.ends[field] = at;
    }
    this.at = at + 1;
    return true;
  }

  /** Offset behind the escape at `at`, or NONE. */
  private escape(at: number): number {
    const letter = this.bytes[at + 1]!;
    if (letter !== 0x75) return ESCAPES.has(letter) ? at + 2 : NONE;
    for (let digit = at + 2; digit < at + 6; digit++) if (!isHex(this.bytes[digit]!)) return NONE;
    return at + 6;
  }

  private number(field: number): boolean {
    const { bytes } = this;
    let at = this.at;
    const negative = bytes[at] === 0x2d;
    if (negative) at++;
    const first = at;
    let digits = 0;
    for (; isDigit(bytes[at]!); at++) digits = digits * 10 + (bytes[at]! - 0x30);
    let count = at - first;
    if (count === 0 || (count > 1 && bytes[first] === 0x30)) return false;
    let decimals = 0;
    if (bytes[at] === 0x2e) {
      const point = ++at;
      for (; isDigit(bytes[at]!); at++) digits = digits * 10 + (bytes[at]! - 0x30);
      decimals = at - point;
      if (decimals === 0) return false;
      count += decimals;
    }
    let exact = count <= 16 && digits <= Number.MAX_SAFE_INTEGER;
    if (bytes[at] === 0x65 || bytes[at] === 0x45) {
      exact = false;
      at++;
      if (bytes[at] === 0x2b || bytes[at] === 0x2d) at++;
      const power = at;
      while (isDigit(bytes[at]!)) at++;
      if (at === power) return false;
    }
    if (field !== NONE) {
      this.kinds[field] = exact ? KIND.number : KIND.other;
      this.numbers[field] = negative ? -digits : digits;
      this.decimals[field] = decimals;
    }
    this.at = at;
    return true;
  }

  private space(from: number): number {
    const { bytes } = this;
    let at = from;
    while (bytes[at] === 0x20 || bytes[at] === 0x09 || bytes[at] === 0x0d || bytes[at] === 0x0a) at++;
    return at;
  }

  /** The shape of what lies in a value, made on first use; NONE when there is no room, and then all is forgotten. */
  private below(places: Int32Array, shape: number, wanted: ReadonlyMap<string, Wanted>): number {
    if (places[shape] !== NONE) return places[shape]!;
    if (this.shapes >= MAX_SHAPES) return this.forget();
    const made = this.shapes++;
    this.wantedBelow[made] = wanted;
    places[shape] = made;
    return made;
  }

  /** Adds the key at this.at to those that may follow `last`. NONE when it is no plain key, or the object has it already. */
  private learn(last: number): number {
    const { bytes, at } = this;
    let here = this.space(at);
    const first = this.before[last] === NONE;
    if (!first) {
      if (bytes[here] !== 0x2c) return NONE;
      here = this.space(here + 1);
    }
    if (bytes[here] !== 0x22) return NONE;
    const key = here + 1;
    for (here = key; bytes[here] !== 0x22; here++) {
      // Escaped keys may equal plain ones, and keys beyond ASCII would have to be checked: both are for the thorough way.
      const byte = bytes[here]!;
      if (here >= this.end || byte < 0x20 || byte >= 0x7f || byte === 0x5c) return NONE;
    }
    const keyEnd = here;
    here = this.space(keyEnd + 1);
    if (bytes[here] !== 0x3a) return NONE;
    here = this.space(here + 1);
    if (here >= this.end) return NONE;
    if (!this.isNewKey(last, key, keyEnd)) return NONE;
    if (this.shapes >= MAX_SHAPES || this.textEnd + here - at > SHAPE_BYTES) return this.forget();
    return this.add(last, at, here, key, keyEnd);
  }

  private isNewKey(last: number, start: number, end: number): boolean {
    let keys = 0;
    for (let shape = last; this.before[shape] !== NONE; shape = this.before[shape]!) {
      if (++keys > MAX_KEYS) return false;
      if (this.keyLength[shape] !== end - start) continue;
      const other = this.keyStart[shape]!;
      let same = 0;
      while (same < end - start && this.texts[other + same] === this.bytes[start + same]) same++;
      if (same === end - start) return false;
    }
    let followers = 0;
    for (let shape = this.firstFollower[last]!; shape !== NONE; shape = this.nextFollower[shape]!) followers++;
    return followers < MAX_FOLLOWERS;
  }

  private add(last: number, start: number, end: number, key: number, keyEnd: number): number {
    const made = this.shapes++;
    this.texts.set(this.bytes.subarray(start, end), this.textEnd);
    this.textStart[made] = this.textEnd;
    this.textLength[made] = end - start;
    this.keyStart[made] = this.textEnd + key - start;
    this.keyLength[made] = keyEnd - key;
    this.textEnd += end - start;
    this.before[made] = last;
    this.nextFollower[made] = this.firstFollower[last]!;
    this.firstFollower[last] = made;
    let top = last;
    while (this.before[top] !== NONE) top = this.before[top]!;
    const wanted = this.wantedBelow[top]?.get(Buffer.from(this.bytes.subarray(key, keyEnd)).toString('latin1'));
    this.field[made] = wanted?.field ?? NONE;
    this.wantedBelow[made] = wanted?.below ?? NOTHING;
    return made;
  }

  /** No room: begin again, so that neither memory nor the search for a follower grows with what a file holds. */
  private forget(): typeof NONE {
    this.shapes = 1;
    this.textEnd = 0;
    for (const list of [this.firstFollower, this.nextFollower, this.before, this.field, this.objectBelow, this.arrayBelow]) list.fill(NONE);
    this.wantedBelow.length = 0;
    this.wantedBelow[0] = this.wanted;
    return NONE;
  }
}

const ESCAPES = new Set(Buffer.from('"\\/bfnrt'));

function isDigit(b: number): boolean {
  return b >= 0x30 && b <= 0x39;
}

function isHex(b: number): boolean {
  return isDigit(b) || (b >= 0x61 && b <= 0x66) || (b >= 0x41 && b <= 0x46);
}

/** Paths that share a first name come below it. */
function wantedOf(paths: readonly { readonly names: readonly string[]; readonly field: number }[]): ReadonlyMap<string, Wanted> {
  const heads = new Set(paths.map(({ names }) => names[0] as string));
  return new Map(
    [...heads].map((head) => {
      const under = paths.filter(({ names }) => names[0] === head);
      const own = under.find(({ names }) => names.length === 1);
      const below = under.filter(({ names }) => names.length > 1).map(({ names, field }) => ({ names: names.slice(1), field }));
      return [head, { field: own?.field ?? NONE, below: wantedOf(below) }];
    }),
  );
}
