/**
 * JSON lines → spans of named fields. Lines of one log repeat their keys, so the scanner learns the bytes between values ("shape")
 * once, with everything that had to be checked about them (syntax, no key twice), and afterwards only compares them. Shapes are a
 * tree: behind each key the keys that have followed it. Accepts a subset of what guard.ts accepts and of what select-json.ts calls plain.
 * Comparing is compiled (json-scan.as.ts); here is what happens once for each shape.
 */
import { isUtf8 } from 'node:buffer';
import type { FieldSpans } from '../sources/ordinary.ts';
import { JsonScan, type Learner, SHAPE_WORDS, WORD } from './json-scan.ts';

/** Keys that may follow one key; objects that are maps of ids do not fill the tree. */
const MAX_FOLLOWERS = 48;
const MAX_KEYS = 512;
/** Deeper is for the thorough way, whatever the limits allow: each level is a call inside another. */
const MAX_DEPTH = 256;
const NONE = -1;

/** Names below one object → the field they are, and what is wanted below them. */
interface Wanted {
  readonly field: number;
  readonly below: ReadonlyMap<string, Wanted>;
}
const NOTHING: ReadonlyMap<string, Wanted> = new Map();

/** Memories that no job uses any more: an object of one line must not cost a new one. */
const IDLE: JsonScan[] = [];
const MOST_IDLE = 2;

export class FieldScanner implements Learner {
  private readonly maxDepth: number;
  private readonly fields: number;
  private readonly wanted: ReadonlyMap<string, Wanted>;
  private readonly machine: JsonScan;
  private held: Uint8Array | null = null;
  /** Of the object that is being scanned. */
  private end = 0;

  // The tree, beside what the machine knows of it. A shape is a key with the bytes before and behind it, from the last value to its own;
  // shape 0 is the line itself.
  private shapes = 1;
  private textEnd = 0;
  private readonly before: number[] = [];
  private readonly keyStart: number[] = [];
  private readonly keyLength: number[] = [];
  private readonly wantedBelow: ReadonlyMap<string, Wanted>[] = [];

  /** `paths`: dotted, through objects. Call release at the end. */
  constructor(paths: readonly string[], maxDepth: number) {
    this.maxDepth = Math.min(maxDepth, MAX_DEPTH);
    this.fields = paths.length;
    this.wanted = wantedOf(paths.map((path, field) => ({ names: path.split('.'), field })));
    this.machine = IDLE.pop() ?? new JsonScan();
    if (paths.length > this.machine.maxFields) throw new Error(`invariant broken: ${paths.length} fields`);
    this.machine.learner = this;
    this.forget();
  }

  /** What the last scan found, by place in `paths`. */
  get spans(): FieldSpans {
    return this.machine;
  }

  /** Reads the object that fills bytes [start, end); false when it is not plainly one, and then the spans are of no use. */
  scan(bytes: Uint8Array, start: number, end: number): boolean {
    const { machine } = this;
    if (this.held !== bytes) {
      machine.hold(bytes);
      this.held = bytes;
    }
    this.end = end;
    const answer = machine.scan(start, end, this.maxDepth, this.fields);
    return answer === 1 || (answer === 2 && isUtf8(machine.bytes.subarray(start, end)));
  }

  /** Nothing is scanned after this. */
  release(): void {
    if (this.machine.learner !== this) return;
    this.machine.learner = null;
    if (IDLE.length < MOST_IDLE) IDLE.push(this.machine);
  }

  /** The shape of what lies in a value, made on first use; NONE when there is no room, and then all is forgotten. */
  below(shape: number, isArray: boolean): number {
    if (this.shapes >= this.machine.maxShapes) return this.forget();
    const wanted = isArray ? NOTHING : (this.wantedBelow[shape] ?? NOTHING);
    const made = this.make(NONE, wanted);
    this.put(shape, isArray ? WORD.arrayBelow : WORD.objectBelow, made);
    return made;
  }

