/** A thread that writes one file of generated data: a part of the log (plain and gzip), the scrapes, or a gzip of a whole file. */
import { createReadStream, createWriteStream, type WriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { createGzip } from 'node:zlib';
import { DcgmScrapes, SAMPLES_PER_SCRAPE, type SampleTotals } from './dcgm-text.ts';
import { LitellmPart, type TokenTotals } from './litellm-log.ts';

export type DataJob =
  | {
      readonly kind: 'litellm';
      readonly seed: string;
      readonly rows: number;
      readonly from: number;
      readonly to: number;
      readonly path: string;
    }
  | { readonly kind: 'dcgm'; readonly seed: string; readonly samples: number; readonly path: string }
  | { readonly kind: 'gzip'; readonly from: string; readonly path: string };

export type DataDone = { readonly bytes: number; readonly totals: TokenTotals | SampleTotals | null };

const GZIP_LEVEL = 6;
const ROWS_AT_ONCE = 500;

async function put(stream: WriteStream | ReturnType<typeof createGzip>, chunk: Buffer): Promise<void> {
  if (!stream.write(chunk)) await new Promise<void>((resolve) => stream.once('drain', () => resolve()));
}

/** Writes `path` and, with `gzipToo`, `path`.gz. Returns the plain size in bytes. */
async function write(chunks: Iterable<string>, path: string, gzipToo: boolean): Promise<number> {
  const plain = createWriteStream(path, { highWaterMark: 1 << 20 });
  const gzip = gzipToo ? createGzip({ level: GZIP_LEVEL }) : null;
  const zipped = gzip === null ? null : pipeline(gzip, createWriteStream(`${path}.gz`));
  let bytes = 0;
  for (const text of chunks) {
    const chunk = Buffer.from(text);
    bytes += chunk.length;
    await put(plain, chunk);
    if (gzip !== null) await put(gzip, chunk);
  }
  gzip?.end();
  await Promise.all([zipped, new Promise((resolve) => plain.end(resolve))]);
  return bytes;
}

function* scrapes(of: DcgmScrapes, count: number): Generator<string> {
  for (let number = 0; number < count; number++) yield of.scrape(number);
}

function* lines(of: LitellmPart, from: number, to: number): Generator<string> {
  for (let row = from; row < to; row += ROWS_AT_ONCE) yield of.lines(row, Math.min(row + ROWS_AT_ONCE, to));
}

async function run(job: DataJob): Promise<DataDone> {
  if (job.kind === 'gzip') {
    const file = createReadStream(job.from, { highWaterMark: 1 << 20 });
    await pipeline(file, createGzip({ level: GZIP_LEVEL }), createWriteStream(job.path));
    return { bytes: file.bytesRead, totals: null };
  }
  if (job.kind === 'dcgm') {
    const all = new DcgmScrapes(job.seed);
    return { bytes: await write(scrapes(all, Math.ceil(job.samples / SAMPLES_PER_SCRAPE)), job.path, false), totals: all.totals };
  }
  const part = new LitellmPart(job.seed, job.rows, job.from);
  return { bytes: await write(lines(part, job.from, job.to), job.path, true), totals: part.totals };
}

if (parentPort === null) throw new Error('data-worker.ts runs as a thread');
parentPort.postMessage(await run(workerData as DataJob));
