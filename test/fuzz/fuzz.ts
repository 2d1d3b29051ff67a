/** npm run fuzz: hostile input for every source, for a given time each, in child processes that are watched. */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { checkCase } from './check-case.ts';
import { parquetIngest } from './ingested.ts';
import { TARGET_NAMES } from './samples.ts';
import { sampleOf, storeCase, storedCase } from './stored-case.ts';
import type { Told } from './worker.ts';

const HELP = `Gives spoiled input to the real ingest and holds it to its rules: no crash, no hang, no lost line, no text of a row in
the quarantine, no number that the input does not show, the same rows however the bytes are cut. See test/fuzz/README.md.

  npm run fuzz                                     60 s for every source
  npm run fuzz -- --source litellm --seconds 600   one source for ten minutes (--source may be repeated)
  npm run fuzz -- --seed 7                         other random numbers; without it every run has its own
  npm run fuzz -- --replay test/fuzz/corpus/<situation>

  --workers N   sources side by side (default: one a core)
  --quiet       one line a source when it is done

A failing input is shrunk and written to test/fuzz/corpus/<situation>, which the tests replay from then on.
Exit code: 0 nothing found, 1 something found, 2 wrong arguments.
`;

/** No case takes a second; a process that stays this long with one hangs. */
const HANG_MS = 30_000;
/** Until its first object: a process starts late on a machine that is full, and no input is to blame. */
const START_MS = 300_000;
const HEAP_MIB = 256;
/** A failing input of at most so many bytes is printed too, for a machine whose disk is gone afterwards. */
const PRINTED_BYTES = 4096;
const RSS_CEILING_BYTES = 1024 ** 3;

interface Outcome {
  readonly source: string;
  readonly done: Extract<Told, { kind: 'done' }> | null;
  /** The process stood still with an object that was read in time when it was given again. */
  readonly stalled: boolean;
  readonly failure: { readonly broke: string; readonly folder: string; readonly bytes: Uint8Array } | null;
}

