/** What gateway access logs share: placeholders for "no value", numbers in quotes, instants in several units, the payer, the HTTP status. */
import { epochMs, epochOrIso, isNumeric } from './epoch.ts';
import { type FieldReader, isObject, type JsonObject } from './fields.ts';
import { atPath } from './options.ts';
import { type Head, kindOf } from './source.ts';
import { ABSENT_USAGE, type TokenColumns } from './token-counts.ts';

/** A value and the path it was found at, to report a fault under. */
export interface Found {
  readonly value: unknown;
  readonly field: string;
}

/** Envoy and nginx print `-` for a variable without a value. */
export function isBlankValue(value: unknown): boolean {
  return value === undefined || value === null || value === '' || value === '-';
}

/** The first path that holds a value; null under the first path's name when none does. */
export function firstAt(record: JsonObject, paths: readonly string[]): Found {
  for (const field of paths) {
    const value = atPath(record, field);
    if (!isBlankValue(value)) return { value, field };
  }
  return { value: null, field: paths[0] ?? '' };
}

/** Text at the first path that holds a value, or null. Errors, remembered in the reader: as FieldReader.text. */
export function textAt(reader: FieldReader, record: JsonObject, paths: readonly string[]): string | null {
  const found = firstAt(record, paths);
  return reader.text(found.value, found.field);
}

const WHOLE_DECIMAL = /^(\d{1,400})\.0+$/;

/**
 * A count that a log template may print as a number, as a double (`12.0`), in quotes or as `-`; null when there is none.
 * Errors, remembered in the reader: as FieldReader.count. Example: '12.0' → 12; '-' → null; '12.5' → not_an_integer.
 */
export function looseCount(reader: FieldReader, value: unknown, field: string): number | null {
  if (isBlankValue(value)) return null;
  return reader.count(typeof value === 'string' ? value.replace(WHOLE_DECIMAL, '$1') : value, field, { text: true });
}

/** looseCount at the first path that holds a value. */
export function countAt(reader: FieldReader, record: JsonObject, paths: readonly string[]): number | null {
  const found = firstAt(record, paths);
  return looseCount(reader, found.value, found.field);
}

/** Below it a number of the accepted years is seconds, from it on milliseconds: the two spans do not meet. */
const FIRST_MS = 100_000_000_000;

/**
 * An instant as ISO 8601 text, epoch seconds or epoch milliseconds; epoch ms, or null with the fault remembered.
 * Example: 1790856000 and 1790856000000.0 → 1790856000000.
 */
export function accessTime(reader: FieldReader, { value, field }: Found, zone: string | null): number | null {
  if (isBlankValue(value)) return reader.fail('missing_field', field, kindOf(value));
  if (!isNumeric(value)) return epochOrIso(reader, value, field, zone);
  const ms = epochMs(value, Number(value) < FIRST_MS ? 's' : 'ms');
  return ms === null ? reader.fail('bad_timestamp', field, kindOf(value)) : reader.instantMs(ms, field);
}

/** HTTP status → success below 400, failure from 400 and for 0 (the caller left first). No status is success: the log then says nothing of failure. */
export function httpStatus(reader: FieldReader, { value, field }: Found): 'success' | 'failure' {
  const code = looseCount(reader, value, field);
  return code === null || (code >= 100 && code < 400) ? 'success' : 'failure';
}

/** For gateways whose counts start at 0: nothing counted at all is absent, because a prompt has at least one token. */
export function zeroIsAbsent(usage: TokenColumns): TokenColumns {
  const { input_uncached_tokens: uncached, input_cache_read_tokens: read, input_cache_write_tokens: write, output_tokens: output } = usage;
  return (uncached ?? 0) + (read ?? 0) + (write ?? 0) + (output ?? 0) === 0 ? ABSENT_USAGE : usage;
}

/** The first record of a head: the first item of a list, or the value itself; null when it is no object. */
export function firstRecord(head: Head): JsonObject | null {
  const first: unknown = Array.isArray(head.json) ? head.json[0] : head.json;
  return isObject(first) ? first : null;
}

/** Log shippers send several records as one JSON list. */
export function listItems(value: unknown): readonly unknown[] | null {
  return Array.isArray(value) ? value : null;
}
