/** What a source is: bytes of one object → candidate rows. Pure: no I/O, no clock, no engine. */
import type { DatasetName } from '../datasets.ts';
import type { OrdinaryWay } from './ordinary.ts';

/**
 * Why a row is refused, in order of precedence: when several apply, the first is reported.
 * The list is closed; `kashi status` and the quarantine view use these words.
 */
export const ROW_REASONS = [
  'line_too_long',
  'invalid_utf8',
  'invalid_json',
  'too_deep',
  'duplicate_key',
  'wrong_shape',
  'missing_field',
  'wrong_type',
  'not_an_integer',
  'integer_out_of_range',
  'negative',
  'out_of_range',
  'sentinel',
  'text_too_long',
  'control_character',
  'bad_timestamp',
  'timestamp_out_of_range',
  'tokens_inconsistent',
  'unknown_state',
  'end_before_start',
  'duplicate_series',
  'empty_key',
] as const;
export type RowReason = (typeof ROW_REASONS)[number];

/** Why a whole object is held, with no row committed. */
export const HOLD_REASONS = [
  'decompression_failed',
  'nested_compression',
  'ratio_exceeded',
  'object_too_large',
  'document_too_large',
  'source_unknown',
  'source_mismatch',
  'zone_missing',
  'header_mismatch',
  'too_many_bad_rows',
] as const;
export type HoldReason = (typeof HOLD_REASONS)[number];

/** A refused row. `found` is a kind, a length or a number, never text of the row. */
export interface Rejection {
  readonly reason: RowReason;
  readonly field: string | null;
  readonly found: string | null;
}

/** The object as a whole cannot be read in this configuration; detected before or while parsing. */
export interface Hold {
  readonly hold: HoldReason;
  readonly detail: string;
}

/** One unit of the line equation ends as exactly one of these. */
export type Outcome = 'valid' | 'blank' | Rejection;

/** A candidate row: dataset column → value. Missing means null. Bigints for integers beyond 2^53; decimals as text. */
export type Row = Readonly<Record<string, string | number | bigint | null>>;

export interface SourceContext {
  /** Site whose machines wrote the object. */
  readonly siteId: string;
  /** IANA zone of timestamps without one; null when none is configured: a source that needs it must hold the object. */
  readonly zone: string | null;
  /** Last-modified instant of the object: the only "now" a parser may know (epoch ms). */
  readonly receivedAtMs: number;
  /** SHA-256 of the decompressed content, hex; for row-number keys. */
  readonly contentId: string;
  /** Options of the matching landing rule in kashi.yaml, validated by the source. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** Where a record lies. Lines count from 1, bytes from 0 in the decompressed object. */
export interface RecordPlace {
  readonly line: number;
  readonly byteStart: number;
  readonly byteEnd: number;
}

export type Emit = (row: Row) => void;

/** Reads the records of one object, in order. */
export interface RecordParser {
  /**
   * `record` is the parsed JSON value (framing json), the message (binary, Uint8Array), a unit of either, the line without its end (framing text) or the cells (framing csv; the header line is a record too).
   * Calls `emit` for each row the record makes, never when it returns a rejection.
   */
  parse(record: unknown, place: RecordPlace, emit: Emit): Outcome;
  /** text only: the short way for a line as it ordinarily stands in bytes [start, end). Null, and nothing done, when the line is for parse. */
  parseBytes?(bytes: Buffer, start: number, end: number, line: number, emit: Emit): Outcome | null;
  /** Rows that needed the whole object (a scrape's lines become one sample). */
  finish?(emit: (row: Row, line: number) => void): void;
}

/** First bytes of an object, decoded leniently, for detection by content. At most 64 KiB. */
export interface Head {
  readonly text: string;
  /** The first complete JSON value: of the first line, or of the whole head when it is one document; undefined when neither parses. */
  readonly json: unknown;
  /** The bytes themselves, for formats that are not text. */
  readonly bytes: Uint8Array;
}

export interface Source {
  readonly name: string;
  readonly fact: Exclude<DatasetName, 'quarantine'>;
  /**
   * json: JSON lines, or one JSON document (pretty-printed or not) of at most limits.documentBytes. Integers beyond 2^53
   * arrive as strings of their digits, so that nothing is lost before fields.ts judges them.
   * text: lines. csv: RFC 4180 records, quoted line ends allowed. binary: one message of at most limits.documentBytes.
   */
  readonly framing: 'json' | 'text' | 'csv' | 'binary';
  /** csv only: the delimiter. */
  readonly delimiter?: string;
  /** True when the bytes are this source's; two sources never both say yes to one object. */
  detect(head: Head): boolean;
  /**
   * json and binary: the units inside one JSON value (a list's items, an OTLP envelope's records) or message (Uint8Array); null or absent
   * when the value itself is the unit, as for a message that cannot be decoded: parse then says why.
   * An empty array makes one blank unit.
   */
  units?(value: unknown): readonly unknown[] | null;
  /**
   * json only: dotted paths of every field that units() and parse() look at; all others need not be made. Absent: all are.
   * A path keeps everything below it.
   */
  readonly fields?: readonly string[];
  /** json only: the short way for ordinary lines; it gives the row that parse gives, or none. */
  readonly ordinary?: OrdinaryWay;
  /** True when no line depends on another, so that threads may read parts of one object side by side. */
  readonly independentLines?: boolean;
  /**
   * Other shapes in which the same source writes the same facts, under the same name and keys (`sacct -P` and `sacct --json`); the one
   * that detects the object reads it. `detect` of the source says yes to all of them.
   */
  readonly shapes?: readonly Source[];
  /** True when keys are made of SourceContext.contentId, which costs one more pass over the object. */
  readonly needsContentId?: boolean;
  /** A Hold when the configuration cannot support this object (no zone, unknown option). */
  open(context: SourceContext): RecordParser | Hold;
}

export function isHold(value: RecordParser | Hold): value is Hold {
  return 'hold' in value;
}

/** Shorthand for a refused row. */
export function reject(reason: RowReason, field: string | null = null, found: string | null = null): Rejection {
  return { reason, field, found };
}

/** The kind of a foreign value, safe to store: never its text. Example: 'ab' → 'string of 2'; 1.5 → 'number 1.5'; null → 'null'. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (value === undefined) return 'absent';
  if (typeof value === 'string') return `string of ${value.length}`;
  if (typeof value === 'number') return `number ${value}`;
  if (typeof value === 'boolean') return `boolean ${value}`;
  return Array.isArray(value) ? `array of ${value.length}` : 'object';
}
