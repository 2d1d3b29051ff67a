/** Raw bytes of an object → its decompressed bytes, with every bound counted on the way. gzip and zstd are recognised by content. */
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { type Limits, ObjectFault } from './limits.ts';
import { RawBytes } from './raw-bytes.ts';

export type Compression = 'none' | 'gzip' | 'zstd';

const MAGIC_BYTES = 4;
/** Decompressed bytes a time: fewer, larger chunks are 1.3 × as fast as the default of 16 KiB. */
const OUTPUT_BYTES = 256 * 1024;
const RATIO_GRACE_BYTES = 1024 ** 2;

/** From the first bytes, never from the name. A zstd file may begin with a skippable frame. */
export function compressionOf(head: Uint8Array): Compression {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  const [first = 0, second, third, fourth] = head;
  if (first === 0x28 && second === 0xb5 && third === 0x2f && fourth === 0xfd) return 'zstd';
  return (first & 0xf0) === 0x50 && second === 0x2a && third === 0x4d && fourth === 0x18 ? 'zstd' : 'none';
}

/**
 * Decompressed chunks in order. Several gzip members or zstd frames are one content; zeros that pad a gzip file are skipped.
 * `onRaw` sees every raw chunk that was read. Errors: ObjectFault when the stream is broken (cut, bad checksum, trailing garbage)
 * or a bound is passed; errors of the object itself pass through.
 */
export async function* readBounded(
  object: AsyncIterable<Uint8Array>,
  limits: Limits,
  onRaw: (chunk: Uint8Array) => void = () => {},
): AsyncGenerator<Uint8Array> {
  const raw = new RawBytes(object, onRaw);
  try {
    const compression = compressionOf(await raw.look(MAGIC_BYTES));
    yield* compression === 'none' ? plain(raw, limits) : unpacked(raw, compression, limits);
  } finally {
    await raw.close();
  }
}

async function* plain(raw: RawBytes, limits: Limits): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for (let chunk = await raw.next(); chunk !== null; chunk = await raw.next()) {
    bytes += chunk.length;
    if (bytes > limits.objectBytes) throw new ObjectFault('object_too_large', `allowed ${limits.objectBytes} bytes, found more`);
    yield chunk;
  }
}

/**
 * zlib ends at what it takes for the end (zeros after a gzip member, the end of a zstd frame inside a chunk) and drops the rest
 * of the chunk without a word, so each run gives back what it left and the next one goes on from there.
 */
async function* unpacked(raw: RawBytes, compression: 'gzip' | 'zstd', limits: Limits): AsyncGenerator<Uint8Array> {
  const gate = new Gate(limits);
  for (let head = await raw.look(MAGIC_BYTES); head.length > 0; head = await raw.look(MAGIC_BYTES)) {
    if (compressionOf(head) !== compression)
      throw new ObjectFault('decompression_failed', `${compression} stream is followed by something else`);
    yield* oneRun(raw, compression, gate);
    if (compression === 'gzip') await raw.skipZeros();
  }
}

/** Stops a bomb while it unfolds: zlib's own maxOutputLength does not bind streams. Counts over all runs of an object. */
class Gate {
  rawBytes = 0;
  private outBytes = 0;
  private head: Uint8Array = new Uint8Array(0);
  private readonly limits: Limits;

  constructor(limits: Limits) {
    this.limits = limits;
  }

  /** `rawOfRun`: bytes that the present run has taken so far. */
  check(chunk: Uint8Array, rawOfRun: number): void {
    if (this.head.length < MAGIC_BYTES) this.head = Buffer.concat([this.head, chunk.subarray(0, MAGIC_BYTES)]);
    this.outBytes += chunk.length;
    const raw = this.rawBytes + rawOfRun;
    const { ratio, objectBytes } = this.limits;
    if (compressionOf(this.head) !== 'none') throw new ObjectFault('nested_compression', 'compressed bytes inside a compressed object');
    if (this.outBytes > RATIO_GRACE_BYTES && this.outBytes > raw * ratio)
      throw new ObjectFault('ratio_exceeded', `allowed ${ratio}:1, found ${this.outBytes} bytes from ${raw}`);
    if (this.outBytes > objectBytes) throw new ObjectFault('object_too_large', `allowed ${objectBytes} decompressed bytes, found more`);
  }
}

async function* oneRun(raw: RawBytes, compression: 'gzip' | 'zstd', gate: Gate): AsyncGenerator<Uint8Array> {
  const engine = compression === 'gzip' ? createGunzip({ chunkSize: OUTPUT_BYTES }) : createZstdDecompress({ chunkSize: OUTPUT_BYTES });
  let fed = 0;
  let feeding: Uint8Array = new Uint8Array(0);
  // One chunk is in the engine at a time, so what an early end leaves over lies in that chunk, and no chunk is taken after it.
  const feed = async (): Promise<void> => {
    while (fed === engine.bytesWritten && !engine.destroyed) {
      const chunk = await raw.next();
      if (chunk === null) {
        engine.end();
        return;
      }
      feeding = chunk;
      fed += chunk.length;
      await new Promise<void>((resolve, refuse) => engine.write(chunk, (error) => (error ? refuse(error) : resolve())));
    }
  };
  engine.on('error', () => {});
  feed().catch((error: Error) => engine.destroy(error));
  try {
    for await (const chunk of engine) {
      gate.check(chunk as Uint8Array, engine.bytesWritten);
      yield chunk as Uint8Array;
    }
  } catch (error) {
    throw faultOf(error, compression);
  } finally {
    engine.destroy();
  }
  gate.rawBytes += engine.bytesWritten;
  raw.giveBack(feeding.subarray(feeding.length - (fed - engine.bytesWritten)));
}

/** An error of the decompressor is a fault of the object; any other is passed on. */
function faultOf(error: unknown, compression: Compression): unknown {
  const { code = '' } = error as NodeJS.ErrnoException;
  if (error instanceof ObjectFault || !/^(Z_|ZSTD_)/.test(code)) return error;
  return new ObjectFault('decompression_failed', `${compression} stream is broken (${code})`, { cause: error });
}
