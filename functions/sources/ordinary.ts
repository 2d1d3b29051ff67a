/**
 * The short way for records as a source ordinarily writes them: named fields as byte spans in, columns out, no value made on the way.
 * A reader that meets anything it does not plainly know says no before it writes, and the record takes the way of Source.parse; so the
 * short way decides nothing, and both give the same row (test/fuzz compares them).
 */
import type { ColumnWriter } from '../ports.ts';
import type { SourceContext } from './source.ts';

/** What stands in a field. `other`: an array, a text with escapes or DEL, a number with an exponent or beyond 2^53. */
export const KIND = { absent: 0, null: 1, true: 2, false: 3, number: 4, text: 5, object: 6, other: 7 } as const;

/** The named fields of one record, by their place in OrdinaryWay.fields. */
export interface FieldSpans {
  readonly bytes: Uint8Array;
  readonly kinds: Uint8Array;
  /** Text without its quotes; undefined content for other kinds. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** A number is numbers × 10^−decimals exactly. */
  readonly numbers: Float64Array;
  readonly decimals: Uint8Array;
}

export interface OrdinaryReader {
  /** Writes the row of the record and ends it, or writes nothing and returns false. */
  read(record: FieldSpans, row: ColumnWriter, line: number): boolean;
}

export interface OrdinaryWay {
  /** Dotted paths through objects. */
  readonly fields: readonly string[];
  /** Called after Source.open with the same context, and only when that did not hold. */
  open(context: SourceContext, row: ColumnWriter): OrdinaryReader;
}

/** Finds the places of paths in a list of fields. */
export function placeOf(fields: readonly string[], path: string): number {
  const place = fields.indexOf(path);
  if (place < 0) throw new Error(`invariant broken: ${path} is not among the fields`);
  return place;
}
