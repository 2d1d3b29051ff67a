/** Growing files in one folder of a local disk. */
import { type FileHandle, mkdir, open, readdir, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import type { Spool, SpoolFile } from '../ports.ts';

const LINE_END = 0x0a;
const TAIL_BYTES = 64 * 1024;

/** A spool in `folder`, which is made on the first write. Several processes may share it. */
export function localSpool(folder: string): Spool {
  return {
    async create(name) {
      await mkdir(folder, { recursive: true });
      const file = join(folder, name);
      const handle = await open(file, 'ax');
      await syncFolder(folder);
      return new LocalSpoolFile(file, handle);
    },

    remove: (name) => rm(join(folder, name), { force: true }),

    async abandoned(beforeMs) {
      const found: { name: string; file: string; bytes: number }[] = [];
      for (const name of await namesIn(folder)) {
        const file = join(folder, name);
        const info = await stat(file).catch(() => null);
        if (info === null || !info.isFile() || info.mtimeMs >= beforeMs) continue;
        found.push({ name, file, bytes: await cutAfterLastLine(file, info.size) });
      }
      return found;
    },
  };
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

/** A process that died while it appended leaves a part of a line, which nobody was told is stored. Returns the bytes that stay. */
async function cutAfterLastLine(file: string, size: number): Promise<number> {
  await using handle = await open(file, 'r');
  let end = size;
  while (end > 0) {
    const start = Math.max(0, end - TAIL_BYTES);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(end - start), 0, end - start, start);
    const at = buffer.subarray(0, bytesRead).lastIndexOf(LINE_END);
    if (at >= 0) {
      end = start + at + 1;
      break;
    }
    end = start;
  }
  if (end < size) await truncate(file, end);
  return end;
}

async function syncFolder(path: string): Promise<void> {
  // Windows has no fsync of a folder: NTFS journals its entries.
  if (process.platform === 'win32') return;
  await using handle = await open(path, 'r');
  await handle.sync();
}

interface Waiting {
  readonly lines: Uint8Array;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Everything that waits goes to the disk with one fsync, so a hundred senders cost little more than one. */
class LocalSpoolFile implements SpoolFile {
  private waiting: Waiting[] = [];
  private running: Promise<void> | null = null;
  private durableBytes = 0;
  private fault: unknown = null;
  private readonly file: string;
  private readonly handle: FileHandle;

  constructor(file: string, handle: FileHandle) {
    this.file = file;
    this.handle = handle;
  }

  async append(lines: Uint8Array): Promise<void> {
    if (this.fault !== null) throw this.fault;
    await new Promise<void>((resolve, reject) => {
      this.waiting.push({ lines, resolve, reject });
      this.running ??= this.run();
    });
  }

  async finish(): Promise<{ file: string; bytes: number }> {
    while (this.running !== null) await this.running;
    this.fault ??= new Error('the spool file is finished');
    try {
      // What a failed append left behind was never accepted.
      await this.handle.truncate(this.durableBytes);
    } finally {
      await this.handle.close();
    }
    return { file: this.file, bytes: this.durableBytes };
  }

  private async run(): Promise<void> {
    while (this.waiting.length > 0) {
      const group = this.waiting;
      this.waiting = [];
      try {
        if (this.fault !== null) throw this.fault;
        const bytes = Buffer.concat(group.map(({ lines }) => lines));
        await this.handle.appendFile(bytes);
        await this.handle.datasync();
        this.durableBytes += bytes.length;
        for (const { resolve } of group) resolve();
      } catch (error) {
        this.fault = error;
        for (const { reject } of group) reject(error);
      }
    }
    this.running = null;
  }
}
