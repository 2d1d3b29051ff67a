/** The snappy block format (not the framed one), as Prometheus remote write uses it. Source: google/snappy format_description.txt. */
import { snappyUncompressor } from 'hysnappy';

/** A copy element of 3 bytes makes at most 64 bytes, so no block unfolds to more than 64/3 of its size. */
const MAX_RATIO = 22;

export type Unpacked = { readonly bytes: Uint8Array } | { readonly fault: string };

/** The length that a block declares, and where its elements begin; null when it declares none (a varint of at most 32 bits). */
export function snappyHeader(block: Uint8Array): { readonly length: number; readonly start: number } | null {
  let length = 0;
  for (let i = 0; i < 5 && i < block.length; i++) {
    const byte = block[i]!;
    length += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return length > 0xffff_ffff ? null : { length, start: i + 1 };
  }
  return null;
}

let uncompress: ((input: Uint8Array, outputLength: number) => Uint8Array) | null = null;

/**
 * The content of one block, or why there is none. The declared length is judged before any memory is taken for it: at most
 * `maxBytes`, and no more than the block can make.
 */
export function unpackSnappyBlock(block: Uint8Array, maxBytes: number): Unpacked {
  const header = snappyHeader(block);
  if (header === null) return { fault: 'no snappy length' };
  if (header.length > maxBytes) return { fault: `allowed ${maxBytes} bytes, declared ${header.length}` };
  if (header.length > block.length * MAX_RATIO) return { fault: `declared ${header.length} bytes, more than ${block.length} can make` };
  if (header.length === 0) return block.length === header.start ? { bytes: new Uint8Array(0) } : { fault: 'bytes after the end' };
  uncompress ??= snappyUncompressor();
  try {
    return { bytes: uncompress(block, header.length) };
  } catch {
    // The library throws for every fault of the block; which one it was helps nobody downstream.
    return { fault: 'no snappy block' };
  }
}