function options() {
  try {
    const { values } = parseArgs({
      options: {
        seconds: { type: 'string', default: '60' },
        source: { type: 'string', multiple: true },
        seed: { type: 'string' },
        replay: { type: 'string' },
        workers: { type: 'string', default: String(availableParallelism()) },
        quiet: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    const sources = values.source ?? TARGET_NAMES;
    for (const source of sources)
      if (!TARGET_NAMES.includes(source)) throw new Error(`no source is called ${source}; allowed: ${TARGET_NAMES.join(', ')}`);
    // A new seed each run finds what the last one missed; it is printed, so that any run can be repeated.
    const numbers = {
      seconds: Number(values.seconds),
      workers: Number(values.workers),
      seed: Number(values.seed ?? Math.trunc(Date.now() / 1000) % 1_000_000_000),
    };
    for (const [name, n] of Object.entries(numbers))
      if (!Number.isSafeInteger(n) || n < (name === 'seed' ? 0 : 1)) throw new Error(`--${name} is a whole number`);
    return { ...values, ...numbers, sources };
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${HELP}`);
    process.exit(2);
  }
}

/** What the child noted before the object it did not survive. */
function notedCase(folder: string): { readonly number: string; readonly sample: string; readonly bytes: Buffer } {
  const all = readFileSync(join(folder, 'current'));
  const [number = '', sample = '', length = '0'] = all.subarray(0, all.indexOf(0x0a)).toString().split(' ');
  const start = all.indexOf(0x0a) + 1;
  return { number, sample, bytes: all.subarray(start, start + Number(length)) };
}

/** Kills the child when it stays with one object; says so by the signal it ends with. */
function watch(child: ChildProcess, folder: string): NodeJS.Timeout {
  let last = '';
  let sinceMs = performance.now();
  return setInterval(() => {
    let now = '';
    try {
      now = notedCase(folder).number;
    } catch {
      // Nothing is noted yet.
    }
    if (now !== last) [last, sinceMs] = [now, performance.now()];
    else if (performance.now() - sinceMs > (last === '' ? START_MS : HANG_MS)) child.kill('SIGKILL');
  }, 1000);
}

async function fuzzSource(
  source: string,
  seconds: number,
  seed: number,
  folder: string,
  show: (source: string, executions: number) => void,
): Promise<Outcome> {
  const child = fork(join(import.meta.dirname, 'worker.ts'), [source, String(seconds), String(seed), folder], {
    execArgv: [`--max-old-space-size=${HEAP_MIB}`],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let said = '';
  let done: Outcome['done'] = null;
  let failure: Outcome['failure'] = null;
  child.stderr?.on('data', (chunk) => {
    said = `${said}${String(chunk)}`.slice(-4000);
  });
  child.on('message', (message: Told) => {
    if (message.kind === 'progress') show(source, message.executions);
    else if (message.kind === 'done') done = message;
    else failure = stored(source, message.sample, message.broke, message.seed, Buffer.from(message.input, 'base64'));
  });
  const timer = watch(child, folder);
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) => child.on('exit', (...end) => resolve(end)));
  clearInterval(timer);
  if (done === null && failure === null)
    failure = died(
      source,
      seed,
      folder,
      signal === 'SIGKILL'
        ? `hangs longer than ${HANG_MS / 1000} s`
        : `the process died (${signal ?? code}): ${said.trim().split('\n').slice(0, 6).join(' / ')}`,
    );
  // A disk that stands still hangs a process too: what the bytes do, they do again.
  const stalled = failure !== null && signal === 'SIGKILL' && (await endsInTime(failure.folder));
  if (stalled) failure = null;
  const end = done as Outcome['done'];
  if (end !== null && end.peakRssBytes > RSS_CEILING_BYTES)
    failure ??= {
      broke: `peak memory ${mib(end.peakRssBytes)} MiB, allowed ${mib(RSS_CEILING_BYTES)}`,
      folder: 'no one input',
      bytes: new Uint8Array(0),
    };
  return { source, done, stalled, failure };
}

/** Replays a stored case in a process of its own; when that ends, in time and well, the case is removed: it is none. */
async function endsInTime(folder: string): Promise<boolean> {
  const replaying = fork(import.meta.filename, ['--replay', folder], { stdio: 'ignore', timeout: HANG_MS });
  const code = await new Promise<number | null>((resolve) => replaying.on('exit', resolve));
  if (code === 0) rmSync(folder, { recursive: true, force: true });
  return code === 0;
}

function died(source: string, seed: number, folder: string, broke: string): Outcome['failure'] {
  try {
    const { sample, bytes } = notedCase(folder);
    return stored(source, sample, broke, seed, bytes);
  } catch {
    return { broke: `${broke} (before its first object, within ${START_MS / 1000} s)`, folder: 'no input', bytes: new Uint8Array(0) };
  }
}

function stored(source: string, sample: string, broke: string, seed: number, bytes: Buffer): Outcome['failure'] {
  const words = broke
    .toLowerCase()
    .replace(/[^a-z]+/g, '-')
    .slice(0, 50)
    .replace(/^-|-$/g, '');
  return { broke, bytes, folder: storeCase(`${source}-${words}`, sample, broke, seed, bytes) };
}

function mib(bytes: number): number {
  return Math.round(bytes / 1024 ** 2);
}

/** `reason field` → reasons with the number of fields they were met at. */
function reasonsOf(reached: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const place of reached) {
    const reason = place.startsWith('held ') ? place : place.split(' ')[0]!;
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  return [...counts].map(([reason, count]) => (count === 1 ? reason : `${reason} ×${count}`)).join(', ');
}

function foundLines({ broke, folder, bytes }: NonNullable<Outcome['failure']>): string {
  const shown = bytes.length > 0 && bytes.length <= PRINTED_BYTES ? `\n     base64: ${Buffer.from(bytes).toString('base64')}` : '';
  return `\n     ${broke}\n     input: ${folder}\n     again: npm run fuzz -- --replay ${folder}${shown}`;
}

function lineOf({ source, done, stalled, failure }: Outcome, quiet: boolean): string {
  const head = failure === null ? 'ok  ' : 'FAIL';
  const figures =
    done === null
      ? ''
      : `${done.executions} executions, ${Math.round((done.executions / done.elapsedMs) * 1000)}/s, ${done.reached.length} outcomes, peak ${mib(done.peakRssBytes)} MiB`;
  const found = stalled
    ? `stood still for ${HANG_MS / 1000} s and was ended; the object it was given is read in time`
    : failure === null
      ? ''
      : foundLines(failure);
  return `${head} ${source.padEnd(24)} ${figures}${quiet || done === null ? '' : `\n     ${reasonsOf(done.reached)}`}${found}`;
}

async function replay(folder: string): Promise<number> {
  const { sample, bytes } = storedCase(folder);
  const scratch = mkdtempSync(join(tmpdir(), 'kashi-fuzz-'));
  const parquet = await parquetIngest(scratch);
  try {
    process.stdout.write(`reached: ${[...(await checkCase(sampleOf(sample), bytes, parquet))].join(', ')}\n`);
    return 0;
  } catch (error) {
    process.stdout.write(`${(error as Error).stack}\n`);
    return 1;
  } finally {
    await parquet.close();
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function fuzzAll({ sources, seconds, seed, workers, quiet }: ReturnType<typeof options>): Promise<number> {
  const scratch = mkdtempSync(join(tmpdir(), 'kashi-fuzz-'));
  const waiting = [...sources];
  const outcomes: Outcome[] = [];
  const terminal = process.stderr.isTTY === true && !quiet;
  const show = (source: string, executions: number): void => {
    if (terminal) process.stderr.write(`\r\u001b[K${outcomes.length}/${sources.length} sources; ${source}: ${executions} executions`);
  };
  process.stdout.write(`${sources.length} sources, ${seconds} s each, ${workers} side by side, seed ${seed}\n`);
  const turns = Array.from({ length: Math.min(workers, sources.length) }, async () => {
    for (let source = waiting.shift(); source !== undefined; source = waiting.shift()) {
      const outcome = await fuzzSource(source, seconds, seed, join(scratch, source), show);
      outcomes.push(outcome);
      if (terminal) process.stderr.write('\r\u001b[K');
      process.stdout.write(`${lineOf(outcome, quiet)}\n`);
    }
  });
  await Promise.all(turns);
  rmSync(scratch, { recursive: true, force: true });
  const failed = outcomes.filter(({ failure }) => failure !== null);
  const executions = outcomes.reduce((sum, { done }) => sum + (done?.executions ?? 0), 0);
  const outcomesReached = outcomes.reduce((sum, { done }) => sum + (done?.reached.length ?? 0), 0);
  const peak = Math.max(...outcomes.map(({ done }) => done?.peakRssBytes ?? 0));
  process.stdout.write(
    `${executions} executions, ${outcomesReached} outcomes (reason × field × source), peak ${mib(peak)} MiB of ${mib(RSS_CEILING_BYTES)}; ${failed.length} sources failed\n`,
  );
  return failed.length === 0 ? 0 : 1;
}

const given = options();
if (given.help) process.stdout.write(HELP);
else process.exitCode = given.replay === undefined ? await fuzzAll(given) : await replay(given.replay);
