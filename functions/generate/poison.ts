/** Bad rows as real logs have them, made from good rows of the same kind. Each is named by the reason for which it must be refused. */

/** A piece of a file: text, or bytes where the text is broken. */
export type Chunk = Uint8Array | string;

export interface Spoiler {
  /** A row reason of the sources (functions/sources/source.ts). */
  readonly reason: string;
  /** A bad line, without its end, from a good one that is used for nothing else. */
  spoil(line: string): Chunk;
}

const ENCODER = new TextEncoder();

/** A spoiler that puts one byte that no UTF-8 text holds in place of the first letter of `at`. Lines must be ASCII up to there. */
export function breakUtf8(at: string): Spoiler {
  return {
    reason: 'invalid_utf8',
    spoil(line) {
      const index = line.indexOf(at);
      if (index < 0) throw new RangeError(`nothing to break: ${at}`);
      const bytes = ENCODER.encode(line);
      bytes[index] = 0xff;
      return bytes;
    },
  };
}

/** A spoiler that replaces the first match; `to` gets the groups. Errors: a line without a match is a defect and throws RangeError. */
export function replace(reason: string, from: RegExp, to: (...groups: string[]) => string): Spoiler {
  return {
    reason,
    spoil(line) {
      if (!from.test(line)) throw new RangeError(`nothing to replace: ${from.source}`);
      return line.replace(from, (_whole, ...groups: string[]) => to(...groups));
    },
  };
}

/** Where a JSON line keeps what can be spoiled. */
export interface JsonPlaces {
  /** Matches a count; group 1 is all before the digits, group 2 all after. */
  readonly count?: RegExp;
  /** Matches a required key with its value and comma. */
  readonly required: RegExp;
  /** What a reader says when that key is missing. */
  readonly missing: string;
  /** Group 1 is the key of an instant with its colon, the rest its value. */
  readonly instant: RegExp;
  /** Text inside a string value. */
  readonly text: string;
}

/** Spoilers of JSON lines: cut off, broken bytes, a repeated key, a missing key, a bad instant, and every wrong count. */
export function jsonSpoilers(places: JsonPlaces): Spoiler[] {
  const { count } = places;
  const spoilers: Spoiler[] = [
    { reason: 'invalid_json', spoil: (line) => line.slice(0, line.length >> 1) },
    breakUtf8(places.text),
    replace('duplicate_key', /^\{("[^"]+":)/, (key) => `{${key}null,${key}`),
    replace(places.missing, places.required, () => ''),
    replace('bad_timestamp', places.instant, (key) => `${key}"soon"`),
  ];
  if (count === undefined) return spoilers;
  const wrong = (reason: string, digits: string): Spoiler => replace(reason, count, (before, after) => `${before}${digits}${after}`);
  // 2^53 + 1 is the first integer that a double cannot hold.
  return [...spoilers, wrong('negative', '-5'), wrong('not_an_integer', '12.5'), wrong('integer_out_of_range', '9007199254740993')];
}

/** Files with fewer good rows get no bad ones, so that no file is held for its share of them. */
export const POISONED_FROM_ROWS = 12;

/** Spreads bad rows evenly through good ones, kind after kind. */
export class Poison {
  readonly total: number;
  private readonly spoilers: readonly Spoiler[];
  private readonly every: number;
  private rows = 0;
  private spread = 0;

  /** `rows` good rows will come. Every kind appears at least once while bad rows stay below an eighth of the good ones; none when the share is 0. */
  constructor(spoilers: readonly Spoiler[], rows: number, badPerMillion: number) {
    this.spoilers = spoilers;
    const wanted = Math.max(spoilers.length, Math.round((rows * badPerMillion) / 1_000_000));
    this.total = badPerMillion === 0 || rows === 0 ? 0 : Math.min(wanted, Math.max(1, Math.floor(rows / 8)));
    this.every = this.total === 0 ? 0 : Math.max(1, Math.floor(rows / this.total));
  }

  /** Call once after each good row: the spoiler whose bad row comes next, or null. */
  next(): Spoiler | null {
    if (this.spread >= this.total || ++this.rows % this.every !== 0) return null;
    return this.spoilers[this.spread++ % this.spoilers.length] ?? null;
  }
}
