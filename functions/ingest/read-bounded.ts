/** Raw bytes of an object → its decompressed bytes, with every bound counted on the way. gzip and zstd are recognised by content. */
import { Readable, Transform, type TransformCallback } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { type Limits, ObjectFault } from './limits.ts';

export type Compression = 'none' | 'gzip' | 'zstd';

/** From the first bytes, never from the name. */
export function compressionOf(head: Uint8Array): Compression {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  if (head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd) return 'zstd';
  return 'none';
}

const RATIO_GRACE_BYTES = 1024 ** 2;

/** Stops a bomb while it unfolds: zlib's own maxOutputLength does not bind streams. */
class CountingGate extends Transform {
  private outBytes = 0;
  private readonly limits: Limits;
  private readonly rawBytes: () => number;

  constructor(limits: Limits, rawBytes: () => number) {
    super();
    this.limits = limits;
    this.rawBytes = rawBytes;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const first = this.outBytes === 0;
    this.outBytes += chunk.length;
    const raw = this.rawBytes();
    if (first && compressionOf(chunk) !== 'none') {
      done(new ObjectFault('nested_compression', 'compressed bytes inside a compressed object'));
    } else if (this.outBytes > RATIO_GRACE_BYTES && this.outBytes > raw * this.limits.ratio) {
      done(new ObjectFault('ratio_exceeded', `allowed ${this.limits.ratio}:1, found ${this.outBytes} bytes from ${raw}`));
    } else if (this.outBytes > this.limits.objectBytes) {
      done(new ObjectFault('object_too_large', `allowed ${this.limits.objectBytes} decompressed bytes, found more`));
    } else done(null, chunk);
  }
}

/**
 * Decompressed chunks in order. `onRaw` sees every raw chunk, also those after the last one that was needed.
 * Errors: ObjectFault when the stream is broken (truncated, bad checksum, trailing garbage) or a bound is passed.
 */
export async function* readBounded(
  raw: AsyncIterable<Uint8Array>,
  limits: Limits,
  onRaw: (chunk: Uint8Array) => void = () => {},
): AsyncGenerator<Uint8Array> {
  const iterator = raw[Symbol.asyncIterator]();
  const first = await firstChunk(iterator, 4);
  let rawBytes = 0;
  async function* counted(): AsyncGenerator<Uint8Array> {
    for (let chunk = first; chunk !== null; ) {
      rawBytes += chunk.length;
      onRaw(chunk);
      yield chunk;
      const next = await iterator.next();
      chunk = next.done === true ? null : next.value;
    }
  }
  const compression = first === null ? 'none' : compressionOf(first);
  if (compression === 'none') {
    for await (const chunk of counted()) {
      if (rawBytes > limits.objectBytes) throw new ObjectFault('object_too_large', `allowed ${limits.objectBytes} bytes, found more`);
      yield chunk;
    }
    return;
  }
  const decompress = compression === 'gzip' ? createGunzip() : createZstdDecompress();
  const gate = new CountingGate(limits, () => rawBytes);
  const source = Readable.from(counted());
  for (const stage of [source, decompress]) stage.on('error', (error) => gate.destroy(error));
  source.pipe(decompress).pipe(gate);
  try {
    for await (const chunk of gate) yield chunk as Uint8Array;
  } catch (error) {
    if (error instanceof ObjectFault) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
    if (!code.startsWith('Z_') && !code.startsWith('ZSTD_') && code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
    throw new ObjectFault('decompression_failed', `${compression} stream is broken (${code})`, { cause: error });
  } finally {
    source.destroy();
    decompress.destroy();
    gate.destroy();
  }
}

/** At least `bytes` bytes in one chunk unless the stream is shorter, so that a magic number is never split. */
async function firstChunk(iterator: AsyncIterator<Uint8Array>, bytes: number): Promise<Uint8Array | null> {
  const parts: Uint8Array[] = [];
  let size = 0;
  while (size < bytes) {
    const next = await iterator.next();
    if (next.done === true) break;
    parts.push(next.value);
    size += next.value.length;
  }
  return parts.length === 0 ? null : Buffer.concat(parts);
}
