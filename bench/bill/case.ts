/** `bench bill`: a month's bill by kashi, beside what a user would take instead, on the same Parquet, taking turns. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, Option } from 'commander';
import { comparisonLines, lastRecorded, recordLast } from '../last.ts';
import type { Taken } from '../measure.ts';
import { type Say, sayer } from '../progress.ts';
import { recordSection } from '../record.ts';
import { type BillData, billData } from './data.ts';
import { type Size, shapeOf } from './month.ts';
import { readEverything } from './raw.ts';
import { type BillResults, ratiosOf, reportLines } from './report.ts';
import { checkAnswer, missingFor, missingForLitellm, runLitellm, runSide, SIDES, type SideName, TITLES } from './sides.ts';

interface Options extends Partial<Size> {
  readonly runs: number;
  readonly cache: string;
  readonly only?: SideName[];
  readonly litellm: number;
  readonly record?: boolean;
}

const README = fileURLToPath(new URL('../README.md', import.meta.url));
/** Of the small form. A ratio by CPU moves by a tenth on a busy machine. */
const SMALL: Size = { rows: 1_000_000, samples: 500_000, allocations: 10_000 };
const MOST_MORE = 1.3;

export function billCase(positive: (text: string) => number): Command {
  return new Command('bill')
    .description('the bill of a month, beside bare DuckDB, Polars, ClickHouse and the cost function of LiteLLM')
    .option('--rows <n>', 'requests', positive, 10_000_000)
    .option('--samples <n>', 'accelerator samples (default: half as many as rows)', positive)
    .option('--allocations <n>', 'allocations (default: a hundredth of the rows)', positive)
    .option('--runs <n>', 'runs of each side, taking turns', positive, 3)
    .option('--cache <dir>', 'folder for generated data and working files', join(tmpdir(), 'kashi-bench'))
    .addOption(new Option('--only <side...>', 'sides to run (default: all)').choices([...SIDES, 'litellm']))
    .option('--litellm <n>', 'requests that are rated by the cost function of LiteLLM', positive, 50_000)
    .option('--record', 'write the results into bench/README.md and bench/last.json')
    .addHelpText(
      'after',
      '\nEvery side must come to the planted lines, quantities and amounts, or the run ends. Polars, chDB and LiteLLM are installed from PyPI into .cache/.\n\n' +
        'Examples:\n  npm run bench bill                                              10 million requests, about ten minutes on 2 cores\n' +
        '  npm run bench -- bill --rows 100000000 --runs 1 --record       the full month\n' +
        '  npm run bench -- bill --rows 1000000 --only kashi duckdb       a quick look',
    )
    .action(async (options: Options) => {
      const { rows = 10_000_000 } = options;
      const size = { rows, samples: options.samples ?? Math.ceil(rows / 2), allocations: options.allocations ?? Math.ceil(rows / 100) };
      await run(size, options);
    });
}

async function run(size: Size, options: Options): Promise<void> {
  const results = await measure(size, options);
  const name = nameOf(results.data);
  const lines = reportLines(results, options.runs);
  const ratios = ratiosOf(results);
  process.stdout.write(`${[...lines, '', ...comparisonLines(name, ratios)].join('\n')}\n`);
  if (options.record !== true) return;
  recordSection(README, 'bill', lines);
  recordLast(name, ratios);
  process.stderr.write('recorded in bench/README.md and bench/last.json\n');
}

const nameOf = ({ shape }: BillData): string => `bill ${shape.rows} requests, ${shape.samples} samples, ${shape.allocations} allocations`;

/** kashi and bare DuckDB on a small month. Exit code 1 when kashi takes a third more CPU beside it than when it was last recorded. */
export async function smallBill(options: { readonly record?: boolean; readonly cache: string }): Promise<void> {
  const results = await measure(SMALL, { ...options, runs: 3, only: ['kashi', 'duckdb'], litellm: 0 });
  const [name, ratios] = [nameOf(results.data), ratiosOf(results)];
  process.stdout.write(`${[...reportLines(results, 3), '', ...comparisonLines(name, ratios)].join('\n')}\n`);
  if (options.record === true) recordLast(name, ratios);
  const last = lastRecorded(name);
  for (const [what, ratio] of Object.entries(ratios).filter(([key]) => key.endsWith('by CPU'))) {
    const most = (last?.[what] ?? Number.POSITIVE_INFINITY) * MOST_MORE;
    if (ratio <= most) continue;
    process.stderr.write(`${what} is ${ratio.toFixed(2)}; allowed: ${most.toFixed(2)}, which is ${MOST_MORE} times what was recorded\n`);
    process.exitCode = 1;
  }
}

async function measure(size: Size, { cache, runs, only, litellm }: Omit<Options, 'record'>): Promise<BillResults> {
  const say = sayer(Date.now);
  mkdirSync(cache, { recursive: true });
  const data = await billData(cache, shapeOf(size), say);
  const work = mkdtempSync(join(cache, 'work-'));
  const clean = (): void => rmSync(work, { recursive: true, force: true });
  process.once('exit', clean);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  try {
    const isWanted = (name: string): boolean => only === undefined || (only as readonly string[]).includes(name);
    const { sides, absent } = await available(SIDES.filter(isWanted), say);
    const raw = await readEverything(data, work);
    const taken = new Map<SideName, Taken[]>(sides.map((side) => [side, []]));
    for (let turn = 1; turn <= runs; turn++)
      for (const side of sides) taken.get(side)?.push(await oneTurn(side, data, work, `run ${turn} of ${runs}`, say));
    const lacking = isWanted('litellm') && litellm > 0 ? await missingForLitellm() : 'not asked for';
    if (lacking === null) say('LiteLLM, request by request');
    const rate = lacking === null ? await runLitellm(data, litellm, work) : null;
    return { data, raw, taken, absent, litellm: rate };
  } finally {
    clean();
    process.stderr.write('\n');
  }
}

async function available(wanted: readonly SideName[], say: Say): Promise<{ sides: SideName[]; absent: string[] }> {
  const sides: SideName[] = [];
  const absent: string[] = [];
  for (const side of wanted) {
    say(`${TITLES[side]}: looking for its parts`);
    const missing = await missingFor(side);
    if (missing === null) sides.push(side);
    else absent.push(`${TITLES[side]}: ${missing}`);
  }
  return { sides, absent };
}

async function oneTurn(side: SideName, data: BillData, work: string, what: string, say: Say): Promise<Taken> {
  say(`${TITLES[side]}: ${what}`);
  const { answer, taken } = await runSide(side, data, work);
  checkAnswer(TITLES[side], data.answer, answer);
  say(`${TITLES[side]}: ${what}: ${taken.wallS.toFixed(2)} s`);
  return taken;
}
