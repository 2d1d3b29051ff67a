/** The values of one column of one row group → its pages. */
import { constants, zstdCompressSync } from 'node:zlib';
import type { SpooledChunk } from '../ports.ts';
import { dataPageHeader, dictionaryPageHeader } from './parquet-page.ts';
import { varint } from './thrift-compact.ts';

/** What a column holds. Values are as a PLAIN page has them: texts behind their length, integers as eight bytes. */
export interface ColumnValues {
  /** Bit set: the row has a value. */
  readonly bitmap: Uint8Array;
  /** The values, or the different ones when there are indices into them. */
  readonly values: Uint8Array;
  readonly indices: { readonly of: Uint16Array; readonly count: number; readonly entries: number } | null;
  readonly bounds: SpooledChunk['bounds'];
}

export interface Pages {
  readonly parts: readonly Uint8Array[];
  /** Offsets from the first byte of the parts. */
  readonly chunk: SpooledChunk;
}

/** Fewer bytes are not worth a compressor. */
const LEAST_COMPRESSED_BYTES = 512;
/** A third less time than the default, and files of the same size. */
const LEVEL = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

export function pagesOf({ bitmap, values, indices, bounds }: ColumnValues, rows: number): Pages {
  const { levels, nulls } = definitionLevels(bitmap, rows);
  const data = indices === null ? Buffer.concat([levels, values]) : Buffer.concat([levels, indexRuns(indices)]);
  const dictionary = indices === null ? null : values;
  const isCompressed = data.length + (dictionary?.length ?? 0) >= LEAST_COMPRESSED_BYTES;
  const stored = (bytes: Uint8Array): Uint8Array => (isCompressed ? zstdCompressSync(bytes, LEVEL) : bytes);
  const parts: Uint8Array[] = [];
  let plainBytes = 0;
  if (dictionary !== null && indices !== null) {
    const page = stored(dictionary);
    const header = dictionaryPageHeader({ plain: dictionary.length, stored: page.length }, indices.entries);
    parts.push(header, page);
    plainBytes += header.length + dictionary.length;
  }
  const dictionaryBytes = sizeOf(parts);
  const page = stored(data);
  const header = dataPageHeader({ plain: data.length, stored: page.length }, rows, indices !== null);
  parts.push(header, page);
  plainBytes += header.length + data.length;
  return { parts, chunk: { offset: 0, bytes: sizeOf(parts), dictionaryBytes, plainBytes, isCompressed, nulls, bounds } };
}

/** A column that has the same text in every row. */
export function constantPages(text: string, rows: number): Pages {
  const bytes = Buffer.from(text);
  const values = Buffer.alloc(4 + bytes.length);
  values.writeUInt32LE(bytes.length);
  bytes.copy(values, 4);
  const bitmap = new Uint8Array((rows + 7) >> 3).fill(0xff);
  const indices = { of: new Uint16Array(rows), count: rows, entries: 1 };
  return pagesOf({ bitmap, values, indices, bounds: { min: bytes, max: bytes } }, rows);
}

function sizeOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, { length }) => sum + length, 0);
}

/** Which rows have a value: one run of ones when all have, else the bitmap as one bit-packed run, behind its length. */
function definitionLevels(bitmap: Uint8Array, rows: number): { levels: Buffer; nulls: number } {
  const present = countBits(bitmap, rows);
  const groups = (rows + 7) >> 3;
  const run: number[] = [];
  if (present === rows) {
    varint(run, rows * 2);
    run.push(1);
  } else varint(run, groups * 2 + 1);
  const packed = present === rows ? new Uint8Array(0) : bitmap.subarray(0, groups);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(run.length + packed.length);
  return { levels: Buffer.concat([length, Buffer.from(run), packed]), nulls: rows - present };
}

function countBits(bitmap: Uint8Array, rows: number): number {
  let count = 0;
  for (let place = 0; place < rows >> 3; place++) count += BITS[bitmap[place]!]!;
  for (let row = rows & ~7; row < rows; row++) count += (bitmap[row >> 3]! >> (row & 7)) & 1;
  return count;
}

const BITS = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll('0', '').length);

/** The width of an index in bits, then one run: of one index repeated, or of indices packed. */
function indexRuns({ of, count, entries }: NonNullable<ColumnValues['indices']>): Buffer {
  const width = Math.max(1, 32 - Math.clz32(entries - 1));
  const head = [width];
  const isOne = entries === 1;
  if (isOne) {
    varint(head, count * 2);
    return Buffer.from([...head, 0]);
  }
  const groups = (count + 7) >> 3;
  varint(head, groups * 2 + 1);
  const out = Buffer.alloc(head.length + groups * width);
  out.set(head);
  let at = head.length;
  let word = 0;
  let bits = 0;
  for (let place = 0; place < count; place++) {
    word |= of[place]! << bits;
    for (bits += width; bits >= 8; bits -= 8) {
      out[at++] = word & 0xff;
      word >>>= 8;
    }
  }
  if (bits > 0) out[at] = word & 0xff;
  return out;
}
