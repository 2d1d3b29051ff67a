/**
 * One valid object → one that its producer never meant: fields dropped, doubled, renamed, nested or given other values; lines joined, cut
 * and moved; bytes spliced and flipped; the whole packed and the package cut. Works on text as latin1, so that every byte stays what it is.
 */
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { snappyCompress, snappyUncompress } from 'hysnappy';
import { CANARY, HOSTILE_BYTES, HOSTILE_NUMBERS, HOSTILE_SHAPES, HOSTILE_TEXTS, HOSTILE_TIMES } from './hostile.ts';

const FIELD_STEPS = [
  'number',
  'time',
  'text',
  'shape',
  'drop',
  'double',
  'double-escaped',
  'rename',
  'nest',
  'swap',
  'canary',
  'insert',
  'inner',
] as const;
const LINE_STEPS = ['join', 'split', 'drop-line', 'double-line', 'move-line', 'crlf', 'blank-line', 'repeat'] as const;
const BYTE_STEPS = ['splice', 'flip', 'delete', 'cut', 'byte-order-mark'] as const;
/** Wrong values in right places are what producers write most, so they come most. */
export const STEPS = [
  ...FIELD_STEPS,
  ...FIELD_STEPS,
  ...(['number', 'number', 'number', 'number', 'text', 'text', 'text', 'time', 'inner', 'inner'] as const),
  ...LINE_STEPS,
  ...BYTE_STEPS,
] as const;
export type StepName = (typeof STEPS)[number];

/** What to do and, as numbers that are taken modulo what there is, where and with what. */
export interface Step {
  readonly step: StepName;
  readonly line: number;
  readonly at: number;
  readonly pick: number;
}

export const PACKINGS = [
  'none',
  'gzip',
  'zstd',
  'gzip-members',
  'gzip-padded',
  'gzip-garbage',
  'gzip-gzip',
  'zstd-gzip',
  'zstd-frames',
] as const;
export interface Packing {
  readonly how: (typeof PACKINGS)[number];
  /** Null: whole. Else where to cut off the end (`cut`) or to flip a bit, modulo the length. */
  readonly harm: { readonly how: 'cut' | 'flip'; readonly at: number } | null;
}

const pickOf = <T>(from: readonly T[], at: number): T => from[at % from.length]!;

/** A value in text, with the key before it when it has one. */
interface Span {
  readonly start: number;
  readonly end: number;
  readonly key: { readonly start: number; readonly end: number } | null;
}

const TOKEN = /"(?:[^"\\\n]|\\.)*"|-?\d[\d.eE+-]*|true|false|null|[{}[\],:]/g;
const CELL = /"(?:[^"\\\n]|\\.|"")*"|[^\s|,{}="]+/g;

