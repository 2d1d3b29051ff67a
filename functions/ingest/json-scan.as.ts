/**
 * The hot half of field-scanner.ts, in AssemblyScript: TypeScript's syntax with machine types, compiled to WebAssembly with SIMD
 * (`npm run scan`), because it looks at sixteen bytes at once where JavaScript looks at four. What a line has that was not seen before
 * is learned outside, in field-scanner.ts, which also owns the memory below.
 */

// Memory, in bytes. Shapes and texts are written by field-scanner.ts; fields are what a scan found; then the bytes that are scanned.
export const MAX_SHAPES: i32 = 8_192;
export const MAX_FIELDS: i32 = 256;
export const TEXT_BYTES: i32 = 524_288;
export const SHAPES: i32 = 1_024;
export const TEXTS: i32 = SHAPES + MAX_SHAPES * 32;
export const KINDS: i32 = TEXTS + TEXT_BYTES + 64;
export const DECIMALS: i32 = KINDS + MAX_FIELDS;
export const STARTS: i32 = DECIMALS + MAX_FIELDS;
export const ENDS: i32 = STARTS + MAX_FIELDS * 4;
export const NUMBERS: i32 = ENDS + MAX_FIELDS * 4;
export const BYTES: i32 = 1_048_576;

// One shape is eight 32-bit words.
const FIRST_FOLLOWER: usize = 0;
const NEXT_FOLLOWER: usize = 4;
const TEXT_START: usize = 8;
const TEXT_LENGTH: usize = 12;
const FIELD: usize = 16;
const OBJECT_BELOW: usize = 20;
const ARRAY_BELOW: usize = 24;

const NONE: i32 = -1;
// KIND of sources/ordinary.ts.
const NULL: u8 = 1;
const TRUE: u8 = 2;
const FALSE: u8 = 3;
const NUMBER: u8 = 4;
const TEXT: u8 = 5;
const OBJECT: u8 = 6;
const OTHER: u8 = 7;

/** A new shape behind `last` for the key at this offset, or NONE. */
declare function learn(last: i32, offset: i32): i32;
/** The shape of what lies in the value of a key, made on first use, or NONE. */
declare function below(shape: i32, isArray: bool): i32;

let at: i32 = 0;
let end: i32 = 0;
let maxDepth: i32 = 0;
let isBeyondAscii: bool = false;

/** 0: not plainly an object that fills the offsets [start, stop). 1: it is. 2: it is if it is UTF-8. */
export function scan(start: i32, stop: i32, depth: i32, fields: i32): i32 {
  at = BYTES + start;
  end = BYTES + stop;
  maxDepth = depth;
  isBeyondAscii = false;
  memory.fill(KINDS, 0, fields);
  if (load<u8>(at) !== 0x7b || !object(0, 1)) return 0;
  if (at < end) at = space(at);
  // What was taken lies together, so an end in the right place means that nothing behind it was taken.
  if (at !== end) return 0;
  return isBeyondAscii ? 2 : 1;
}

/** `shape` stands for the object; `at` is its brace. */
function object(shape: i32, depth: i32): bool {
  if (shape === NONE || depth > maxDepth) return false;
  let last = shape;
  at++;
  const empty = space(at);
  if (load<u8>(empty) === 0x7d) {
    at = empty + 1;
    return true;
  }
  for (;;) {
    const next = follower(last);
    if (next === NONE) return false;
    at += <i32>load<i32>(place(next), TEXT_LENGTH);
    if (!member(next, depth)) return false;
    if (load<u8>(at) !== 0x7d) {
      last = next;
      if (load<u8>(at) > 0x20) continue;
      const behind = space(at);
      if (load<u8>(behind) !== 0x7d) continue;
      at = behind;
    }
    at++;
    return true;
  }
}

function place(shape: i32): usize {
  return SHAPES + (shape << 5);
}

/** The known shape at `at` behind `last`, or a new one, or NONE when the bytes are none. */
function follower(last: i32): i32 {
  for (let shape = load<i32>(place(last), FIRST_FOLLOWER); shape !== NONE; shape = load<i32>(place(shape), NEXT_FOLLOWER)) {
    const length = load<i32>(place(shape), TEXT_LENGTH);
    if (at + length <= end && isSame(TEXTS + load<i32>(place(shape), TEXT_START), at, length)) return shape;
  }
  return learn(last, at - BYTES);
}

/** Behind both lie bytes that may be looked at. */
function isSame(there: i32, here: i32, length: i32): bool {
  for (; length >= 16; length -= 16, there += 16, here += 16) if (v128.any_true(v128.xor(v128.load(there), v128.load(here)))) return false;
  const equal = i8x16.bitmask(i8x16.eq(v128.load(there), v128.load(here)));
  return (~equal & ((1 << length) - 1)) === 0;
}

