/**
 * Typed reading of foreign values. Every reader returns the value or null and remembers the first fault, so a parser
 * reads all fields in a row and asks once: `if (f.rejection) return f.rejection`.
 */
import { DateTime, IANAZone } from 'luxon';
import { kindOf, type Rejection, ROW_REASONS, type RowReason } from './source.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

/** Longest text kept in a stored column; ids and names are far below it. */
export const MAX_TEXT = 512;

/** Instants outside are refused: 2000-01-01 to 2100-01-01 UTC. */
export const MIN_INSTANT_MS = 946_684_800_000;
export const MAX_INSTANT_MS = 4_102_444_800_000;

// biome-ignore lint/suspicious/noControlCharactersInRegex: finding control characters is the point
const CONTROL = /[\u0000-\u001f\u007f]/;
const INTEGER = /^-?\d{1,400}$/;
const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?$/;
const RFC3339 = /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:[.,](\d{1,9}))?([Zz]|[+-]\d{2}:?\d{2})?$/;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Child object, or null when absent, null or another type. */
export function child(value: unknown, name: string): JsonObject | null {
  if (!isObject(value)) return null;
  const inner = value[name];
  return isObject(inner) ? inner : null;
}

export interface NumberRule {
  readonly required?: boolean;
  /** Accept a string of digits too (CSV, OTLP, gateways that quote numbers). */
  readonly text?: boolean;
}

export class FieldReader {
  rejection: Rejection | null = null;

  /** Remembers a fault; the one earliest in ROW_REASONS wins, and the first read among equals. */
  fail(reason: RowReason, field: string, found: string | null = null): null {
    if (this.rejection === null || ROW_REASONS.indexOf(reason) < ROW_REASONS.indexOf(this.rejection.reason)) {
      this.rejection = { reason, field, found };
    }
    return null;
  }

  /** Absent, null and '' give null (a fault when required). Numbers and booleans are refused: an id that is a number has lost digits. */
  text(value: unknown, field: string, required = false): string | null {
    if (value === undefined || value === null || value === '') {
      return required ? this.fail('missing_field', field, kindOf(value)) : null;
    }
    if (typeof value !== 'string') return this.fail('wrong_type', field, kindOf(value));
    if (value.length > MAX_TEXT) return this.fail('text_too_long', field, kindOf(value));
    // Half a surrogate pair has no UTF-8: stored, different ids would become the same.
    if (!value.isWellFormed()) return this.fail('invalid_utf8', field, kindOf(value));
    if (CONTROL.test(value)) return this.fail('control_character', field, kindOf(value));
    return value;
  }

  /** A count: integer, 0 ≤ n ≤ 2^53 − 1. JSON's `1.0` and `1e3` are the integers they equal; as text they are none. A boolean is a wrong type. */
  count(value: unknown, field: string, rule: NumberRule = {}): number | null {
    if (value === undefined || value === null || (rule.text === true && value === '')) {
      return rule.required === true ? this.fail('missing_field', field, kindOf(value)) : null;
    }
    let n: number;
    if (typeof value === 'number') n = value;
    else if (typeof value === 'string' && INTEGER.test(value)) {
      // Integers beyond 2^53 always arrive as text (functions/ingest/guard.ts), so this is a range fault even where text is not allowed.
      n = Number(value);
      if (!Number.isSafeInteger(n)) return this.fail('integer_out_of_range', field, kindOf(value));
      if (rule.text !== true) return this.fail('wrong_type', field, kindOf(value));
    } else return this.fail(rule.text === true && typeof value === 'string' ? 'not_an_integer' : 'wrong_type', field, kindOf(value));
    if (!Number.isInteger(n)) return this.fail('not_an_integer', field, kindOf(value));
    if (!Number.isSafeInteger(n)) return this.fail('integer_out_of_range', field, kindOf(value));
    if (n < 0) return this.fail('negative', field, kindOf(value));
    return n;
  }

  /**
   * A non-negative decimal as text with at most `scale` decimals (further digits rounded half up), exponent form resolved.
   * NaN and infinities are refused. Example: (0.9953333333333332, 9) → '0.995333333'.
   */
  decimal(value: unknown, field: string, scale: number, max: number, rule: NumberRule = {}): string | null {
    if (value === undefined || value === null || value === '') {
      return rule.required === true ? this.fail('missing_field', field, kindOf(value)) : null;
    }
    if (typeof value !== 'number' && typeof value !== 'string') return this.fail('wrong_type', field, kindOf(value));
    const text = typeof value === 'number' ? String(value) : value;
    if (!DECIMAL.test(text)) return this.fail('wrong_type', field, kindOf(value));
    const n = Number(text);
    if (n < 0) return this.fail('negative', field, kindOf(n));
    if (!(n <= max)) return this.fail('out_of_range', field, kindOf(n));
    // What is left of a sign is that of −0, which is 0.
    return roundDecimalText(text.replace(/^-/, ''), scale);
  }

