/** Spools → one Parquet file: their row groups as they are, a footer, and what is the same in every row. The engine is not asked. */
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import type { Dataset } from '../datasets.ts';
import type { RowOrigin, SpooledChunk, SpooledGroup, SpooledRows } from '../ports.ts';
import { constantPages, type Pages } from './parquet-chunk.ts';
import { footer, PARQUET_MAGIC, type PlainColumn } from './parquet-page.ts';
import { spooledColumns } from './row-spool.ts';

const COPY_BYTES = 1 << 20;

/** True when spools hold every column as the file must have it: decimals are for the engine to make of text. */
export function isPlain(dataset: Dataset): boolean {
  return dataset.columns.every(({ type }) => type === 'VARCHAR' || type === 'BIGINT');
}

/** Returns size and SHA-256 of the file. Errors: those of the disk. */
export async function concatSpools(
  dataset: Dataset,
  spools: readonly SpooledRows[],
  origin: RowOrigin,
  path: string,
): Promise<{ bytes: number; sha256: string }> {
  await using handle = await open(path, 'wx');
  const out = new HashedFile(handle);
  await out.write(PARQUET_MAGIC);
  const groups: SpooledGroup[] = [];
  for (const spool of spools) {
    const moved = out.bytes - PARQUET_MAGIC.length;
    await copyGroups(spool, out);
    for (const group of spool.groups) groups.push(await withOrigin(dataset, group, moved, origin, out));
  }
  const columns = dataset.columns.map(({ name, type }): PlainColumn => ({ name, kind: type === 'BIGINT' ? 'int64' : 'text' }));
  await out.write(footer(columns, groups));
  return { bytes: out.bytes, sha256: out.hash.digest('hex') };
}

class HashedFile {
  bytes = 0;
  readonly hash = createHash('sha256');
  private readonly handle: FileHandle;

  constructor(handle: FileHandle) {
    this.handle = handle;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.hash.update(bytes);
    for (let at = 0; at < bytes.length; ) at += (await this.handle.write(bytes, at)).bytesWritten;
    this.bytes += bytes.length;
  }
}

/** Everything between the magic number and the footer. */
async function copyGroups({ file, groups }: SpooledRows, out: HashedFile): Promise<void> {
  await using handle = await open(file, 'r');
  const memory = Buffer.allocUnsafeSlow(COPY_BYTES);
  const last = groups.at(-1)?.chunks.at(-1);
  const end = last === undefined ? 0 : last.offset + last.bytes;
  for (let at = PARQUET_MAGIC.length; at < end; ) {
    const { bytesRead } = await handle.read(memory, 0, Math.min(COPY_BYTES, end - at), at);
    if (bytesRead === 0) throw new Error(`invariant broken: a spool ends at ${at} instead of ${end}`);
    await out.write(memory.subarray(0, bytesRead));
    at += bytesRead;
  }
}

/** The group where it lies now, with chunks for the columns that no spool has, in the order of the dataset. */
async function withOrigin(
  dataset: Dataset,
  { rows, chunks }: SpooledGroup,
  moved: number,
  origin: RowOrigin,
  out: HashedFile,
): Promise<SpooledGroup> {
  const spooled = new Map(spooledColumns(dataset).map(({ name }, place) => [name, chunks[place] as SpooledChunk]));
  const constants: Readonly<Record<string, string>> = { ...origin };
  const all: SpooledChunk[] = [];
  for (const { name } of dataset.columns) {
    const chunk = spooled.get(name);
    all.push(
      chunk === undefined ? await append(constantPages(constants[name] as string, rows), out) : { ...chunk, offset: chunk.offset + moved },
    );
  }
  return { rows, chunks: all };
}

async function append({ parts, chunk }: Pages, out: HashedFile): Promise<SpooledChunk> {
  const offset = out.bytes;
  for (const part of parts) await out.write(part);
  return { ...chunk, offset };
}
