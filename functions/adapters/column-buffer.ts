/** The values of one column of one row group, as a PLAIN page holds them: bytes that grow, and a bit per row. */
import type { SpooledChunk } from '../ports.ts';

/** Small: most objects have few rows, and a spool has twenty columns. */
const FIRST_BYTES = 1024;
/** Up to here a loop is faster than a call. */
const SHORT = 64;
const TWO_32 = 4_294_967_296;

export class ColumnBuffer {
  bytes = Buffer.allocUnsafe(FIRST_BYTES);
  view = new DataView(this.bytes.buffer, this.bytes.byteOffset, FIRST_BYTES);
  length = 0;
  /** Bit set: the row has a value. */
  readonly bitmap: Uint8Array;
  private readonly rowOf: { readonly rows: number };

  /** `rowOf.rows` is the row being written; a row group has at most `groupRows`, a multiple of 8. */
  constructor(rowOf: { readonly rows: number }, groupRows: number) {
    this.rowOf = rowOf;
    this.bitmap = new Uint8Array(groupRows / 8);
  }

  /** Bytes of the values of all rows. */
  get pending(): number {
    return this.length;
  }

  clear(): void {
    this.length = 0;
    this.bitmap.fill(0);
  }

  span(from: Uint8Array, start: number, end: number): void {
    const size = end - start;
    this.begin(size + 4);
    const { bytes } = this;
    let at = this.length;
    this.view.setInt32(at, size, true);
    at += 4;
    if (size <= SHORT) for (let i = start; i < end; i++) bytes[at++] = from[i]!;
    else bytes.set(from.subarray(start, end), at);
    this.length += size + 4;
  }

  text(value: string): void {
    const size = value.length;
    this.begin(size * 3 + 4);
    const { bytes } = this;
    const first = this.length + 4;
    let at = first;
    let ascii = size <= SHORT;
    for (let i = 0; ascii && i < size; i++) {
      const code = value.charCodeAt(i);
      bytes[at++] = code;
      ascii = code < 0x80;
    }
    const written = ascii ? size : bytes.write(value, first);
    this.view.setInt32(this.length, written, true);
    this.length = first + written;
  }

  /** A safe integer. */
  integer(value: number): void {
    this.begin(8);
    this.view.setInt32(this.length, value | 0, true);
    this.view.setInt32(this.length + 4, Math.floor(value / TWO_32), true);
    this.length += 8;
  }

  wide(value: bigint): void {
    this.begin(8);
    this.view.setBigInt64(this.length, value, true);
    this.length += 8;
  }

  /** The row that is being written has a value. */
  protected mark(): void {
    const { rows } = this.rowOf;
    this.bitmap[rows >> 3]! |= 1 << (rows & 7);
  }

  private begin(size: number): void {
    if (this.length + size > this.bytes.length) this.grow(size);
    this.mark();
  }

  private grow(size: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.length + size));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
    this.view = new DataView(larger.buffer, larger.byteOffset, larger.length);
  }
}

/** The least and the greatest of a column of integers, eight bytes each; null for none. */
export function integerBounds({ bytes, view, length }: ColumnBuffer): SpooledChunk['bounds'] {
  if (length === 0) return null;
  let [min, max] = [0, 0];
  for (let at = 8; at < length; at += 8) {
    if (isLess(view, at, min)) min = at;
    else if (isLess(view, max, at)) max = at;
  }
  return { min: Buffer.from(bytes.subarray(min, min + 8)), max: Buffer.from(bytes.subarray(max, max + 8)) };
}

/** Whole numbers of 64 bits compared in halves: beyond 2^53 they are no JavaScript numbers. */
function isLess(view: DataView, one: number, other: number): boolean {
  const [high, otherHigh] = [view.getInt32(one + 4, true), view.getInt32(other + 4, true)];
  return high < otherHigh || (high === otherHigh && view.getUint32(one, true) < view.getUint32(other, true));
}
