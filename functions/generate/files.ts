/** How generated files are named, compressed, repeated and reported. */
import type { FileOptions, FileSink } from '../ports.ts';
import type { FileFormat } from './options.ts';
import type { Chunk } from './poison.ts';

/** About this many characters leave together: few calls for the compressor, little memory. */
const BATCH_CHARACTERS = 65_536;

/** Ends each line and joins lines into larger pieces; bytes pass through at their place. */
export function* joinedLines(lines: Iterable<Chunk>): Generator<Chunk> {
  let text = '';
  for (const line of lines) {
    if (typeof line === 'string') {
      text += line;
      text += '\n';
      if (text.length < BATCH_CHARACTERS) continue;
      yield text;
      text = '';
    } else {
      if (text !== '') yield text;
      yield line;
      text = '\n';
    }
  }
  if (text !== '') yield text;
}

/** Called now and then with the number of rows written since the last call. */
export type OnRows = (rows: number) => void;

const SUFFIX: Readonly<Record<FileFormat, string>> = { gzip: '.gz', plain: '', zstd: '.zst' };

/** Writes landed files of one format and remembers how many. */
export class LandingWriter {
  files = 0;
  private readonly sink: FileSink;
  private readonly format: FileFormat;

  constructor(sink: FileSink, format: FileFormat) {
    this.sink = sink;
    this.format = format;
  }

  /** Writes lines to `landing/<path><suffix>` and returns that path. */
  async lines(path: string, lines: Iterable<Chunk>, modifiedAtMs: number): Promise<string> {
    const landed = `landing/${path}${SUFFIX[this.format]}`;
    const options: FileOptions = { gzip: this.format === 'gzip', zstd: this.format === 'zstd', modifiedAtMs };
    await this.sink.write(landed, joinedLines(lines), options);
    this.files++;
    return landed;
  }
}
