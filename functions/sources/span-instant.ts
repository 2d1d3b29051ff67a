/** Instants in byte spans, as epochOrIso reads them from values; whatever is not plain is left to that. */
import { MAX_INSTANT_MS, MIN_INSTANT_MS, parseIsoInstant } from './fields.ts';
import { type FieldSpans, KIND } from './ordinary.ts';

const POWERS = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000];
const QUARTER_MS = 900_000;

/** Reads one field of record after record; the caches pay because logs go forward in time. */
export class SpanInstant {
  /** Of the last instant read: epoch ms, and microseconds beyond it. */
  ms = 0;
  micros = 0;
  private readonly zone: string | null;
  private date = -1;
  private dateMs = 0;
  private quarter = -1;
  private offsetMs = 0;

  constructor(zone: string | null) {
    this.zone = zone;
  }

  /** Epoch seconds, or ISO 8601; false when this is for the thorough way. */
  read(record: FieldSpans, field: number): boolean {
    const kind = record.kinds[field];
    if (kind === KIND.number) return this.seconds(record.numbers[field]!, record.decimals[field]!);
    return kind === KIND.text && this.iso(record.bytes, record.starts[field]!, record.ends[field]!);
  }

  /** Up to 6 decimals below 2^33 s, the text of a number is the shortest that means it, so digits may be cut instead of doubles. */
  private seconds(digits: number, decimals: number): boolean {
    if (decimals > 6) return false;
    const micros = digits * POWERS[6 - decimals]!;
    if (!Number.isSafeInteger(micros)) return false;
    this.ms = Math.floor(micros / 1000);
    this.micros = micros - this.ms * 1000;
    return inRange(this.ms);
  }

  private iso(bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start < 19 || bytes[start + 4] !== 0x2d || bytes[start + 7] !== 0x2d) return false;
    if (bytes[start + 13] !== 0x3a || bytes[start + 16] !== 0x3a) return false;
    const between = bytes[start + 10];
    if (between !== 0x54 && between !== 0x20) return false;
    const date = (two(bytes, start) * 100 + two(bytes, start + 2)) * 10_000 + two(bytes, start + 5) * 100 + two(bytes, start + 8);
    const hour = two(bytes, start + 11);
    const minute = two(bytes, start + 14);
    const second = two(bytes, start + 17);
    if (!(hour < 24 && minute < 60 && second < 60) || !this.day(date)) return false;
    let at = start + 19;
    let fraction = 0;
    let scale = 100_000;
    if (bytes[at] === 0x2e && at < end) {
      const first = ++at;
      for (; at < end && isDigit(bytes[at]!); at++) {
        fraction += (bytes[at]! - 0x30) * scale;
        scale /= 10;
      }
      if (at === first || at - first > 6) return false;
    }
    const wallMs = this.dateMs + ((hour * 60 + minute) * 60 + second) * 1000;
    if (at === end ? !this.local(bytes, start, end, wallMs) : !this.offset(bytes, at, end)) return false;
    this.ms = wallMs + Math.floor(fraction / 1000) - this.offsetMs;
    this.micros = fraction % 1000;
    return inRange(this.ms);
  }

  /** yyyymmdd of a day that exists. */
  private day(date: number): boolean {
    if (date === this.date) return true;
    if (Number.isNaN(date)) return false;
    const year = Math.floor(date / 10_000);
    const month = Math.floor(date / 100) % 100;
    const ms = Date.UTC(year, month - 1, date % 100);
    const back = new Date(ms);
    if (year < 1000 || back.getUTCMonth() !== month - 1 || back.getUTCDate() !== date % 100) return false;
    this.date = date;
    this.dateMs = ms;
    return true;
  }

  private offset(bytes: Uint8Array, at: number, end: number): boolean {
    if (end - at !== 1 || bytes[at] !== 0x5a) return false;
    this.quarter = -1;
    this.offsetMs = 0;
    return true;
  }

  /** Zone rules change on the quarter of an hour, so its offset is asked for once. */
  private local(bytes: Uint8Array, start: number, end: number, wallMs: number): boolean {
    const quarter = Math.floor(wallMs / QUARTER_MS);
    if (quarter === this.quarter) return true;
    if (this.zone === null) return false;
    const instant = parseIsoInstant(Buffer.from(bytes.subarray(start, end)).toString('latin1').slice(0, 19), this.zone);
    if (instant === null) return false;
    this.quarter = quarter;
    this.offsetMs = wallMs - instant;
    return true;
  }
}

/** NaN when one of the two is no digit. */
function two(bytes: Uint8Array, at: number): number {
  const tens = bytes[at]! - 0x30;
  const ones = bytes[at + 1]! - 0x30;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
}

function isDigit(b: number): boolean {
  return b >= 0x30 && b <= 0x39;
}

function inRange(ms: number): boolean {
  return ms >= MIN_INSTANT_MS && ms < MAX_INSTANT_MS;
}
