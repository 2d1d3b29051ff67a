/** `bench ingest`: kashi's ingest command beside one COPY of the bare engine, on the same files, taking turns. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { type Ran, runMeasured, type Taken } from '../measure.ts';
import { type Say, sayer } from '../progress.ts';
import { recordSection } from '../record.ts';
import { checkParquet } from './check.ts';
import { dcgmData, litellmData } from './data.ts';
import { type Input, inputsOf } from './inputs.ts';
import { type Measured, reportLines } from './report.ts';

interface Options {
  readonly rows: number;
  readonly samples: number;
  readonly runs: number;
  readonly seed: string;
  readonly cache: string;
  readonly only?: string[];
  readonly record?: boolean;
}

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const KASHI = here('../../functions/cli/launch.js');

export function ingestCase(positive: (text: string) => number): Command {
  return new Command('ingest')
    .description('LiteLLM logs and dcgm-exporter scrapes into the warehouse, beside DuckDB alone')
    .option('--rows <n>', 'rows of the LiteLLM log', positive, 5_000_000)
    .option('--samples <n>', 'samples (lines with a value) of the DCGM scrapes', positive, 2_000_000)
    .option('--runs <n>', 'runs of each side on each input, taking turns', positive, 3)
    .option('--seed <text>', 'seed of the generated data', '1')
    .option('--cache <dir>', 'folder for generated data and working files', join(tmpdir(), 'kashi-bench'))
    .option('--only <input...>', 'inputs to run: plain, gzip, plain-parts, gzip-parts, dcgm (default: all)')
    .option('--record', 'write the results into bench/README.md')
    .addHelpText(
      'after',
      '\nEach run is its own process and starts with an empty warehouse; what it stored is held against what was planted.\n' +
        'Generated data stay in the cache folder (about 3 GB for a million rows); delete it when you are done.\n\n' +
        'Examples:\n  npm run bench ingest                                                 the default size, about half an hour on 2 cores\n' +
        '  npm run bench -- ingest --rows 200000 --samples 200000 --runs 1      a quick look\n' +
        '  npm run bench -- ingest --only plain gzip --rows 1000000             one log, both forms',
    )
    .action(run);
}

async function run(options: Options): Promise<void> {
  const say = sayer(Date.now);
  const inputs = await chosenInputs(options, say);
  mkdirSync(options.cache, { recursive: true });
  const work = mkdtempSync(join(options.cache, 'work-'));
  const clean = (): void => rmSync(work, { recursive: true, force: true });
  process.once('exit', clean);
  // Ctrl-C leaves no warehouse and no process behind.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  const measured: Measured[] = [];
  try {
    for (const input of inputs) {
      measured.push(await measureInput(input, options.runs, work, say));
      process.stderr.write('\n');
    }
  } finally {
    clean();
  }
  const lines = reportLines(measured, options.runs);
  process.stdout.write(`${lines.join('\n')}\n`);
  if (options.record === true) {
    recordSection(here('../README.md'), 'ingest', lines);
    process.stderr.write('recorded in bench/README.md\n');
  }
}

async function chosenInputs(options: Options, say: Say): Promise<Input[]> {
  const { cache, seed, rows, samples, only } = options;
  const wanted = (name: string): boolean => only === undefined || only.includes(name);
  const names = ['plain', 'gzip', 'plain-parts', 'gzip-parts', 'dcgm'];
  const unknown = only?.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new Error(`unknown input\n  where:   --only\n  allowed: ${names.join(', ')}\n  found:   ${unknown}`);
  const litellm = names.slice(0, 4).some(wanted) ? await litellmData(cache, seed, rows, say) : null;
  const dcgm = wanted('dcgm') ? await dcgmData(cache, seed, samples, say) : null;
  return inputsOf(litellm, dcgm).filter(({ name }) => wanted(name));
}

/** Raw limit first, which also brings the files into the page cache; then kashi and peer in turn. */
async function measureInput(input: Input, runs: number, work: string, say: Say): Promise<Measured> {
  const measured: Measured = { input, raw: [], kashi: [], peer: [] };
  const turn = async (side: 'raw' | 'kashi' | 'peer', run: number, measure: () => Promise<Taken>): Promise<void> => {
    const what = `${input.name}: ${side}, run ${run} of ${runs}`;
    say(what);
    const taken = await measure();
    measured[side].push(taken);
    say(`${what}: ${taken.wallS.toFixed(2)} s`);
  };
  const readAll = async (): Promise<Taken> =>
    (await runMeasured([here('raw.ts'), input.compressed ? 'gunzip' : 'read', ...input.files], work)).taken;
  for (let run = 1; run <= runs; run++) await turn('raw', run, readAll);
  for (let run = 1; run <= runs; run++) {
    await turn('kashi', run, () => runKashi(input, work));
    await turn('peer', run, () => runPeer(input, work));
  }
  return measured;
}

/** The command as a user gives it, into an empty warehouse, commit and snapshot included. */
async function runKashi(input: Input, work: string): Promise<Taken> {
  const warehouse = join(work, 'warehouse');
  const ran = await runMeasured(
    [KASHI, 'ingest', ...input.files, '--source', input.source, '--site', 'hq', '--warehouse', warehouse, '--json'],
    work,
  );
  checkLines(input, ran);
  await checkParquet(input.kind, join(warehouse, 'data', '**', '*.parquet'), input.totals, 'kashi');
  rmSync(warehouse, { recursive: true });
  return ran.taken;
}

/** Every planted line is valid by kashi's own count. */
function checkLines(input: Input, { stdout }: Ran): void {
  const { total } = JSON.parse(stdout) as { total: { valid: number; quarantined: number; held: number } };
  if (BigInt(total.valid) !== input.units || total.quarantined !== 0 || total.held !== 0)
    throw new Error(
      `kashi counts something else than what was planted\n  planted: ${input.units} lines\n  found:   ${JSON.stringify(total)}`,
    );
}

async function runPeer(input: Input, work: string): Promise<Taken> {
  const out = join(work, 'peer.parquet');
  const { taken } = await runMeasured([here('peer.ts'), input.kind, out, ...input.files], work);
  await checkParquet(input.kind, out, input.totals, 'the peer');
  rmSync(out);
  return taken;
}