/** Values of JSON-like text, also when it is broken; cells and label values of other text. */
function spansOf(text: string): Span[] {
  if (!/^\s*[{[]/.test(text))
    return [...text.matchAll(CELL)].map(({ 0: cell, index }) => ({ start: index, end: index + cell.length, key: null }));
  const spans: Span[] = [];
  const open: { start: number; key: Span['key'] }[] = [];
  let key: Span['key'] = null;
  const tokens = [...text.matchAll(TOKEN)];
  for (const [order, { 0: token, index }] of tokens.entries()) {
    if (token === '{' || token === '[') {
      open.push({ start: index, key });
      key = null;
    } else if (token === '}' || token === ']') {
      const opened = open.pop();
      if (opened !== undefined) spans.push({ ...opened, end: index + 1 });
    } else if (token === ',' || token === ':') continue;
    else if (tokens[order + 1]?.[0] === ':') key = { start: index, end: index + token.length };
    else {
      spans.push({ start: index, end: index + token.length, key });
      key = null;
    }
  }
  return spans;
}

function replaced(text: string, start: number, end: number, by: string): string {
  return text.slice(0, start) + by + text.slice(end);
}

const utf8 = (text: string): string => Buffer.from(text).toString('latin1');

/** Hostile JSON as it would stand in text of this kind: outside JSON its quotes go. */
function literal(json: string, inJson: boolean): string {
  return utf8(inJson ? json : json.replace(/^"(.*)"$/s, '$1'));
}

/** Each letter of a key written as \u00XX: the same key to JSON, another to a comparison of bytes. */
function escapedKey(key: string): string {
  return `"${[...key.slice(1, -1)].map((letter) => (/\w/.test(letter) ? `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}` : letter)).join('')}"`;
}

/** Every value that is written the same, replaced. */
function everywhere(text: string, spans: readonly Span[], value: string, by: string): string {
  const same = spans.filter(({ start, end }) => text.slice(start, end) === value).sort((a, b) => b.start - a.start);
  return same.reduce((changed, { start, end }) => replaced(changed, start, end, by), text);
}

const LOOKS_LIKE: Partial<Record<StepName, RegExp>> = {
  number: /^"?-?\d[\d.]*"?$/,
  time: /^"?(?:\d{4}-\d\d|\d{10,})/,
  text: /^"(?![\d{[])/,
};

/** Where a step is likely to matter: numbers for numbers, keys for what is done to keys; anywhere one time in four. */
function candidates(text: string, spans: readonly Span[], step: StepName, pick: number): readonly Span[] {
  const pattern = LOOKS_LIKE[step];
  const onKeys = step === 'double' || step === 'double-escaped' || step === 'rename';
  const fitting = spans.filter(({ start, end, key }) =>
    pattern === undefined ? !onKeys || key !== null : pattern.test(text.slice(start, end)),
  );
  return fitting.length === 0 || Math.trunc(pick / 97) % 4 === 0 ? spans : fitting;
}

function onField(text: string, { step, at, pick }: Step, depth = 0): string {
  const spans = spansOf(text);
  if (spans.length === 0) return text;
  const inJson = /^\s*[{[]/.test(text);
  const span = pickOf(candidates(text, spans, step, pick), at);
  const { start, end, key } = span;
  const from = key?.start ?? start;
  const value = text.slice(start, end);
  const other = pickOf(spans, pick);
  switch (step) {
    case 'number': {
      const put = pickOf(HOSTILE_NUMBERS, pick);
      const by = literal(pick % 3 === 0 ? `"${put}"` : put, inJson);
      // A producer that is wrong about a count is wrong wherever it states it.
      return Math.trunc(pick / 13) % 2 === 0 ? replaced(text, start, end, by) : everywhere(text, spans, value, by);
    }
    case 'time':
      return replaced(text, start, end, literal(pickOf(HOSTILE_TIMES, pick), inJson));
    case 'text':
      return replaced(text, start, end, literal(pickOf(HOSTILE_TEXTS, pick), inJson));
    case 'shape':
      return replaced(text, start, end, literal(pickOf(HOSTILE_SHAPES, pick), inJson));
    case 'drop':
      return text.slice(0, from) + text.slice(end).replace(/^\s*,/, '');
    case 'double':
      return replaced(
        text,
        from,
        from,
        `${text.slice(from, start)}${pick % 2 === 0 ? value : literal(pickOf(HOSTILE_NUMBERS, pick), inJson)},`,
      );
    case 'double-escaped':
      return key === null
        ? text
        : replaced(text, from, from, `${escapedKey(text.slice(key.start, key.end))}:${pick % 2 === 0 ? value : '1'},`);
    case 'rename':
      return key === null
        ? text
        : replaced(
            text,
            key.start,
            key.end,
            other.key === null ? pickOf([`"${CANARY}"`, '"__proto__"', '""'], pick) : text.slice(other.key.start, other.key.end),
          );
    case 'nest':
      return replaced(
        text,
        start,
        end,
        pickOf([`[${value}]`, `{"a":${value}}`, `${'['.repeat(30)}${value}${']'.repeat(30)}`, JSON.stringify(value)], pick),
      );
    case 'swap':
      return replaced(text, start, end, text.slice(other.start, other.end));
    case 'canary':
      return text.replace(/"(?:[^"\\]|\\.)*"(?!\s*:)/g, (found, offset: number) =>
        (offset * 31 + at) % (2 + (pick % 5)) === 0 ? `"${CANARY}"` : found,
      );
    case 'insert':
      return replaced(text, from, from, `${inJson && key !== null ? `"${CANARY}":` : ''}${literal(pickOf(HOSTILE_SHAPES, pick), inJson)},`);
    default:
      return innerJson(text, spans, { step, line: 0, at, pick }, depth);
  }
}

/** JSON in a string of JSON (Higress ai_log, New API other, EMF kubernetes): the same steps one level down. */
function innerJson(text: string, spans: readonly Span[], { at, pick }: Step, depth: number): string {
  const strings = spans.filter(({ start }) => /^"\s*(?:\{|\[|\\")/.test(text.slice(start, start + 8)));
  if (strings.length === 0 || depth > 2) return text;
  const { start, end } = pickOf(strings, at);
  try {
    const inside = String(JSON.parse(text.slice(start, end)));
    const changed = onField(inside, { step: pickOf(FIELD_STEPS, pick), line: 0, at: at + pick, pick: Math.trunc(pick / 13) }, depth + 1);
    return replaced(text, start, end, JSON.stringify(changed));
  } catch {
    return text;
  }
}

