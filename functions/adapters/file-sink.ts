/** Generated files on a local disk, plain, gzip or zstd. */
import { createWriteStream } from 'node:fs';
import { mkdir, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createGzip, createZstdCompress } from 'node:zlib';
import type { FileOptions, FileSink } from '../ports.ts';

/** Fast levels: the files are made to be read once. */
const GZIP_LEVEL = 1;
const ZSTD_LEVEL = 1;

function compressor(options: FileOptions): Transform[] {
  if (options.gzip === true) return [createGzip({ level: GZIP_LEVEL, chunkSize: 65_536 })];
  if (options.zstd === true) return [createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL } })];
  return [];
}

/** A FileSink that writes below one folder, which it makes. An existing file is replaced. Errors: those of the file system. */
export class LocalFileSink implements FileSink {
  private readonly folder: string;
  private readonly made = new Set<string>();

  constructor(folder: string) {
    this.folder = folder;
  }

  async write(
    path: string,
    chunks: Iterable<Uint8Array | string> | AsyncIterable<Uint8Array | string>,
    options: FileOptions = {},
  ): Promise<void> {
    const file = join(this.folder, path);
    const parent = dirname(file);
    if (!this.made.has(parent)) {
      await mkdir(parent, { recursive: true });
      this.made.add(parent);
    }
    // Small high-water mark in objects: each chunk is already a batch of lines.
    const input = Readable.from(chunks, { objectMode: true, highWaterMark: 2 });
    await pipeline([input, ...compressor(options), createWriteStream(file)]);
    if (options.modifiedAtMs !== undefined) {
      const modifiedAt = new Date(options.modifiedAtMs);
      await utimes(file, modifiedAt, modifiedAt);
    }
  }
}