  /** Adds the key at this offset to those that may follow `last`. NONE when it is no plain key, or the object has it already. */
  learn(last: number, offset: number): number {
    const { bytes } = this.machine;
    let here = space(bytes, offset);
    if (this.before[last] !== NONE) {
      if (bytes[here] !== 0x2c) return NONE;
      here = space(bytes, here + 1);
    }
    if (bytes[here] !== 0x22) return NONE;
    const key = here + 1;
    for (here = key; bytes[here] !== 0x22; here++) {
      // Escaped keys may equal plain ones, and keys beyond ASCII would have to be checked: both are for the thorough way.
      const byte = bytes[here]!;
      if (here >= this.end || byte < 0x20 || byte >= 0x7f || byte === 0x5c) return NONE;
    }
    const keyEnd = here;
    here = space(bytes, keyEnd + 1);
    if (bytes[here] !== 0x3a) return NONE;
    here = space(bytes, here + 1);
    if (here >= this.end) return NONE;
    if (!this.isNewKey(last, bytes.subarray(key, keyEnd))) return NONE;
    const { maxShapes, texts } = this.machine;
    if (this.shapes >= maxShapes || this.textEnd + here - offset > texts.length) return this.forget();
    return this.add(last, offset, here, key, keyEnd);
  }

  private isNewKey(last: number, key: Uint8Array): boolean {
    let keys = 0;
    for (let shape = last; this.before[shape] !== NONE; shape = this.before[shape]!) {
      if (++keys > MAX_KEYS) return false;
      const start = this.keyStart[shape]!;
      if (Buffer.compare(this.machine.texts.subarray(start, start + this.keyLength[shape]!), key) === 0) return false;
    }
    let followers = 0;
    for (let shape = this.word(last, WORD.firstFollower); shape !== NONE; shape = this.word(shape, WORD.nextFollower)) followers++;
    return followers < MAX_FOLLOWERS;
  }

  private add(last: number, start: number, end: number, key: number, keyEnd: number): number {
    const { bytes, texts } = this.machine;
    let top = last;
    while (this.before[top] !== NONE) top = this.before[top]!;
    const wanted = this.wantedBelow[top]?.get(Buffer.from(bytes.subarray(key, keyEnd)).toString('latin1'));
    const made = this.make(last, wanted?.below ?? NOTHING);
    texts.set(bytes.subarray(start, end), this.textEnd);
    this.keyStart[made] = this.textEnd + key - start;
    this.keyLength[made] = keyEnd - key;
    this.put(made, WORD.textStart, this.textEnd);
    this.put(made, WORD.textLength, end - start);
    this.put(made, WORD.field, wanted?.field ?? NONE);
    this.put(made, WORD.nextFollower, this.word(last, WORD.firstFollower));
    this.put(last, WORD.firstFollower, made);
    this.textEnd += end - start;
    return made;
  }

  private make(before: number, wantedBelow: ReadonlyMap<string, Wanted>): number {
    const made = this.shapes++;
    this.before[made] = before;
    this.wantedBelow[made] = wantedBelow;
    this.machine.shapes.fill(NONE, made * SHAPE_WORDS, (made + 1) * SHAPE_WORDS);
    return made;
  }

  /** No room: begin again, so that neither memory nor the search for a follower grows with what a file holds. */
  private forget(): typeof NONE {
    this.shapes = 0;
    this.textEnd = 0;
    this.make(NONE, this.wanted);
    return NONE;
  }

  private word(shape: number, word: number): number {
    return this.machine.shapes[shape * SHAPE_WORDS + word]!;
  }

  private put(shape: number, word: number, value: number): void {
    this.machine.shapes[shape * SHAPE_WORDS + word] = value;
  }
}

function space(bytes: Uint8Array, from: number): number {
  let at = from;
  while (bytes[at] === 0x20 || bytes[at] === 0x09 || bytes[at] === 0x0d || bytes[at] === 0x0a) at++;
  return at;
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
