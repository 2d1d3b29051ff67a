/** A stream cut into blocks of whole lines, each in memory of its own, so that threads can read them side by side. */
import { MARK_BYTES, startsWithMark } from './lines.ts';

export interface Block {
  /** Owns its buffer: it can be handed to another thread without a copy. Ends behind a line end, but for the last of an object. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Number of its first line, from 1. */
  readonly line: number;
  /** Offset of its first byte in the decompressed object. */
  readonly byteStart: number;
  /** The block stands for one line that is longer than allowed; its bytes were not kept, and it ends here. */
  readonly tooLongUntil: number | null;
}

/** Large enough that handing over costs nothing, small enough that a few in flight stay in a few MiB. */
export const BLOCK_BYTES = 2 * 1024 * 1024;

const FIRST_BYTES = 64 * 1024;
const NEWLINE = 0x0a;
/** A buffer without room. */
const NOTHING = new Uint8Array(0);

/** Push chunks and send what comes; then end() for the rest. Memory: one block, or one line of at most maxLineBytes. */
export class BlockCutter {
  private readonly maxLineBytes: number;
  private readonly spare: () => ArrayBuffer | null;
  /** Made when there is something to put in: most objects are smaller than a block. */
  private buffer: Uint8Array<ArrayBuffer> = NOTHING;
  private filled = 0;
  private line = 1;
  /** Line feeds of all blocks that were handed over. */
  newlines = 0;
  private byteStart = 0;
  /** Offset of a line that is being skipped because it is too long; −1 otherwise. */
  private skipFrom = -1;

  /** `spare` gives memory of an earlier block that nobody needs any more, or null: fresh memory for each block costs more than filling it. */
  constructor(maxLineBytes: number, spare: () => ArrayBuffer | null = () => null) {
    this.maxLineBytes = maxLineBytes;
    this.spare = spare;
  }

  *push(chunk: Uint8Array): Generator<Block> {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.skipFrom >= 0) {
        const newline = rest.indexOf(NEWLINE);
        const skipped = newline < 0 ? rest.length : newline + 1;
        this.byteStart += skipped;
        rest = rest.subarray(skipped);
        if (newline >= 0) {
          this.newlines++;
          yield this.skippedLine(this.byteStart - 1);
        }
        continue;
      }
      if (this.filled === this.buffer.length) {
        yield* this.cut();
        continue;
      }
      const taken = Math.min(rest.length, this.buffer.length - this.filled);
      this.buffer.set(rest.subarray(0, taken), this.filled);
      this.filled += taken;
      rest = rest.subarray(taken);
    }
  }

  *end(): Generator<Block> {
    if (this.skipFrom >= 0) yield this.skippedLine(this.byteStart);
    else if (this.filled > 0) yield this.take(this.filled);
  }

  /** The buffer is full: hand over up to the last line end, or grow for one long line, or begin to skip it. */
  private *cut(): Generator<Block> {
    if (this.filled === 0) {
      this.buffer = this.newBuffer(this.byteStart === 0 ? FIRST_BYTES : BLOCK_BYTES);
      return;
    }
    const end = this.buffer.lastIndexOf(NEWLINE, this.filled - 1) + 1;
    if (end > 0) {
      yield this.take(end);
    } else if (this.filled - this.markBytes() <= this.maxLineBytes) {
      const larger = this.newBuffer(Math.max(BLOCK_BYTES, this.filled * 2));
      larger.set(this.buffer.subarray(0, this.filled));
      this.buffer = larger;
    } else {
      this.skipFrom = this.byteStart + this.markBytes();
      this.byteStart += this.filled;
      this.filled = 0;
      this.buffer = NOTHING;
    }
  }

  /** Bytes of a byte-order mark before what is filled: no part of a line. */
  private markBytes(): number {
    return this.byteStart === 0 && startsWithMark(this.buffer) ? MARK_BYTES : 0;
  }

  private take(end: number): Block {
    const left = this.filled - end;
    const next = left === 0 ? NOTHING : this.newBuffer(left > BLOCK_BYTES ? this.buffer.length : BLOCK_BYTES);
    next.set(this.buffer.subarray(end, this.filled));
    const block: Block = { bytes: this.buffer.subarray(0, end), line: this.line, byteStart: this.byteStart, tooLongUntil: null };
    const newlines = countNewlines(block.bytes);
    this.line += newlines;
    this.newlines += newlines;
    this.byteStart += end;
    this.buffer = next;
    this.filled = left;
    return block;
  }

  /** Not zeroed: what is not filled is not handed over. */
  private newBuffer(room: number): Uint8Array<ArrayBuffer> {
    const spare = this.spare();
    return spare?.byteLength === room ? Buffer.from(spare) : Buffer.allocUnsafeSlow(room);
  }

  private skippedLine(until: number): Block {
    const block: Block = { bytes: new Uint8Array(0), line: this.line, byteStart: this.skipFrom, tooLongUntil: until };
    this.line++;
    this.skipFrom = -1;
    return block;
  }
}

export function countNewlines(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count++;
  return count;
}
