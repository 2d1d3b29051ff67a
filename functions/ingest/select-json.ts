/**
 * JSON text → only the fields a source reads, in one pass over the bytes. Everything else is checked and dropped without ever
 * becoming a string, so prompt text is not even decoded. Accepts a subset of what guard.ts accepts: whatever is not plainly
 * good (bad syntax, depth, duplicate or escaped keys) is NOT_PLAIN, and guard.ts decides what it is.
 */
import { Buffer, isUtf8 } from 'node:buffer';

/** Node's native slices, which the type package leaves out: one call, no encoding argument to look up. */
type SliceableBuffer = Buffer & { utf8Slice(start: number, end: number): string; latin1Slice(start: number, end: number): string };

/** The answer for text that needs the thorough path. */
export const NOT_PLAIN: unique symbol = Symbol('not plain');

interface Wanted {
  readonly bytes: Uint8Array;
  readonly name: string;
  readonly fields: Fields | null;
}

/** Which fields of an object are kept: null keeps all. Looked up by key hash. */
export interface Fields {
  readonly byHash: ReadonlyMap<number, readonly Wanted[]>;
}

/** Keys of one object that are compared one by one; above it the thorough path, which a hostile object cannot make slow, decides. */
const MAX_KEYS = 96;
const POWERS = Array.from({ length: 23 }, (_, exponent) => 10 ** exponent);

function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0;
  for (let i = start; i < end; i++) hash = (Math.imul(hash, 31) + bytes[i]!) | 0;
  return hash;
}

/**
 * Compiles dotted paths; a path keeps everything below it. Arrays on the way are kept whole. No paths: null, which keeps all.
 * Example: ['id', 'metadata.usage_object'] keeps both and drops every other key.
 */
export function compileFields(paths: readonly string[] | undefined): Fields | null {
  if (paths === undefined) return null;
  const heads = new Map<string, string[] | null>();
  for (const path of paths) {
    const dot = path.indexOf('.');
    const head = dot < 0 ? path : path.slice(0, dot);
    const below = heads.get(head);
    if (dot < 0 || below === null) heads.set(head, null);
    else heads.set(head, [...(below ?? []), path.slice(dot + 1)]);
  }
  const byHash = new Map<number, Wanted[]>();
  for (const [name, below] of heads) {
    const bytes = Buffer.from(name);
    const hash = hashOf(bytes, 0, bytes.length);
    const wanted: Wanted = { bytes, name, fields: below === null ? null : compileFields(below) };
    byHash.set(hash, [...(byHash.get(hash) ?? []), wanted]);
  }
  return { byHash };
}

/** Skips a value without making it. */
const DROP: Fields = { byHash: new Map() };

/** One reader per thread: it keeps no state between texts but its scratch space. */
export class JsonSelector {
  private bytes = Buffer.alloc(0) as SliceableBuffer;
  private at = 0;
  private end = 0;
  private failed = false;
  /** OR of all text bytes: its high bit tells whether there is anything to check as UTF-8. */
  private textBits = 0;
  private maxDepth = 0;
  /** Key hashes and spans of the open objects, one after the other. */
  private readonly hashes = new Int32Array(4096);
  private readonly starts = new Int32Array(4096);
  private keys = 0;

  /** The value in [start, end), with wide integers as strings of their digits; or NOT_PLAIN. */
  parse(bytes: Buffer, start: number, end: number, maxDepth: number, fields: Fields | null): unknown {
    this.bytes = bytes as SliceableBuffer;
    this.at = start;
    this.end = end;
    this.failed = false;
    this.textBits = 0;
    this.maxDepth = maxDepth;
    this.keys = 0;
    this.space();
    const value = this.value(fields, 0);
    this.space();
    if (this.failed || this.at !== end) return NOT_PLAIN;
    return this.textBits < 0x80 || isUtf8(bytes.subarray(start, end)) ? value : NOT_PLAIN;
  }

  /** Every loop ends at `end`, so failing is going there. */
  private fail(): undefined {
    this.failed = true;
    this.at = this.end;
    return undefined;
  }

  private space(): void {
    const { bytes, end } = this;
    let i = this.at;
    while (i < end && (bytes[i] === 0x20 || bytes[i] === 0x0a || bytes[i] === 0x0d || bytes[i] === 0x09)) i++;
    this.at = i;
  }

