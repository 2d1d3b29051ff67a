/**
 * One sample line of the Prometheus text exposition format: `name{label="value",…} value [timestamp_ms]`.
 * Source: Prometheus documentation, exposition formats. Scanned by hand, in one pass: a regular expression that skips quoted
 * braces would overflow its stack on a hostile line.
 */
import type { Labels } from './dcgm-labels.ts';

export interface SampleLine {
  readonly name: string;
  /** Text between the braces, '' without any: equal text means equal labels, so callers may cache by it. */
  readonly labelText: string;
  readonly value: string;
  /** Milliseconds as printed, or null. */
  readonly timestamp: string | null;
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*/;
const TAIL = /^[ \t]+(\S{1,400})(?:[ \t]+(\S{1,40}))?$/;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const CLOSE = 0x7d;

/** The parts of a sample line, or null when it is none. Comments and empty lines are the caller's. */
export function splitSampleLine(line: string): SampleLine | null {
  const name = NAME.exec(line)?.[0];
  if (name === undefined) return null;
  let at = name.length;
  const open = skipBlanks(line, at);
  if (line[open] === '{') at = open;
  let labelText = '';
  if (line[at] === '{') {
    const close = closingBrace(line, at + 1);
    if (close < 0) return null;
    labelText = line.slice(at + 1, close);
    at = close + 1;
  }
  const tail = TAIL.exec(line.slice(at, at + 512));
  if (tail === null || line.length > at + 512) return null;
  return { name, labelText, value: tail[1]!, timestamp: tail[2] ?? null };
}

function skipBlanks(line: string, from: number): number {
  let at = from;
  while (line[at] === ' ' || line[at] === '\t') at++;
  return at;
}

/** Index of the brace that ends the labels, or −1. Braces inside quotes do not count. */
function closingBrace(line: string, from: number): number {
  for (let i = from; i < line.length; i++) {
    const c = line.charCodeAt(i);
    if (c === CLOSE) return i;
    if (c === QUOTE) {
      i = closingQuote(line, i + 1);
      if (i < 0) return -1;
    }
  }
  return -1;
}

/** Index of the quote that ends a string, or −1. */
function closingQuote(line: string, from: number): number {
  for (let i = from; i < line.length; i++) {
    const c = line.charCodeAt(i);
    if (c === QUOTE) return i;
    if (c === BACKSLASH) i++;
  }
  return -1;
}

const LABEL_START = /[ \t]*([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"/y;
const LABEL_END = /[ \t]*(?:,[ \t]*|$)/y;
const ESCAPES = /\\(.)/g;

/**
 * Labels of one series, or null when the text is malformed or names a label twice.
 * Escapes: `\\` → `\`, `\"` → `"`, `\n` → line feed; an unknown escape keeps its backslash, as Prometheus does.
 * Example: `gpu="0",path="C:\\dir"` → gpu = 0, path = C:\dir.
 */
export function parseLabels(text: string): Labels | null {
  const labels = new Map<string, string>();
  let at = 0;
  while (at < text.length) {
    LABEL_START.lastIndex = at;
    const start = LABEL_START.exec(text);
    if (start === null) return text.slice(at).trim() === '' ? labels : null;
    const from = LABEL_START.lastIndex;
    const close = closingQuote(text, from);
    if (close < 0 || labels.has(start[1]!)) return null;
    const raw = text.slice(from, close);
    labels.set(start[1]!, raw.includes('\\') ? raw.replace(ESCAPES, unescapeOne) : raw);
    LABEL_END.lastIndex = close + 1;
    if (LABEL_END.exec(text) === null) return null;
    at = LABEL_END.lastIndex;
  }
  return labels;
}

function unescapeOne(whole: string, character: string): string {
  if (character === 'n') return '\n';
  return character === '"' || character === '\\' ? character : whole;
}
