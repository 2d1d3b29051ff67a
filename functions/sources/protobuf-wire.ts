/**
 * The protobuf wire format, read field by field: what two small, frozen messages need, without generated code.
 * Source: protobuf.dev/programming-guides/encoding.
 */

/** Wire types; groups (3, 4) are not part of proto3 and count as malformed. */
export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
const FIXED32 = 5;

/**
 * A cursor over one message. A fault ends the reading and stays visible in `failed`, so callers loop over `next()` and ask once:
 * `while (reader.next()) …; if (reader.failed) …`. Values that were read before a fault must not be used.
 */
export class WireReader {
  /** Number and wire type of the field that `next()` found. */
  field = 0;
  type = 0;
  failed = false;
  private at: number;
  private readonly bytes: Uint8Array;
  private readonly end: number;
  private readonly view: DataView;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Moves to the next field; its value must then be read or skipped. False at the end and after a fault. */
  next(): boolean {
    if (this.at >= this.end) return false;
    const tag = this.varint();
    this.field = Math.floor(tag / 8);
    this.type = tag % 8;
    if (this.field === 0 || this.field > 0x1fff_ffff) this.fail();
    return !this.failed;
  }

  /** An unsigned varint; beyond 2^53 it is rounded, as a double is. */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10 && this.at < this.end; i++) {
      const byte = this.bytes[this.at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    return this.fail();
  }

  /** An int64: two's complement in ten bytes when negative. Beyond ±2^53 it is rounded. */
  int64(): number {
    const start = this.at;
    const value = this.varint();
    if (value < 2 ** 53 || this.failed) return value;
    let exact = 0n;
    for (let at = this.at - 1; at >= start; at--) exact = exact * 128n + BigInt(this.bytes[at]! & 0x7f);
    return Number(BigInt.asIntN(64, exact));
  }

  /** A double with its bits, because a NaN may carry a meaning. */
  double(): { readonly value: number; readonly high: number; readonly low: number } {
    const start = this.at;
    this.advance(8);
    if (this.failed) return { value: 0, high: 0, low: 0 };
    return { value: this.view.getFloat64(start, true), high: this.view.getUint32(start + 4, true), low: this.view.getUint32(start, true) };
  }

  /** A length-delimited field: its reader for a submessage or packed numbers. */
  message(): WireReader {
    const [start, end] = this.span();
    return new WireReader(this.bytes, start, end);
  }

  /** Start and end of a length-delimited field. */
  span(): readonly [start: number, end: number] {
    const length = this.varint();
    const start = this.at;
    this.advance(length);
    return this.failed ? [0, 0] : [start, this.at];
  }

  /** Passes over a value of any wire type. */
  skip(): void {
    if (this.type === VARINT) this.varint();
    else if (this.type === FIXED64) this.advance(8);
    else if (this.type === BYTES) this.span();
    else if (this.type === FIXED32) this.advance(4);
    else this.fail();
  }

  /** Marks the message as malformed. */
  fail(): 0 {
    this.failed = true;
    this.at = this.end;
    return 0;
  }

  /** True while packed numbers are left. */
  get more(): boolean {
    return this.at < this.end;
  }

  private advance(length: number): void {
    if (length > this.end - this.at) this.fail();
    else this.at += length;
  }
}
