/** Numbers that are instants or durations: read as decimal text and scaled exactly, because 1737710446.847 × 1000 in doubles loses a millisecond. */
import type { FieldReader } from './fields.ts';
import { kindOf } from './source.ts';

const DECIMAL = /^([+-]?)(\d{1,30})(?:\.(\d{0,30}))?(?:[eE]([+-]?\d{1,2}))?$/;

/** Milliseconds in one unit as a power of ten, or null for units that are not one. */
const MS_EXPONENT = { s: 3, ms: 0, us: -3, ns: -6 } as const;
export type InstantUnit = keyof typeof MS_EXPONENT;

/** Milliseconds in one unit. */
const UNIT_MS = { ms: 1n, s: 1_000n, m: 60_000n, h: 3_600_000n, d: 86_400_000n } as const;
export type DurationUnit = keyof typeof UNIT_MS;

/** A decimal as digits × 10^exponent, or null when the value is no number in plain or exponent form. */
function decimalParts(value: unknown): { digits: bigint; exponent: number } | null {
  if (typeof value !== 'number' && typeof value !== 'string') return null;
  const match = DECIMAL.exec(String(value));
  if (match === null) return null;
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  return { digits: BigInt(`${sign === '-' ? '-' : ''}${whole}${fraction}`), exponent: Number(exponent) - fraction.length };
}

/** digits × 10^exponent cut toward minus infinity; null beyond safe integers. */
function floorScaled(digits: bigint, exponent: number): number | null {
  if (exponent >= 0) return safe(digits * 10n ** BigInt(exponent));
  const divisor = 10n ** BigInt(-exponent);
  const quotient = digits / divisor;
  return safe(digits < 0n && digits % divisor !== 0n ? quotient - 1n : quotient);
}

function safe(value: bigint): number | null {
  const n = Number(value);
  return Number.isSafeInteger(n) ? n : null;
}

/**
 * A count of `unit` since an epoch → whole milliseconds, cut down. Null when it is no number or beyond 2^53 ms.
 * Example: (1737710446.847371, 's') → 1737710446847; ('1544712660000000000', 'ns') → 1544712660000.
 */
export function epochMs(value: unknown, unit: InstantUnit): number | null {
  if (unit === 'ms' && typeof value === 'number' && Number.isSafeInteger(value)) return value;
  const parts = decimalParts(value);
  return parts === null ? null : floorScaled(parts.digits, parts.exponent + MS_EXPONENT[unit]);
}

/** As epochMs, in microseconds: for keys that need the finer digits. Example: (1737710446.847371, 's') → 1737710446847371. */
export function epochMicros(value: unknown, unit: InstantUnit): number | null {
  const parts = decimalParts(value);
  return parts === null ? null : floorScaled(parts.digits, parts.exponent + MS_EXPONENT[unit] + 3);
}

/** A length of time → whole milliseconds, cut down. Null when it is no number. Example: ('1.5', 'h') → 5400000. */
export function durationMs(value: unknown, unit: DurationUnit): number | null {
  const parts = decimalParts(value);
  return parts === null ? null : floorScaled(parts.digits * UNIT_MS[unit], parts.exponent);
}

/** True for a number or the text of one: `1737710446.8`, `'1737710446.8'`. */
export function isNumeric(value: unknown): boolean {
  return typeof value === 'number' || (typeof value === 'string' && DECIMAL.test(value));
}

/**
 * An instant that may be epoch seconds (number or numeric text) or ISO 8601 text; epoch ms, or null with the fault remembered.
 * Text without an offset is local time of `zone`; without a zone it is `bad_timestamp`, found 'no zone'.
 */
export function epochOrIso(reader: FieldReader, value: unknown, field: string, zone: string | null): number | null {
  if (isNumeric(value)) {
    const ms = epochMs(value, 's');
    return ms === null ? reader.fail('bad_timestamp', field, kindOf(value)) : reader.instantMs(ms, field);
  }
  if (zone === null && lacksOffset(value)) return reader.fail('bad_timestamp', field, 'no zone');
  return reader.isoInstant(value, field, zone);
}

const LOCAL_TIME = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:[.,]\d{1,9})?$/;

/** True for ISO text that names no offset. Example: '2025-01-24 09:20:46' → true; '2025-01-24T09:20:46Z' → false. */
export function lacksOffset(value: unknown): boolean {
  return typeof value === 'string' && LOCAL_TIME.test(value);
}
