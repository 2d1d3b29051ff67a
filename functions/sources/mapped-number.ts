/** Numbers in foreign cells, exact: text → fraction → text. */
import { Rational } from '../domain/money.ts';
import type { FieldReader } from './fields.ts';
import type { ColumnSpec, TargetColumn } from './mapped-columns.ts';
import { kindOf } from './source.ts';

/** Value of a named column of the current record: text (csv) or any JSON value (jsonl); undefined when it has none. */
export type Cell = (column: string) => unknown;

/** Reads one non-empty value; a fault is remembered in the reader. */
export type Convert = (value: unknown, field: string, reader: FieldReader, cell: Cell) => string | number | null;

/** True for what a log writes where it has no value. */
export function isEmpty(value: unknown): boolean {
  return (
    value === undefined ||
    value === null ||
    (typeof value === 'string' && value.trim() === '') ||
    (Array.isArray(value) && value.length === 0)
  );
}

/** Text without surrounding spaces; anything else as it is. */
export function trimmed(value: unknown): unknown {
  return typeof value === 'string' ? value.trim() : value;
}

const WHOLE = /^\d{1,15}$/;

/** A whole, non-negative number; scaled and multiplied exactly first. `63.0` is 63. */
export function countOf(spec: ColumnSpec): Convert {
  const multiply = multiplier(spec);
  return (value, field, reader, cell) => {
    const text = trimmed(value);
    if (multiply === null && typeof text === 'string' && WHOLE.test(text)) return Number(text);
    if (multiply === null && typeof text === 'number' && Number.isSafeInteger(text) && text >= 0) return text;
    const exact = multiplied(multiply, text, field, reader, cell);
    if (exact === null) return null;
    if (exact.d !== 1n) return reader.fail('not_an_integer', field, kindOf(value));
    if (exact.n < 0n) return reader.fail('negative', field, kindOf(value));
    const n = Number(exact.n);
    return Number.isSafeInteger(n) ? n : reader.fail('integer_out_of_range', field, kindOf(value));
  };
}

/** A non-negative decimal as text, rounded half up to the column's scale. Example: 2 × 460 × 0.001 → '0.920000'. */
export function decimalOf(spec: ColumnSpec, column: TargetColumn): Convert {
  const multiply = multiplier(spec);
  const max = Rational.of(column.max ?? 1);
  return (value, field, reader, cell) => {
    const exact = multiplied(multiply, trimmed(value), field, reader, cell);
    if (exact === null) return null;
    if (exact.n < 0n) return reader.fail('negative', field, kindOf(value));
    return exact.compare(max) > 0 ? reader.fail('out_of_range', field, kindOf(value)) : exact.toFixed(column.scale ?? 0);
  };
}

type Multiplier = (cell: Cell, reader: FieldReader) => Rational | null;

/** The scale and the second column, or null when the value stands alone. */
function multiplier(spec: ColumnSpec): Multiplier | null {
  const { times } = spec;
  if (spec.scale === undefined && times === undefined) return null;
  const scale = Rational.of(spec.scale ?? 1).multiply(Rational.of(times?.scale ?? 1));
  if (times === undefined) return () => scale;
  return (cell, reader) => {
    const value = cell(times.column);
    if (isEmpty(value)) return reader.fail('missing_field', times.column, kindOf(value));
    const factor = exactOf(trimmed(value));
    return factor === null ? reader.fail('wrong_type', times.column, kindOf(value)) : factor.multiply(scale);
  };
}

function multiplied(multiply: Multiplier | null, value: unknown, field: string, reader: FieldReader, cell: Cell): Rational | null {
  const exact = exactOf(value);
  if (exact === null) return reader.fail('wrong_type', field, kindOf(value));
  if (multiply === null) return exact;
  const factor = multiply(cell, reader);
  return factor === null ? null : exact.multiply(factor);
}

const DECIMAL = /^([+-]?)(\d{0,40})(?:\.(\d{0,40}))?([eE][+-]?\d{1,2})?$/;

/** Exact value of a number or its text, also in the forms `.5` and `63.`; null for anything else. */
function exactOf(value: unknown): Rational | null {
  if (typeof value !== 'number' && typeof value !== 'string') return null;
  const match = DECIMAL.exec(String(value));
  if (match === null) return null;
  const [, sign = '', whole = '', fraction = '', exponent = ''] = match;
  if (whole === '' && fraction === '') return null;
  return Rational.of(`${sign}${whole || '0'}${fraction === '' ? '' : `.${fraction}`}${exponent}`);
}