function member(shape: i32, depth: i32): bool {
  const field = load<i32>(place(shape), FIELD);
  const first = load<u8>(at);
  if (first === 0x22) return text(field);
  if (first === 0x7b) {
    if (field !== NONE) store<u8>(KINDS + field, OBJECT);
    const known = load<i32>(place(shape), OBJECT_BELOW);
    return object(known === NONE ? below(shape, false) : known, depth + 1);
  }
  if (first === 0x5b) {
    if (field !== NONE) store<u8>(KINDS + field, OTHER);
    const known = load<i32>(place(shape), ARRAY_BELOW);
    return array(known === NONE ? below(shape, true) : known, depth + 1);
  }
  if (first === 0x6e) return load<u32>(at) === 0x6c6c756e && word(field, NULL, 4);
  if (first === 0x74) return load<u32>(at) === 0x65757274 && word(field, TRUE, 4);
  if (first === 0x66) return load<u32>(at + 1) === 0x65736c61 && word(field, FALSE, 5);
  return number(field);
}

function word(field: i32, kind: u8, length: i32): bool {
  if (field !== NONE) store<u8>(KINDS + field, kind);
  at += length;
  return true;
}

/** Elements share one shape, so a list of objects costs what one of them costs. */
function array(shape: i32, depth: i32): bool {
  if (shape === NONE || depth > maxDepth) return false;
  at = space(at + 1);
  if (load<u8>(at) === 0x5d) {
    at++;
    return true;
  }
  while (member(shape, depth)) {
    const behind = space(at);
    at = behind + 1;
    if (load<u8>(behind) === 0x5d) return true;
    if (load<u8>(behind) !== 0x2c) return false;
    at = space(behind + 1);
  }
  return false;
}

/** `at` is the opening quote. Ends at the first quote without a backslash; a control character, such as the line's end, refuses. */
function text(field: i32): bool {
  const start = at + 1;
  let here = start;
  let isPlain = true;
  for (;;) {
    if (here >= end) return false;
    const bytes = v128.load(here);
    const stops = i8x16.bitmask(
      v128.or(
        v128.or(i8x16.eq(bytes, i8x16.splat(0x22)), i8x16.eq(bytes, i8x16.splat(0x5c))),
        v128.or(i8x16.lt_u(bytes, i8x16.splat(0x20)), i8x16.eq(bytes, i8x16.splat(0x7f))),
      ),
    );
    if ((i8x16.bitmask(bytes) & (stops - 1) & ~stops) !== 0) isBeyondAscii = true;
    if (stops === 0) {
      here += 16;
      continue;
    }
    here += ctz(stops);
    const byte = load<u8>(here);
    if (byte === 0x22) break;
    if (byte < 0x20) return false;
    isPlain = false;
    if (byte === 0x5c) {
      here = behindEscape(here);
      if (here === NONE) return false;
    } else here++;
  }
  if (here >= end) return false;
  if (field !== NONE) {
    store<u8>(KINDS + field, isPlain ? TEXT : OTHER);
    store<i32>(STARTS + (field << 2), start - BYTES);
    store<i32>(ENDS + (field << 2), here - BYTES);
  }
  at = here + 1;
  return true;
}

/** Offset behind the escape at `here`, or NONE. */
function behindEscape(here: i32): i32 {
  const letter = load<u8>(here + 1);
  if (letter === 0x75) {
    for (let digit = here + 2; digit < here + 6; digit++) if (!isHex(load<u8>(digit))) return NONE;
    return here + 6;
  }
  const isKnown =
    letter === 0x22 ||
    letter === 0x5c ||
    letter === 0x2f ||
    letter === 0x62 ||
    letter === 0x66 ||
    letter === 0x6e ||
    letter === 0x72 ||
    letter === 0x74;
  return isKnown ? here + 2 : NONE;
}

function number(field: i32): bool {
  let here = at;
  const isNegative = load<u8>(here) === 0x2d;
  if (isNegative) here++;
  const first = here;
  let digits: u64 = 0;
  for (; isDigit(load<u8>(here)); here++) digits = digits * 10 + (load<u8>(here) - 0x30);
  let count = here - first;
  if (count === 0 || (count > 1 && load<u8>(first) === 0x30)) return false;
  let decimals = 0;
  if (load<u8>(here) === 0x2e) {
    const point = ++here;
    for (; isDigit(load<u8>(here)); here++) digits = digits * 10 + (load<u8>(here) - 0x30);
    decimals = here - point;
    if (decimals === 0) return false;
    count += decimals;
  }
  let isExact = count <= 16 && digits <= 9_007_199_254_740_991;
  if ((load<u8>(here) | 0x20) === 0x65) {
    isExact = false;
    here++;
    if (load<u8>(here) === 0x2b || load<u8>(here) === 0x2d) here++;
    const power = here;
    while (isDigit(load<u8>(here))) here++;
    if (here === power) return false;
  }
  if (field !== NONE) {
    store<u8>(KINDS + field, isExact ? NUMBER : OTHER);
    store<f64>(NUMBERS + (field << 3), isNegative ? -(<f64>digits) : <f64>digits);
    store<u8>(DECIMALS + field, <u8>decimals);
  }
  at = here;
  return true;
}

function space(from: i32): i32 {
  let here = from;
  while (here < end && isSpace(load<u8>(here))) here++;
  return here;
}

function isSpace(byte: u8): bool {
  return byte === 0x20 || byte === 0x09 || byte === 0x0d || byte === 0x0a;
}

function isDigit(byte: u8): bool {
  return byte - 0x30 <= 9;
}

function isHex(byte: u8): bool {
  return isDigit(byte) || (byte | 0x20) - 0x61 <= 5;
}
