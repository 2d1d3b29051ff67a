/** Times as foreign logs write them: a pattern of Luxon's tokens, compiled once to a regular expression and then read as ISO. */
import { parseIsoInstant } from './fields.ts';

/** Token → what it captures and its pattern. Longest first, so that `yyyy` is not read as two `yy`. */
const TOKENS: readonly (readonly [token: RegExp, part: string, pattern: string])[] = [
  [/^yyyy/, 'year', '\\d{4}'],
  [/^MM/, 'month', '\\d{2}'],
  [/^M/, 'month', '\\d{1,2}'],
  [/^dd/, 'day', '\\d{2}'],
  [/^d/, 'day', '\\d{1,2}'],
  [/^HH/, 'hour', '\\d{2}'],
  [/^H/, 'hour', '\\d{1,2}'],
  [/^hh/, 'hour12', '\\d{2}'],
  [/^h/, 'hour12', '\\d{1,2}'],
  [/^mm/, 'minute', '\\d{2}'],
  [/^m/, 'minute', '\\d{1,2}'],
  [/^ss/, 'second', '\\d{2}'],
  [/^s/, 'second', '\\d{1,2}'],
  [/^u/, 'fraction', '\\d{1,9}'],
  [/^ZZZ/, 'offset', '[+-]\\d{4}'],
  [/^ZZ/, 'offset', '(?:[+-]\\d{2}:\\d{2}|[Zz])'],
  [/^a/, 'meridiem', '[AaPp][Mm]'],
];
const FRACTION = /^S{1,9}/;
const QUOTED = /^'([^']*)'/;

export interface TimePattern {
  /** The text carries its own offset, so no zone is needed. */
  readonly hasOffset: boolean;
  /** Epoch ms, or null when the text does not follow the pattern or names no real instant. */
  parse(text: string, zone: string | null): number | null;
}

/**
 * A reader for a pattern such as `yyyy-MM-dd HH:mm:ss.SSSSSSS` (digits beyond milliseconds are cut), `d/M/yyyy h:mm a` or `yyyyMMdd'T'HHmmssZZZ`.
 * Tokens: yyyy M MM d dd H HH h hh m mm s ss S… u a ZZ ZZZ, text in '…', and T. Returns a message when the pattern cannot be read or lacks a year, month or day.
 */
export function timePattern(format: string): TimePattern | string {
  const parts: string[] = [];
  let pattern = '';
  for (let rest = format; rest !== ''; ) {
    const [length, part, piece] = nextPiece(rest);
    if (length === 0) return `unknown token at '${rest.slice(0, 6)}'`;
    if (part !== null && parts.includes(part)) return `the ${part} occurs twice`;
    if (part !== null) parts.push(part);
    pattern += piece;
    rest = rest.slice(length);
  }
  for (const part of ['year', 'month', 'day']) if (!parts.includes(part)) return `the ${part} is missing`;
  if (parts.includes('hour12') !== parts.includes('meridiem')) return 'h and a belong together';
  return reader(new RegExp(`^${pattern}$`), parts);
}

/** Length read, the part captured or null, and its pattern. */
function nextPiece(rest: string): readonly [number, string | null, string] {
  const fraction = FRACTION.exec(rest);
  if (fraction !== null) return [fraction[0].length, 'fraction', `(\\d{${fraction[0].length}})`];
  const quoted = QUOTED.exec(rest);
  if (quoted !== null) return [quoted[0].length, null, escaped(quoted[1] ?? '')];
  for (const [token, part, pattern] of TOKENS) {
    const match = token.exec(rest);
    if (match !== null) return [match[0].length, part, `(${pattern})`];
  }
  const [first = ''] = rest;
  return /[A-Za-z]/.test(first) && first !== 'T' ? [0, null, ''] : [first.length, null, escaped(first)];
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');
}

function reader(pattern: RegExp, parts: readonly string[]): TimePattern {
  const at = (name: string): number => parts.indexOf(name) + 1;
  const [year, month, day, minute, second, fraction, offset] = ['year', 'month', 'day', 'minute', 'second', 'fraction', 'offset'].map(
    at,
  ) as [number, number, number, number, number, number, number];
  return {
    hasOffset: offset > 0,
    parse(text, zone) {
      const match = pattern.exec(text);
      if (match === null) return null;
      const two = (index: number): string => (index === 0 ? '00' : (match[index] ?? '00').padStart(2, '0'));
      const hour = hourOf(match, at('hour'), at('hour12'), at('meridiem'));
      if (hour === null) return null;
      const date = `${match[year]}-${two(month)}-${two(day)}`;
      const digits = fraction === 0 ? '' : `.${match[fraction]}`;
      return parseIsoInstant(`${date}T${hour}:${two(minute)}:${two(second)}${digits}${offset === 0 ? '' : match[offset]}`, zone);
    },
  };
}

/** Two digits of a 24-hour clock; null for 0 or 13 o'clock on a 12-hour one. */
function hourOf(match: RegExpExecArray, hour: number, hour12: number, meridiem: number): string | null {
  if (hour > 0) return (match[hour] ?? '').padStart(2, '0');
  if (hour12 === 0) return '00';
  const n = Number(match[hour12]);
  if (n < 1 || n > 12) return null;
  const afternoon = (match[meridiem] ?? '').toLowerCase() === 'pm';
  return String((n % 12) + (afternoon ? 12 : 0)).padStart(2, '0');
}