function onLines(text: string, { step, line, at, pick }: Step): string {
  const lines = text.split('\n');
  const here = line % lines.length;
  const there = pick % lines.length;
  switch (step) {
    case 'join':
      lines.splice(here, 2, `${lines[here]}${lines[here + 1] ?? ''}`);
      break;
    case 'split': {
      const cut = at % (lines[here]!.length + 1);
      lines.splice(here, 1, lines[here]!.slice(0, cut), lines[here]!.slice(cut));
      break;
    }
    case 'drop-line':
      lines.splice(here, 1);
      break;
    case 'double-line':
      lines.splice(there, 0, lines[here]!);
      break;
    case 'move-line':
      lines.splice(there, 0, ...lines.splice(here, 1));
      break;
    case 'crlf':
      return lines.map((one, index) => (at % 3 === 0 || index % 3 === pick % 3 ? one.replace(/\r?$/, '\r') : one)).join('\n');
    case 'blank-line':
      lines.splice(here, 0, pickOf(['', ' ', '\t \r', '\r', '\r\r', utf8('\u00a0'), utf8('\ufeff')], pick));
      break;
    default:
      // Enough bad rows to pass the limit of a few, now and then.
      lines.splice(here, 0, ...Array.from({ length: 1 + (pick % 40) }, () => lines[here]!));
  }
  return lines.join('\n');
}

function onBytes(text: string, { step, at, pick }: Step): string {
  const place = at % (text.length + 1);
  switch (step) {
    case 'splice':
      return replaced(text, place, place, pickOf(HOSTILE_BYTES, pick).toString('latin1'));
    case 'flip':
      return place === text.length
        ? text
        : replaced(text, place, place + 1, String.fromCharCode(text.charCodeAt(place) ^ (1 << (pick % 8))));
    case 'delete':
      return replaced(text, place, place + 1 + (pick % 20), '');
    case 'cut':
      return text.slice(0, place);
    default:
      return `\u00ef\u00bb\u00bf${text}`;
  }
}

/** Applies one step to text held as latin1. `oneRecord`: the text is one JSON document. */
function applied(text: string, step: Step, oneRecord: boolean): string {
  if ((LINE_STEPS as readonly string[]).includes(step.step)) return onLines(text, step);
  if ((BYTE_STEPS as readonly string[]).includes(step.step)) return onBytes(text, step);
  if (oneRecord) return onField(text, step);
  const lines = text.split('\n');
  const here = step.line % lines.length;
  lines[here] = onField(lines[here]!, step);
  return lines.join('\n');
}

const MOST_BYTES = 512 * 1024;

/** The object that the steps make of a valid one. Bytes of a snappy message are changed inside it. */
export function mutated(base: Buffer, steps: readonly Step[], binary: boolean): Buffer {
  const plain = binary ? unsnapped(base) : base;
  if (binary && plain === null) return mutated(base, steps, false);
  let text = (plain ?? base).toString('latin1');
  const oneRecord = isOneDocument(text);
  for (const step of steps) {
    const harder =
      binary && !(BYTE_STEPS as readonly string[]).includes(step.step) ? { ...step, step: pickOf(BYTE_STEPS, step.line) } : step;
    const next = applied(text, harder, oneRecord);
    if (next.length <= MOST_BYTES) text = next;
  }
  const bytes = Buffer.from(text, 'latin1');
  return binary && bytes.length > 0 ? Buffer.from(snappyCompress(bytes)) : bytes;
}

function isOneDocument(text: string): boolean {
  const first = text.slice(0, text.indexOf('\n') + 1 || text.length);
  if (!/^\s*[{[]/.test(first)) return false;
  try {
    JSON.parse(first);
    return false;
  } catch {
    return text.includes('\n');
  }
}

function unsnapped(bytes: Buffer): Buffer | null {
  let length = 0;
  for (let at = 0; at < 5; at++) {
    const b = bytes[at] ?? 0;
    length += (b & 127) * 2 ** (7 * at);
    if (b < 128) break;
  }
  try {
    return length > MOST_BYTES ? null : Buffer.from(snappyUncompress(bytes, length));
  } catch {
    return null;
  }
}

export function packed(bytes: Buffer, { how, harm }: Packing): Buffer {
  const whole = wrapped(bytes, how);
  if (harm === null || whole.length === 0) return whole;
  const at = harm.at % whole.length;
  if (harm.how === 'cut') return whole.subarray(0, at);
  const flipped = Buffer.from(whole);
  flipped[at]! ^= 1 << (harm.at % 8);
  return flipped;
}

function wrapped(bytes: Buffer, how: Packing['how']): Buffer {
  const half = bytes.length >> 1;
  switch (how) {
    case 'none':
      return bytes;
    case 'gzip':
      return gzipSync(bytes);
    case 'zstd':
      return zstdCompressSync(bytes);
    case 'gzip-members':
      return Buffer.concat([gzipSync(bytes.subarray(0, half)), gzipSync(Buffer.alloc(0)), gzipSync(bytes.subarray(half))]);
    case 'gzip-padded':
      return Buffer.concat([gzipSync(bytes), Buffer.alloc(512)]);
    case 'gzip-garbage':
      return Buffer.concat([gzipSync(bytes), Buffer.from('garbage')]);
    case 'gzip-gzip':
      return gzipSync(gzipSync(bytes));
    case 'zstd-gzip':
      return zstdCompressSync(gzipSync(bytes));
    default:
      return Buffer.concat([zstdCompressSync(bytes.subarray(0, half)), zstdCompressSync(bytes.subarray(half))]);
  }
}
