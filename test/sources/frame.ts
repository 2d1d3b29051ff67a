/** Cuts fixture text into the records a source expects: a small, slow stand-in for the ingest stage's framing. */
import type { Emit, Head, Hold, RecordPlace, Rejection, Row, Source, SourceContext } from '../../functions/sources/source.ts';
import { isHold } from '../../functions/sources/source.ts';

/** What the fixtures state: rows in order, and where every unit went. */
export interface SourceResult {
  readonly rows: readonly Row[];
  readonly outcomes: {
    readonly valid: number;
    readonly blank: number;
    readonly quarantined: readonly { readonly line: number; readonly reason: string; readonly field: string | null }[];
  };
}

interface Framed {
  readonly line: number;
  /** Undefined for a line that holds nothing; a Rejection for one that no parser can be given. */
  readonly record: unknown;
  readonly refused?: Rejection['reason'];
}

/** As the ingest stage does: integers beyond 2^53 become the text of their digits. */
function parseJson(text: string): unknown {
  const reviver = (_key: string, value: unknown, context?: { source?: string }): unknown =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? '') ? context?.source : value;
  return JSON.parse(text, reviver as (key: string, value: unknown) => unknown);
}

function tryJson(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

/** The head of a fixture for detection. */
export function headOf(input: string | Uint8Array): Head {
  if (typeof input !== 'string') {
    const bytes = input.subarray(0, 65_536);
    return { text: new TextDecoder().decode(bytes), json: undefined, bytes };
  }
  const head = input.slice(0, 65_536);
  const first = tryJson(head.split('\n').find((line) => line.trim() !== '') ?? '');
  return { text: head, json: first === undefined ? tryJson(head) : first, bytes: new TextEncoder().encode(head) };
}

function* framed(source: Source, input: string | Uint8Array): Generator<Framed> {
  if (typeof input !== 'string') {
    const units = source.units?.(input) ?? [input];
    if (units.length === 0) yield { line: 1, record: undefined };
    for (const [index, unit] of units.entries()) yield { line: index + 1, record: unit };
    return;
  }
  const text = input;
  if (source.framing === 'csv') return yield* csvRecords(text, source.delimiter ?? ',');
  const lines = text.replace(/\n$/, '').split('\n');
  if (source.framing === 'text') {
    for (const [index, line] of lines.entries())
      yield { line: index + 1, record: line.trim() === '' ? undefined : line.replace(/\r$/, '') };
    return;
  }
  const firstLine = lines.findIndex((line) => line.trim() !== '');
  if (tryJson(lines[firstLine] ?? '') === undefined && tryJson(text) !== undefined) {
    const value = parseJson(text);
    const units = source.units?.(value) ?? [value];
    if (units.length === 0) yield { line: 1, record: undefined };
    for (const [index, unit] of units.entries()) yield { line: index + 1, record: unit };
    return;
  }
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') {
      yield { line: index + 1, record: undefined };
      continue;
    }
    const value = tryJson(line);
    if (value === undefined) {
      yield { line: index + 1, record: null, refused: 'invalid_json' };
      continue;
    }
    const units = source.units?.(value) ?? [value];
    if (units.length === 0) yield { line: index + 1, record: undefined };
    for (const unit of units) yield { line: index + 1, record: unit };
  }
}

/** RFC 4180: quoted cells, doubled quotes, line ends inside quotes. `line` is where the record starts. */
function* csvRecords(text: string, delimiter: string): Generator<Framed> {
  let cells: string[] = [];
  let cell = '';
  let quoted = false;
  let line = 1;
  let start = 1;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char === '\n') line += 1;
    if (quoted) {
      if (char !== '"') cell += char;
      else if (text[i + 1] === '"') cell += text[++i];
      else quoted = false;
    } else if (char === '"') quoted = true;
    else if (char === delimiter) {
      cells.push(cell);
      cell = '';
    } else if (char === '\n') {
      cells.push(cell.replace(/\r$/, ''));
      yield { line: start, record: cells };
      cells = [];
      cell = '';
      start = line;
    } else cell += char;
  }
  if (cell !== '' || cells.length > 0) yield { line: start, record: [...cells, cell] };
}

/** Runs one fixture through a source. Rows of `finish` follow those of the records. */
export function runSource(source: Source, input: string | Uint8Array, context: SourceContext): SourceResult | Hold {
  const parser = source.open(context);
  if (isHold(parser)) return parser;
  const rows: Row[] = [];
  const quarantined: SourceResult['outcomes']['quarantined'][number][] = [];
  let valid = 0;
  let blank = 0;
  for (const { line, record, refused } of framed(source, input)) {
    const place: RecordPlace = { line, byteStart: 0, byteEnd: 0 };
    const before = rows.length;
    const emit: Emit = (row) => rows.push(row);
    const outcome =
      refused !== undefined ? { reason: refused, field: null } : record === undefined ? 'blank' : parser.parse(record, place, emit);
    if (outcome === 'valid') valid += 1;
    else if (outcome === 'blank') blank += 1;
    else {
      if (rows.length !== before) throw new Error(`line ${line}: a refused record emitted a row`);
      quarantined.push({ line, reason: outcome.reason, field: outcome.field });
    }
  }
  parser.finish?.((row) => rows.push(row));
  return { rows, outcomes: { valid, blank, quarantined } };
}