  private value(fields: Fields | null, depth: number): unknown {
    if (this.at >= this.end) return this.fail();
    switch (this.bytes[this.at]) {
      case 0x7b:
        return this.object(fields, depth + 1);
      case 0x5b:
        return this.array(fields, depth + 1);
      case 0x22:
        return fields === DROP ? this.dropString() : this.string();
      case 0x74:
        return this.word(0x74727565, 4, true);
      case 0x66:
        return this.word(0x616c7365, 5, false);
      case 0x6e:
        return this.word(0x6e756c6c, 4, null);
      default:
        return this.number(fields === DROP);
    }
  }

  private word(last4: number, length: number, value: true | false | null): unknown {
    if (this.at + length > this.end || this.bytes.readUInt32BE(this.at + length - 4) !== last4) return this.fail();
    this.at += length;
    return value;
  }

  private object(fields: Fields | null, depth: number): unknown {
    if (depth > this.maxDepth) return this.fail();
    const { bytes, end } = this;
    const firstKey = this.keys;
    const result: Record<string, unknown> | undefined = fields === DROP ? undefined : {};
    // One bit per key seen: most keys are known to be new without looking at the others.
    let seenLow = 0;
    let seenHigh = 0;
    this.at++;
    if (bytes[this.at]! <= 0x20) this.space();
    if (bytes[this.at] === 0x7d && this.at < end) {
      this.at++;
      return result;
    }
    while (this.at < end) {
      if (bytes[this.at] !== 0x22) return this.fail();
      const start = this.at + 1;
      let close = start;
      let hash = 0;
      let bits = 0;
      for (; close < end; close++) {
        const b = bytes[close]!;
        if (b === 0x22) break;
        // An escaped key may equal a plain one; a control character is a fault: both are for the thorough path.
        if (b === 0x5c || b < 0x20) return this.fail();
        bits |= b;
        hash = (Math.imul(hash, 31) + b) | 0;
      }
      this.textBits |= bits;
      const bit = 1 << (hash & 31);
      const high = (hash & 32) !== 0;
      if (!this.addKey(firstKey, hash, start, close, ((high ? seenHigh : seenLow) & bit) !== 0)) return this.fail();
      if (high) seenHigh |= bit;
      else seenLow |= bit;
      this.at = close + 1;
      if (bytes[this.at]! <= 0x20) this.space();
      if (this.at >= end || bytes[this.at] !== 0x3a) return this.fail();
      this.at++;
      if (bytes[this.at]! <= 0x20) this.space();
      if (result === undefined) this.value(DROP, depth);
      else this.member(result, fields, hash, start, close, depth);
      if (bytes[this.at]! <= 0x20) this.space();
      if (this.at >= end) return this.fail();
      const next = bytes[this.at++];
      if (next === 0x7d) {
        this.keys = firstKey;
        return result;
      }
      if (next !== 0x2c) return this.fail();
      if (bytes[this.at]! <= 0x20) this.space();
    }
    return this.fail();
  }

  private member(result: Record<string, unknown>, fields: Fields | null, hash: number, start: number, close: number, depth: number): void {
    if (fields === null) {
      const name = this.bytes.utf8Slice(start, close);
      const value = this.value(null, depth);
      if (name === '__proto__') Object.defineProperty(result, name, { value, enumerable: true, configurable: true, writable: true });
      else result[name] = value;
      return;
    }
    const candidates = fields.byHash.get(hash);
    if (candidates !== undefined) {
      for (const wanted of candidates) {
        if (sameBytes(this.bytes, start, close, wanted.bytes)) {
          result[wanted.name] = this.value(wanted.fields, depth);
          return;
        }
      }
    }
    this.value(DROP, depth);
  }

  /** False when the key was in this object before, or there are too many to compare. */
  private addKey(firstKey: number, hash: number, start: number, close: number, maybeSeen: boolean): boolean {
    const { hashes, starts, keys, bytes } = this;
    if (keys - firstKey >= MAX_KEYS || keys >= hashes.length) return false;
    for (let k = firstKey; maybeSeen && k < keys; k++) {
      if (hashes[k] !== hash) continue;
      const other = starts[k]!;
      let same = 0;
      while (same < close - start && bytes[other + same] === bytes[start + same]) same++;
      if (same === close - start && bytes[other + same] === 0x22) return false;
    }
    hashes[keys] = hash;
    starts[keys] = start;
    this.keys = keys + 1;
    return true;
  }

