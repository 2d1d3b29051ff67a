/**
 * The slow, obvious reading of one object, to compare ingest with: cuts lines itself, gives every JSON line to the thorough scan only,
 * keeps all fields, knows nothing of chunks, blocks, threads or spools.
 */
import { splitCsv } from '../../functions/ingest/csv.ts';
import { decodeUtf8, parseGuarded } from '../../functions/ingest/guard.ts';
import type { Limits } from '../../functions/ingest/limits.ts';
import {
  isHold,
  type Outcome,
  type RecordPlace,
  type Rejection,
  type Row,
  reject,
  type Source,
  type SourceContext,
} from '../../functions/sources/source.ts';

export interface Read {
  readonly counts: { physical: number; valid: number; quarantined: number; blank: number };
  readonly rows: { readonly line: number; readonly row: Row }[];
  readonly refusals: (Rejection & RecordPlace)[];
}

interface Line {
  readonly bytes: Buffer;
  readonly line: number;
  readonly lines: number;
  readonly byteStart: number;
  /** Length without the line end, a carriage return included. */
  readonly length: number;
}

const MARK = Buffer.from([0xef, 0xbb, 0xbf]);
const QUOTED_RECORD_BYTES = 256 * 1024;

/** `document`: the object is one JSON document, as the first look at it said. `bytes`: decompressed. */
export function referenceRead(source: Source, context: SourceContext, limits: Limits, bytes: Buffer, document: boolean): Read {
  const parser = source.open(context);
  if (isHold(parser)) throw new Error(`the sample is held: ${parser.hold}`);
  const read: Read = { counts: { physical: 0, valid: 0, quarantined: 0, blank: 0 }, rows: [], refusals: [] };
  const { counts } = read;
  const ends = (outcome: Outcome, place: RecordPlace, lines: number): void => {
    counts.physical += lines;
    if (typeof outcome === 'string') counts[outcome] += lines;
    else {
      counts.quarantined += lines;
      read.refusals.push({ ...outcome, ...place });
    }
  };
  const unit = (record: unknown, place: RecordPlace, lines: number): void =>
    ends(
      parser.parse(record, place, (row) => void read.rows.push({ line: place.line, row: row as Row })),
      place,
      lines,
    );
  const value = (json: unknown, place: RecordPlace, numbered: boolean): void => {
    const units = source.units?.(json) ?? [json];
    if (units.length === 0) ends('blank', place, 1);
    for (const [index, one] of units.entries()) unit(one, numbered ? { ...place, line: index + 1 } : place, 1);
  };
  const json = (from: Buffer, place: RecordPlace, lines: number, numbered: boolean): void => {
    const parsed = parseGuarded(from, 0, from.length, limits.depth);
    if ('reason' in parsed) ends(reject(parsed.reason), place, lines);
    else value(parsed.value, place, numbered);
  };

  if (document) json(withoutMark(bytes), { line: 1, byteStart: 0, byteEnd: withoutMark(bytes).length }, 1, true);
  else if (source.framing === 'binary') value(new Uint8Array(bytes), { line: 1, byteStart: 0, byteEnd: bytes.length }, true);
  else {
    const delimiter = source.framing === 'csv' ? (source.delimiter ?? ',') : null;
    for (const { bytes: own, line, lines, byteStart, length } of recordsOf(bytes, delimiter, limits)) {
      const place = { line, byteStart, byteEnd: byteStart + own.length };
      const text = decodeUtf8(own, 0, own.length);
      if (length > limits.lineBytes) ends(reject('line_too_long', null, `${length} bytes`), { ...place, byteEnd: byteStart + length }, 1);
      else if (source.framing === 'json') {
        if (/^[ \t\r]*$/.test(own.toString('latin1'))) ends('blank', place, lines);
        else json(own, place, lines, false);
      } else if (text === null) ends(reject('invalid_utf8'), place, lines);
      else if (/^[ \t]*$/.test(text)) ends('blank', place, lines);
      else if (delimiter === null) unit(text, place, lines);
      else {
        const cells = splitCsv(text, delimiter);
        if (cells === null) ends(reject('wrong_shape', null, 'unbalanced quotes'), place, lines);
        else unit(cells, place, lines);
      }
    }
  }
  parser.finish?.((row, line) => void read.rows.push({ line, row }));
  return read;
}

function withoutMark(bytes: Buffer): Buffer {
  return bytes.subarray(0, 3).equals(MARK) ? bytes.subarray(3) : bytes;
}

function* recordsOf(bytes: Buffer, delimiter: string | null, limits: Limits): Generator<Line> {
  const mark = bytes.length - withoutMark(bytes).length;
  const text = bytes.toString('latin1', mark);
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  let byteStart = mark;
  for (let at = 0; at < lines.length; ) {
    const together = delimiter === null ? 1 : linesOfRecord(lines, at, delimiter, Math.min(QUOTED_RECORD_BYTES, limits.lineBytes));
    const own = lines.slice(at, at + together).join('\n');
    const trimmed = own.endsWith('\r') ? own.slice(0, -1) : own;
    yield { bytes: Buffer.from(trimmed, 'latin1'), line: at + 1, lines: together, byteStart, length: own.length };
    byteStart += own.length + 1;
    at += together;
  }
}

/** How many lines from `at` on make one CSV record: the fewest whose quotes balance, or one alone. */
function linesOfRecord(lines: readonly string[], at: number, delimiter: string, most: number): number {
  if (!lines[at]!.includes('"')) return 1;
  let text = '';
  for (let end = at; end < lines.length; end++) {
    text += (end === at ? '' : '\n') + lines[end]!;
    if (text.length > most) return 1;
    if (splitCsv(text.endsWith('\r') ? text.slice(0, -1) : text, Buffer.from(delimiter).toString('latin1')) !== null) return end - at + 1;
  }
  return 1;
}
