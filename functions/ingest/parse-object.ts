/** The records of one object → rows and refusals. Every physical unit ends as exactly one of valid, quarantined, blank. */
import type { ColumnWriter, StoredRow } from '../ports.ts';
import type { OrdinaryReader } from '../sources/ordinary.ts';
import { type Outcome, type RecordParser, type RecordPlace, type Rejection, reject, type Source } from '../sources/source.ts';
import { splitCsv } from './csv.ts';
import { FieldScanner } from './field-scanner.ts';
import { decodeUtf8, parseGuarded } from './guard.ts';
import type { Limits } from './limits.ts';
import { LineReader, type LineSink } from './lines.ts';
import { compileFields, type Fields, JsonSelector, NOT_PLAIN } from './select-json.ts';

/** physical = valid + quarantined + blank, counted apart: physical by the reader, the rest by outcome. */
export interface LineCounts {
  physical: number;
  valid: number;
  quarantined: number;
  blank: number;
}

export interface RowSink {
  row(row: StoredRow, line: number): void;
  /** `lines`: physical lines of the refused record; more than one for a quoted CSV record. */
  refused(rejection: Rejection, place: RecordPlace, lines: number): void;
}

/** The short way of a source, and where its rows go. */
export interface ShortWay {
  readonly reader: OrdinaryReader;
  readonly columns: ColumnWriter;
}

const BLANK_LINE = /^[ \t]*$/;

/** Feeds one object's records to its parser. Create, push chunks (or document), finish once; then read `counts`. */
export class ObjectParser {
  readonly counts: LineCounts = { physical: 0, valid: 0, quarantined: 0, blank: 0 };
  private readonly source: Source;
  private readonly parser: RecordParser;
  private readonly limits: Limits;
  private readonly sink: RowSink;
  private readonly reader: LineReader;
  private readonly selector = new JsonSelector();
  private readonly fields: Fields | null;
  private readonly short: ShortWay | null;
  private readonly scanner: FieldScanner | null;

  /** Without `short`, or where that declines, every record takes the thorough way: the rows are the same. */
  constructor(source: Source, parser: RecordParser, limits: Limits, sink: RowSink, short: ShortWay | null = null) {
    this.source = source;
    this.parser = parser;
    this.limits = limits;
    this.sink = sink;
    this.fields = compileFields(source.fields);
    this.short = short;
    this.scanner = short === null || source.ordinary === undefined ? null : new FieldScanner(source.ordinary.fields, limits.depth);
    this.reader = new LineReader(limits.lineBytes, source.framing === 'csv' ? (source.delimiter ?? ',') : null, this.lineSink());
  }

  push(chunk: Uint8Array): void {
    this.reader.push(chunk);
  }

  /** Whole lines that begin at this line and offset; between blocks there may be gaps, which others read. */
  block(bytes: Uint8Array, line: number, byteStart: number): void {
    this.reader.seek(line, byteStart);
    this.reader.push(bytes);
  }

  /** One line that is longer than allowed and was not kept. */
  tooLong(line: number, byteStart: number, byteEnd: number): void {
    this.counts.physical++;
    this.count(reject('line_too_long', null, `${byteEnd - byteStart} bytes`), { line, byteStart, byteEnd }, 1);
  }

  /** One whole JSON document or binary message; its units count instead of its lines. */
  document(bytes: Uint8Array): void {
    if (this.source.framing === 'binary') {
      this.value(bytes, { line: 1, byteStart: 0, byteEnd: bytes.length }, true);
      return;
    }
    const parsed = parseGuarded(bytes, 0, bytes.length, this.limits.depth);
    const place = { line: 1, byteStart: 0, byteEnd: bytes.length };
    if ('reason' in parsed) {
      this.counts.physical++;
      this.count(reject(parsed.reason), place, 1);
    } else this.value(parsed.value, place, true);
  }

  finish(): void {
    this.reader.end();
    this.parser.finish?.((row, line) => this.sink.row(row, line));
    this.release();
  }

  /** What is held for reading is for others to use. Part of finish. */
  release(): void {
    this.scanner?.release();
  }

