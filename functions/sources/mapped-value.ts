/** One target column of a map: from a foreign cell to a checked value. */
import { type DurationUnit, durationMs, epochMs, type InstantUnit, lacksOffset } from './epoch.ts';
import { type FieldReader, isObject, parseIsoInstant } from './fields.ts';
import type { ColumnSpec, TargetColumn } from './mapped-columns.ts';
import { type Cell, type Convert, countOf, decimalOf, isEmpty, trimmed } from './mapped-number.ts';
import { timePattern } from './mapped-time.ts';
import { kindOf } from './source.ts';

export interface CompiledColumn {
  /** The value, or null when the cell is empty or faulty (a fault is remembered in the reader). */
  read(cell: Cell, reader: FieldReader): string | number | null;
  /** Times without offset are read and no zone is known. */
  readonly needsZone: boolean;
}

/** Prepares a column once for all rows. `zone`: of times without an offset, where the spec names none; null when unknown. */
export function compileColumn(target: string, spec: ColumnSpec, column: TargetColumn, zone: string | null): CompiledColumn {
  const convert = converterOf(spec, column, spec.zone ?? zone);
  const field = spec.column ?? target;
  const fallback = defaultOf(spec, column);
  return {
    needsZone: column.kind === 'instant' && spec.format !== undefined && !patternOf(spec.format).hasOffset && (spec.zone ?? zone) === null,
    read(cell, reader) {
      const found = spec.const === undefined ? extract(cell(field), spec, field, reader) : spec.const;
      if (found === FAULT) return null;
      const value = isEmpty(found) ? fallback.raw : found;
      if (isEmpty(found) && fallback.value !== null) return fallback.value;
      if (isEmpty(value)) return column.notEmpty === true ? reader.fail('missing_field', field, kindOf(found)) : null;
      return convert(value, field, reader, cell);
    },
  };
}

/** A default that is an instant stands for itself; any other stands for the cell. */
function defaultOf(spec: ColumnSpec, column: TargetColumn): { value: number | null; raw: unknown } {
  const text = spec.default === undefined ? null : String(spec.default);
  const instant = column.kind === 'instant' && text !== null ? parseIsoInstant(text, null) : null;
  return { value: instant, raw: text };
}

const FAULT = Symbol('fault');

/** Steps into a cell that holds JSON. An array in the way yields each element's value, flattened. */
function extract(value: unknown, spec: ColumnSpec, field: string, reader: FieldReader): unknown {
  if (spec.json === undefined && spec.index === undefined && spec.length === undefined) return value;
  let inner = value;
  if (typeof value === 'string') {
    if (value.trim() === '') return null;
    try {
      inner = JSON.parse(value);
    } catch {
      reader.fail('invalid_json', field, kindOf(value));
      return FAULT;
    }
  }
  if (isEmpty(inner) && spec.length === undefined) return null;
  for (const step of spec.json?.split('.') ?? []) inner = stepInto(inner, step);
  if (inner === null || inner === undefined) return null;
  if (spec.length === true) return Array.isArray(inner) ? inner.length : wrongType(inner, field, reader);
  if (spec.index === undefined) return inner;
  return Array.isArray(inner) ? inner[spec.index] : wrongType(inner, field, reader);
}

function wrongType(value: unknown, field: string, reader: FieldReader): typeof FAULT {
  reader.fail('wrong_type', field, kindOf(value));
  return FAULT;
}

function stepInto(value: unknown, step: string): unknown {
  if (Array.isArray(value)) return value.flatMap((item) => stepInto(item, step)).filter((item) => item !== undefined);
  return isObject(value) && Object.hasOwn(value, step) ? value[step] : undefined;
}

function converterOf(spec: ColumnSpec, column: TargetColumn, zone: string | null): Convert {
  switch (column.kind) {
    case 'instant':
      return instantOf(spec, zone);
    case 'duration':
      return (value, field, reader) => {
        const ms = durationMs(trimmed(value), (spec.unit ?? 's') as DurationUnit);
        if (ms === null) return reader.fail('wrong_type', field, kindOf(value));
        return ms < 0 ? reader.fail('negative', field, `number ${ms}`) : ms;
      };
    case 'count':
      return countOf(spec);
    case 'decimal':
      return decimalOf(spec, column);
    default:
      return (value, field, reader) => textOf(spec, column, value, field, reader);
  }
}

function textOf(spec: ColumnSpec, column: TargetColumn, value: unknown, field: string, reader: FieldReader): string | null {
  const items = column.kind === 'list' ? (Array.isArray(value) ? value : String(value).split(',')) : [value];
  const texts: string[] = [];
  for (const item of items) {
    // Ids that are numbers are safe here: integers beyond 2^53 arrive as text.
    const plain = typeof item === 'number' || typeof item === 'boolean' ? String(item) : trimmed(item);
    const text = reader.text(typeof plain === 'string' ? (spec.values?.[plain] ?? plain) : plain, field);
    if (text !== null) texts.push(text);
  }
  const text = texts.length === 0 ? null : texts.join(',');
  if (text === null || column.words === undefined || column.words.includes(text)) return text;
  return reader.fail('unknown_state', field, kindOf(text));
}

function patternOf(format: string): Exclude<ReturnType<typeof timePattern>, string> {
  const pattern = timePattern(format);
  if (typeof pattern === 'string') throw new TypeError(`${pattern}: ${format}`);
  return pattern;
}

function instantOf(spec: ColumnSpec, zone: string | null): Convert {
  if (spec.unit !== undefined) {
    const unit = spec.unit as InstantUnit;
    const originMs = spec.origin === undefined ? 0 : (parseIsoInstant(spec.origin, null) ?? 0);
    return (value, field, reader) => {
      const ms = epochMs(trimmed(value), unit);
      return ms === null ? reader.fail('bad_timestamp', field, kindOf(value)) : reader.instantMs(ms + originMs, field);
    };
  }
  const pattern = spec.format === undefined ? null : patternOf(spec.format);
  const wanted = pattern === null ? 'not ISO 8601: the map must say format and zone' : 'not as the format of the map says';
  return (value, field, reader) => {
    const text = trimmed(value);
    if (typeof text !== 'string') return reader.fail('wrong_type', field, kindOf(value));
    if (zone === null && pattern === null && lacksOffset(text)) return reader.fail('bad_timestamp', field, 'no zone');
    const ms = pattern === null ? parseIsoInstant(text, zone) : pattern.parse(text, zone);
    return ms === null ? reader.fail('bad_timestamp', field, `${kindOf(value)}, ${wanted}`) : reader.instantMs(ms, field);
  };
}
