/** A FileSink that keeps every file in memory, uncompressed, with its hash; and readers of what it kept. */
import { createHash } from 'node:crypto';
import { parseConfig } from '../../functions/domain/config.ts';
import { parseOneYaml } from '../../functions/domain/yaml-config.ts';
import { type Generated, generateCentre } from '../../functions/generate/generate.ts';
import { type GenerateOptions, presetOptions } from '../../functions/generate/options.ts';
import type { FileOptions, FileSink } from '../../functions/ports.ts';

export class MemorySink implements FileSink {
  readonly files = new Map<string, Buffer>();
  readonly modifiedAtMs = new Map<string, number>();

  async write(
    path: string,
    chunks: Iterable<Uint8Array | string> | AsyncIterable<Uint8Array | string>,
    options: FileOptions = {},
  ): Promise<void> {
    if (this.files.has(path)) throw new Error(`written twice: ${path}`);
    const parts: Buffer[] = [];
    for await (const chunk of chunks) parts.push(Buffer.from(chunk as string));
    this.files.set(path, Buffer.concat(parts));
    if (options.modifiedAtMs !== undefined) this.modifiedAtMs.set(path, options.modifiedAtMs);
  }

  text(path: string): string {
    const bytes = this.files.get(path);
    if (bytes === undefined) throw new Error(`not written: ${path}`);
    return bytes.toString('utf8');
  }

  /** Names below landing/, in order of writing. */
  landed(folder = ''): string[] {
    return [...this.files.keys()].filter((path) => path.startsWith(`landing/${folder}`));
  }

  /** Lines of all files of a folder, without repeated files. */
  lines(folder: string, repeated: readonly string[] = []): string[] {
    return this.landed(folder)
      .filter((path) => !repeated.includes(path))
      .flatMap((path) => this.text(path).split('\n'))
      .filter((line) => line !== '');
  }

  /** SHA-256 over all names and contents. */
  hash(): string {
    const hash = createHash('sha256');
    for (const path of [...this.files.keys()].sort()) hash.update(path).update('\0').update(this.files.get(path)!).update('\0');
    return hash.digest('hex');
  }
}

export interface Made extends Generated {
  readonly sink: MemorySink;
}

/** A centre in memory: the demo preset with some options replaced. */
export async function make(options: Partial<GenerateOptions> = {}): Promise<Made> {
  const sink = new MemorySink();
  return { ...(await generateCentre({ ...presetOptions('demo'), format: 'plain', ...options }, sink)), sink };
}

export function configOf(sink: MemorySink): ReturnType<typeof parseConfig> {
  return parseConfig(parseOneYaml(sink.text('kashi.yaml'), 'kashi.yaml'), 'kashi.yaml');
}

/** Paths of files that repeat another one. */
export function repeatedFiles({ expected }: Generated): string[] {
  return Object.values(expected.sources).flatMap((counts) => counts.duplicate_files.map(({ path }) => path));
}