  private lineSink(): LineSink {
    return {
      record: (bytes, start, end, line, lines, byteStart) => {
        if (this.parser.parseBytes !== undefined && this.shortLine(bytes, start, end, line, byteStart)) return;
        if (this.short !== null && this.scanner !== null && this.shortWay(this.short, this.scanner, bytes, start, end, line)) return;
        this.record(bytes, start, end, lines, { line, byteStart, byteEnd: byteStart + (end - start) });
      },
      tooLong: (line, byteStart, byteEnd) => this.tooLong(line, byteStart, byteEnd),
    };
  }

  private shortWay(
    { reader, columns }: ShortWay,
    scanner: FieldScanner,
    bytes: Uint8Array,
    start: number,
    end: number,
    line: number,
  ): boolean {
    if (!scanner.scan(bytes, start, end) || !reader.read(scanner.spans, columns, line)) return false;
    this.counts.physical++;
    this.counts.valid++;
    return true;
  }

  private shortLine(bytes: Uint8Array, start: number, end: number, line: number, byteStart: number): boolean {
    const outcome = this.parser.parseBytes?.(asBuffer(bytes), start, end, line, (row) => this.sink.row(row, line)) ?? null;
    if (outcome === null) return false;
    this.counts.physical++;
    if (outcome === 'valid') this.counts.valid++;
    else if (outcome === 'blank') this.counts.blank++;
    else this.count(outcome, { line, byteStart, byteEnd: byteStart + (end - start) }, 1);
    return true;
  }

  private record(bytes: Uint8Array, start: number, end: number, lines: number, place: RecordPlace): void {
    if (this.source.framing === 'json') {
      if (isBlank(bytes, start, end)) {
        this.counts.physical += lines;
        this.count('blank', place, lines);
        return;
      }
      this.jsonLine(bytes, start, end, lines, place);
      return;
    }
    this.counts.physical += lines;
    const text = decodeUtf8(bytes, start, end);
    if (text === null) this.count(reject('invalid_utf8'), place, lines);
    else if (BLANK_LINE.test(text)) this.count('blank', place, lines);
    else if (this.source.framing === 'text') this.unit(text, place, lines);
    else {
      const cells = splitCsv(text, this.source.delimiter ?? ',');
      if (cells === null) this.count(reject('wrong_shape', null, 'unbalanced quotes'), place, lines);
      else this.unit(cells, place, lines);
    }
  }

  /** Plain text takes the one-pass reader; the thorough one decides about the rest, so both agree on every line. */
  private jsonLine(bytes: Uint8Array, start: number, end: number, lines: number, place: RecordPlace): void {
    const value = this.selector.parse(asBuffer(bytes), start, end, this.limits.depth, this.fields);
    if (value !== NOT_PLAIN) {
      this.value(value, place, false);
      return;
    }
    const parsed = parseGuarded(bytes, start, end, this.limits.depth);
    if ('value' in parsed) this.value(parsed.value, place, false);
    else {
      this.counts.physical += lines;
      this.count(reject(parsed.reason), place, lines);
    }
  }

  /** A JSON value that may carry several units; inside a document the unit's number stands for its line. */
  private value(value: unknown, place: RecordPlace, inDocument: boolean): void {
    const units = this.source.units?.(value) ?? null;
    if (units === null || units.length === 0) {
      this.counts.physical++;
      if (units === null) this.unit(value, place, 1);
      else this.count('blank', place, 1);
      return;
    }
    this.counts.physical += units.length;
    units.forEach((unit, index) => {
      this.unit(unit, inDocument ? { ...place, line: index + 1 } : place, 1);
    });
  }

  private unit(record: unknown, place: RecordPlace, lines: number): void {
    this.count(
      this.parser.parse(record, place, (row) => this.sink.row(row, place.line)),
      place,
      lines,
    );
  }

  private count(outcome: Outcome, place: RecordPlace, lines: number): void {
    if (outcome === 'valid') this.counts.valid += lines;
    else if (outcome === 'blank') this.counts.blank += lines;
    else {
      this.counts.quarantined += lines;
      this.sink.refused(outcome, place, lines);
    }
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

function isBlank(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    const b = bytes[i]!;
    if (b !== 0x20 && b !== 0x09 && b !== 0x0d) return false;
  }
  return true;
}
