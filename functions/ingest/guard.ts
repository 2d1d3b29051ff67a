/**
 * The scan every JSON text passes before JSON.parse: bounds the depth, refuses duplicate keys, finds integers that a
 * double cannot hold. It does not judge syntax; JSON.parse does that afterwards.
 */
import type { RowReason } from '../sources/source.ts';

export type GuardResult =
  | { readonly reason: RowReason }
  | {
      readonly reason: null;
      /** Byte spans [start, end) of integers beyond ±(2^53 − 1), in order; empty when there are none. */
      readonly wideIntegers: readonly (readonly [number, number])[];
      /** Where the scan ended: containers still open, or inside a string. */
      readonly openDepth: number;
      readonly inString: boolean;
    };

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MAX_SAFE_DIGITS = '9007199254740991';
const NONE: readonly (readonly [number, number])[] = [];
/** Above this many keys in one object a Set replaces the linear search, so a hostile object costs no square. */
const LINEAR_KEYS = 24;

interface Frame {
  readonly isObject: boolean;
  expectKey: boolean;
  readonly hashes: number[];
  readonly spans: number[];
  names: Set<string> | null;
}

/** Scans bytes [start, end). Units: depth counts open containers; offsets are into `bytes`. */
export function guardJson(bytes: Uint8Array, start: number, end: number, maxDepth: number): GuardResult {
  const stack: Frame[] = [];
  let top: Frame | null = null;
  let wide: [number, number][] | null = null;
  let i = start;
  while (i < end) {
    const b = bytes[i]!;
    if (b === QUOTE) {
      const close = stringEnd(bytes, i + 1, end);
      if (close < 0) return { reason: null, wideIntegers: wide ?? NONE, openDepth: stack.length, inString: true };
      if (top?.isObject && top.expectKey) {
        if (isDuplicate(top, bytes, i + 1, close)) return { reason: 'duplicate_key' };
        top.expectKey = false;
      }
      i = close + 1;
    } else if (b === 0x7b || b === 0x5b) {
      if (stack.length >= maxDepth) return { reason: 'too_deep' };
      top = { isObject: b === 0x7b, expectKey: b === 0x7b, hashes: [], spans: [], names: null };
      stack.push(top);
      i++;
    } else if (b === 0x7d || b === 0x5d) {
      stack.pop();
      top = stack.at(-1) ?? null;
      i++;
    } else if (b === 0x2c) {
      if (top?.isObject) top.expectKey = true;
      i++;
    } else if (b === 0x2d || (b >= 0x30 && b <= 0x39)) {
      const close = numberEnd(bytes, i, end);
      // Where a key belongs a number is a syntax error, and quoting it would hide that.
      if (close - i > 15 && !(top?.isObject && top.expectKey) && isWideInteger(bytes, i, close)) {
        wide ??= [];
        wide.push([i, close]);
      }
      i = close;
    } else i++;
  }
  return { reason: null, wideIntegers: wide ?? NONE, openDepth: stack.length, inString: false };
}

/** Offset of the closing quote, or −1. */
function stringEnd(bytes: Uint8Array, from: number, end: number): number {
  for (let i = from; i < end; i++) {
    const b = bytes[i]!;
    if (b === QUOTE) return i;
    if (b === BACKSLASH) i++;
  }
  return -1;
}

function numberEnd(bytes: Uint8Array, from: number, end: number): number {
  let i = from + 1;
  for (; i < end; i++) {
    const b = bytes[i]!;
    const partOfNumber = (b >= 0x30 && b <= 0x39) || b === 0x2e || b === 0x65 || b === 0x45 || b === 0x2b || b === 0x2d;
    if (!partOfNumber) break;
  }
  return i;
}

function isWideInteger(bytes: Uint8Array, from: number, to: number): boolean {
  let i = bytes[from] === 0x2d ? from + 1 : from;
  const digits = to - i;
  // A leading zero is a syntax error, for JSON.parse to find.
  if (bytes[i] === 0x30) return false;
  for (let j = i; j < to; j++) if (bytes[j]! < 0x30 || bytes[j]! > 0x39) return false;
  if (digits !== MAX_SAFE_DIGITS.length) return digits > MAX_SAFE_DIGITS.length;
  for (let j = 0; j < digits; j++, i++) {
    const difference = bytes[i]! - MAX_SAFE_DIGITS.charCodeAt(j);
    if (difference !== 0) return difference > 0;
  }
  return false;
}

function isDuplicate(frame: Frame, bytes: Uint8Array, from: number, to: number): boolean {
  let hash = to - from;
  let escaped = false;
  for (let i = from; i < to; i++) {
    const b = bytes[i]!;
    hash = (Math.imul(hash, 31) + b) | 0;
    if (b === BACKSLASH) escaped = true;
  }
  // An escaped key may equal an unescaped one ("\u0061" is "a"), so from here on names are compared decoded.
  if (frame.names === null && (escaped || frame.hashes.length >= LINEAR_KEYS)) {
    frame.names = new Set();
    for (let k = 0; k < frame.spans.length; k += 2) frame.names.add(keyName(bytes, frame.spans[k]!, frame.spans[k + 1]!));
  }
  if (frame.names !== null) {
    const name = keyName(bytes, from, to);
    if (frame.names.has(name)) return true;
    frame.names.add(name);
    return false;
  }
  for (let k = 0; k < frame.hashes.length; k++) {
    if (frame.hashes[k] === hash && sameBytes(bytes, frame.spans[2 * k]!, frame.spans[2 * k + 1]!, from, to)) return true;
  }
  frame.hashes.push(hash);
  frame.spans.push(from, to);
  return false;
}

function keyName(bytes: Uint8Array, from: number, to: number): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('utf8');
  if (!text.includes('\\')) return text;
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    return text; // broken escape: JSON.parse of the whole text will refuse it
  }
}

function sameBytes(bytes: Uint8Array, a: number, aEnd: number, b: number, bEnd: number): boolean {
  if (aEnd - a !== bEnd - b) return false;
  for (let i = 0; i < aEnd - a; i++) if (bytes[a + i] !== bytes[b + i]) return false;
  return true;
}

const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Fatal UTF-8 decoding: null for any malformed byte. */
export function decodeUtf8(bytes: Uint8Array, start: number, end: number): string | null {
  try {
    return DECODER.decode(bytes.subarray(start, end));
  } catch {
    return null;
  }
}

/** A guarded JSON value, with wide integers as strings of their digits; or the reason it is refused: bytes that are no text before all else. */
export function parseGuarded(
  bytes: Uint8Array,
  start: number,
  end: number,
  maxDepth: number,
): { readonly value: unknown } | { readonly reason: RowReason } {
  const guard = guardJson(bytes, start, end, maxDepth);
  if (guard.reason !== null) return { reason: decodeUtf8(bytes, start, end) === null ? 'invalid_utf8' : guard.reason };
  const text = guard.wideIntegers.length === 0 ? decodeUtf8(bytes, start, end) : quoteSpans(bytes, start, end, guard.wideIntegers);
  if (text === null) return { reason: 'invalid_utf8' };
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return { reason: 'invalid_json' };
  }
}

function quoteSpans(bytes: Uint8Array, start: number, end: number, spans: readonly (readonly [number, number])[]): string | null {
  let text = '';
  let at = start;
  for (const [from, to] of spans) {
    const before = decodeUtf8(bytes, at, from);
    const digits = decodeUtf8(bytes, from, to);
    if (before === null || digits === null) return null;
    text += `${before}"${digits}"`;
    at = to;
  }
  const rest = decodeUtf8(bytes, at, end);
  return rest === null ? null : text + rest;
}