  private array(fields: Fields | null, depth: number): unknown {
    if (depth > this.maxDepth) return this.fail();
    const { bytes, end } = this;
    const inside = fields === DROP ? DROP : null;
    const result: unknown[] | undefined = fields === DROP ? undefined : [];
    this.at++;
    this.space();
    if (this.at < end && bytes[this.at] === 0x5d) {
      this.at++;
      return result;
    }
    while (this.at < end) {
      const value = this.value(inside, depth);
      if (result !== undefined) result.push(value);
      if (bytes[this.at]! <= 0x20) this.space();
      if (this.at >= end) return this.fail();
      const next = bytes[this.at++];
      if (next === 0x5d) return result;
      if (next !== 0x2c) return this.fail();
      if (bytes[this.at]! <= 0x20) this.space();
    }
    return this.fail();
  }

  /** Moves behind the closing quote; true when there was an escape. */
  private skipString(): boolean {
    const { bytes, end } = this;
    let i = this.at + 1;
    let escaped = false;
    let bits = 0;
    for (; i < end; i++) {
      const b = bytes[i]!;
      if (b === 0x22) {
        this.textBits |= bits;
        this.at = i + 1;
        return escaped;
      }
      if (b < 0x20) break;
      bits |= b;
      if (b === 0x5c) {
        escaped = true;
        i++;
        const letter = bytes[i]!;
        if (letter === 0x75) {
          for (let digit = 1; digit <= 4; digit++) if (i + digit >= end || !isHex(bytes[i + digit]!)) return this.fail() === undefined;
          i += 4;
        } else if (!isEscape(letter)) break;
      }
    }
    this.fail();
    return escaped;
  }

  private dropString(): undefined {
    this.skipString();
    return undefined;
  }

  private string(): unknown {
    const start = this.at;
    const escaped = this.skipString();
    if (this.failed) return undefined;
    if (escaped) return JSON.parse(this.bytes.utf8Slice(start, this.at)) as unknown;
    return this.bytes.utf8Slice(start + 1, this.at - 1);
  }

  /** JSON's number grammar; exact for up to 15 digits, else by the engine's own parser; wide integers stay text. */
  private number(drop: boolean): unknown {
    const { bytes, end } = this;
    const start = this.at;
    let i = start;
    const negative = bytes[i] === 0x2d;
    if (negative) i++;
    const firstDigit = i;
    let mantissa = 0;
    for (; i < end && isDigit(bytes[i]!); i++) mantissa = mantissa * 10 + (bytes[i]! - 0x30);
    let digits = i - firstDigit;
    if (digits === 0 || (digits > 1 && bytes[firstDigit] === 0x30)) return this.fail();
    let decimals = 0;
    if (i < end && bytes[i] === 0x2e) {
      const point = ++i;
      for (; i < end && isDigit(bytes[i]!); i++) mantissa = mantissa * 10 + (bytes[i]! - 0x30);
      decimals = i - point;
      if (decimals === 0) return this.fail();
      digits += decimals;
    }
    let exponent = false;
    if (i < end && (bytes[i] === 0x65 || bytes[i] === 0x45)) {
      exponent = true;
      i++;
      if (i < end && (bytes[i] === 0x2b || bytes[i] === 0x2d)) i++;
      const power = i;
      while (i < end && isDigit(bytes[i]!)) i++;
      if (i === power) return this.fail();
    }
    this.at = i;
    if (drop) return undefined;
    if (digits <= 15 && !exponent) {
      const value = decimals === 0 ? mantissa : mantissa / POWERS[decimals]!;
      return negative ? -value : value;
    }
    const text = bytes.latin1Slice(start, i);
    const value = Number(text);
    return decimals === 0 && !exponent && !Number.isSafeInteger(value) ? text : value;
  }
}

function isDigit(b: number): boolean {
  return b >= 0x30 && b <= 0x39;
}

function isHex(b: number): boolean {
  return isDigit(b) || (b >= 0x61 && b <= 0x66) || (b >= 0x41 && b <= 0x46);
}

function isEscape(b: number): boolean {
  return b === 0x22 || b === 0x5c || b === 0x2f || b === 0x62 || b === 0x66 || b === 0x6e || b === 0x72 || b === 0x74;
}

function sameBytes(bytes: Uint8Array, start: number, end: number, name: Uint8Array): boolean {
  if (end - start !== name.length) return false;
  for (let i = 0; i < name.length; i++) if (bytes[start + i] !== name[i]) return false;
  return true;
}