  /** Epoch ms inside the accepted span, or a fault. */
  instantMs(ms: number, field: string): number | null {
    if (!Number.isFinite(ms)) return this.fail('bad_timestamp', field, null);
    const whole = Math.trunc(ms);
    return whole < MIN_INSTANT_MS || whole >= MAX_INSTANT_MS ? this.fail('timestamp_out_of_range', field, String(whole)) : whole;
  }

  /**
   * An RFC 3339 / ISO 8601 instant, `T` or space between date and time, up to 9 fraction digits (cut to ms).
   * Without an offset the text is local time of `zone`; zone null makes it a bad timestamp.
   * A local time that the zone skips is refused; one that occurs twice is the earlier.
   */
  isoInstant(value: unknown, field: string, zone: string | null, required = true): number | null {
    if (value === undefined || value === null || value === '') {
      return required ? this.fail('missing_field', field, kindOf(value)) : null;
    }
    if (typeof value !== 'string') return this.fail('wrong_type', field, kindOf(value));
    const ms = parseIsoInstant(value, zone);
    return ms === null ? this.fail('bad_timestamp', field, kindOf(value)) : this.instantMs(ms, field);
  }
}

/** Epoch ms of an ISO instant or null. See FieldReader.isoInstant. A leap second 23:59:60 counts as 23:59:59.999. */
export function parseIsoInstant(text: string, zone: string | null): number | null {
  const match = RFC3339.exec(text);
  if (match === null) return null;
  const [, year, month, day, hour, minute, secondText, fraction = '', offset] = match;
  const leap = secondText === '60';
  const ms = leap ? 999 : Number(fraction.padEnd(3, '0').slice(0, 3));
  const parts = [year, month, day, hour, minute, leap ? '59' : secondText].map(Number) as [number, number, number, number, number, number];
  if (offset === undefined) return zone === null ? null : localInstant(parts, ms, zone);
  const utc = utcInstant(parts, ms);
  if (utc === null || offset === 'Z' || offset === 'z') return utc;
  const digits = offset.slice(1).replace(':', '');
  const minutes = Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2));
  return utc - (offset.startsWith('-') ? -minutes : minutes) * 60_000;
}

type DateParts = [year: number, month: number, day: number, hour: number, minute: number, second: number];

function utcInstant([year, month, day, hour, minute, second]: DateParts, ms: number): number | null {
  const utc = Date.UTC(year, month - 1, day, hour, minute, second, ms);
  const back = new Date(utc);
  const same = back.getUTCMonth() === month - 1 && back.getUTCDate() === day && hour < 24 && minute < 60 && second < 60;
  return same ? utc : null;
}

const OFFSET_CACHE = new Map<string, number>();

/** Local wall time → instant. Cached per zone and hour, because zone rules change on the hour (or quarter) and logs repeat hours. */
function localInstant(parts: DateParts, ms: number, zone: string): number | null {
  const asUtc = utcInstant(parts, ms);
  if (asUtc === null) return null;
  const quarter = Math.floor(asUtc / 900_000);
  const key = `${zone}|${quarter}`;
  let offset = OFFSET_CACHE.get(key);
  if (offset === undefined) {
    const [year, month, day, hour, minute] = parts;
    const local = DateTime.fromObject({ year, month, day, hour, minute: minute - (minute % 15) }, { zone });
    // Luxon moves a skipped wall time forward; then the wall time it shows differs from the one asked for.
    if (!local.isValid || local.hour !== hour) return null;
    const earlier = local.getPossibleOffsets()[0] ?? local;
    offset = earlier.offset * 60_000;
    if (OFFSET_CACHE.size > 50_000) OFFSET_CACHE.clear();
    OFFSET_CACHE.set(key, offset);
  }
  return asUtc - offset;
}

export function isZone(zone: string): boolean {
  return IANAZone.isValidZone(zone);
}

/** Decimal text rounded half up to `scale` digits, plain notation. The value must be non-negative and match a decimal. Example: ('1.5e-7', 6) → '0.000000'. */
export function roundDecimalText(text: string, scale: number): string {
  const [mantissa = '0', exponentText] = text.replace(/^\+/, '').split(/[eE]/);
  const [whole = '0', fraction = ''] = mantissa.split('.');
  const exponent = exponentText === undefined ? 0 : Number(exponentText);
  if (exponent === 0 && fraction.length <= scale) return fraction === '' ? whole || '0' : `${whole || '0'}.${fraction}`;
  const digits = BigInt(whole + fraction || '0');
  const shift = exponent - fraction.length + scale;
  if (shift >= 0) return scaledText(digits * 10n ** BigInt(shift), scale);
  const divisor = 10n ** BigInt(-shift);
  return scaledText((2n * digits + divisor) / (2n * divisor), scale);
}

function scaledText(scaled: bigint, scale: number): string {
  const digits = scaled.toString().padStart(scale + 1, '0');
  return scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}
