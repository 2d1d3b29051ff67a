#!/usr/bin/env node
/**
 * The generated month on a Trino cluster of this machine, beside the embedded engine: node bench/trino.ts --rows 1000000 --workers 2. The bill must be
 * the planted one on both. What is measured is bytes: which a statement reads does not depend on how busy the machine is, and Athena charges them.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { runTrino } from '../functions/adapters/trino-http.ts';
import { missingForTrino, startTrino, type TrinoServer } from '../test/trino/server.ts';
import { type BillData, billData } from './bill/data.ts';
import { END_MS, PERIOD, START_MS, shapeOf } from './bill/month.ts';
import { checkAnswer, kashiAnswer } from './bill/sides.ts';
import { type Ran, runMeasured } from './measure.ts';
import { type Say, sayer } from './progress.ts';
import { machineLine, recordSection } from './record.ts';
import { tableText } from './table.ts';

interface Options {
  readonly rows: number;
  readonly workers: number;
  readonly heap: number;
  readonly cache: string;
  readonly only?: string[];
  readonly record?: boolean;
  /** False: the questions alone. */
  readonly bill: boolean;
}

const KASHI = fileURLToPath(new URL('../functions/cli/launch.js', import.meta.url));
const USD_PER_TB = 5;
/** Athena charges at least so much for a statement. */
const LEAST_BYTES = 10_000_000;

const NOT_SAID = { bytes: null, statements: null, nodes: null };

/** What analysts ask beside the bill; of raw rows, because a day or a payer must not read the rest. */
const METERS = 'sum(input_uncached_tokens) as input_uncached, sum(output_tokens) as output_total';
const QUESTIONS: Readonly<Record<string, string>> = {
  "a tenant's month": `select model, count(*) as requests, ${METERS} from raw_token_usage where tenant_key = 'team-100' and event_at_ms >= ${START_MS} and event_at_ms < ${END_MS} group by model`,
  'all tenants, a month': `select tenant_key, model, count(*) as requests, ${METERS} from raw_token_usage where event_at_ms >= ${START_MS} and event_at_ms < ${END_MS} group by tenant_key, model`,
  'a day of all': `select model, count(*) as requests, ${METERS} from raw_token_usage where event_at_ms >= ${START_MS + 9 * 86_400_000} and event_at_ms < ${START_MS + 10 * 86_400_000} group by model`,
};

const count = (text: string): number => {
  const n = Number(text.replaceAll('_', ''));
  if (!Number.isSafeInteger(n) || n < 1) throw new InvalidArgumentError('allowed: a whole number from 1');
  return n;
};

await new Command('bench/trino')
  .description('a month on a Trino cluster of this machine, beside the embedded engine')
  .option('--rows <n>', 'requests; half as many samples, a hundredth as many allocations', count, 1_000_000)
  .option('--workers <n>', 'worker nodes beside the coordinator', count, 2)
  .option('--heap <gb>', 'Java heap of each node', count, 3)
  .option('--cache <dir>', 'folder for generated data and working files', join(tmpdir(), 'kashi-bench'))
  .option('--no-bill', 'only what analysts ask')
  .option('--record', 'write the results into bench/README.md')
  .addHelpText('after', '\nTrino comes from Maven Central into .cache/ and needs a JDK of version 24 or newer.')
  .action(run)
  .parseAsync();

interface Asked {
  readonly what: string;
  readonly engine: string;
  readonly ran: Ran;
  /** Null where the engine does not say. */
  readonly bytes: number | null;
  readonly statements: number | null;
  readonly nodes: number | null;
}

async function run(options: Options): Promise<void> {
  const missing = await missingForTrino();
  if (missing !== null) throw new Error(`nothing to compare with: ${missing}`);
  const say = sayer(Date.now);
  mkdirSync(options.cache, { recursive: true });
  const { rows } = options;
  const data = await billData(options.cache, shapeOf({ rows, samples: Math.ceil(rows / 2), allocations: Math.ceil(rows / 100) }), say);
  const work = mkdtempSync(join(options.cache, 'work-'));
  say(`Trino: a coordinator and ${options.workers} workers`);
  const trino = await startTrino({ workers: options.workers, heapGb: options.heap });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  try {
    await allThere(trino, options.workers);
    const asked = await askBoth(data, trino, work, options.bill, say);
    const lines = reportLines(data, options, asked);
    process.stdout.write(`\n${lines.join('\n')}\n`);
    if (options.record === true) recordSection(fileURLToPath(new URL('./README.md', import.meta.url)), 'trino', lines);
  } finally {
    await trino.stop();
    rmSync(work, { recursive: true, force: true });
  }
}

async function ask(trino: TrinoServer, sql: string): Promise<string[]> {
  const { rows } = await runTrino({ server: trino.url, user: 'bench', catalog: 'hive' }, sql);
  return (rows[0] ?? []).map(String);
}

async function allThere(trino: TrinoServer, workers: number): Promise<void> {
  for (let tries = 0; tries < 120; tries += 1) {
    const [active] = await ask(trino, "select count(*) from system.runtime.nodes where state = 'active' and not coordinator");
    if (Number(active) === workers) return;
    await wait(500);
  }
  throw new Error(`not all of ${workers} workers came to the coordinator`);
}

/** What kashi's statements have read so far, by the cluster's own count of its tasks. */
async function readSoFar(trino: TrinoServer): Promise<{ bytes: number; statements: number; nodes: number }> {
  const [bytes, statements, nodes] = await ask(
    trino,
    `select coalesce(sum(tasks.physical_input_bytes), 0), count(distinct tasks.query_id), count(distinct case when tasks.physical_input_bytes > 0 then tasks.node_id end)
     from system.runtime.tasks as tasks inner join system.runtime.queries as queries on queries.query_id = tasks.query_id where queries.source = 'kashi'`,
  );
  return { bytes: Number(bytes), statements: Number(statements), nodes: Number(nodes) };
}

async function askBoth({ folder, answer }: BillData, trino: TrinoServer, work: string, withBill: boolean, say: Say): Promise<Asked[]> {
  Object.assign(process.env, { KASHI_TRINO_URL: trino.url, KASHI_TRINO_DATA: trino.uri(join(folder, 'warehouse')) });
  const questions = [
    ...(withBill ? [{ what: 'the bill', command: ['bill', PERIOD, '--rows', '--json'] }] : []),
    ...Object.entries(QUESTIONS).map(([what, sql]) => ({ what, command: ['query', `${sql} order by 1, 2`, '--json'] })),
  ];
  const asked: Asked[] = [];
  for (const { what, command } of questions) {
    const answers: string[] = [];
    for (const engine of ['trino', 'duckdb']) {
      say(`${what}: ${engine}`);
      const before = await readSoFar(trino);
      const ran = await runMeasured([KASHI, ...command, '--config', join(folder, 'kashi.yaml'), '--engine', engine], work);
      if (command[0] === 'bill') checkAnswer(`kashi on ${engine}`, answer, kashiAnswer(ran.stdout));
      answers.push(ran.stdout);
      const after = await readSoFar(trino);
      const read =
        engine === 'trino'
          ? { bytes: after.bytes - before.bytes, statements: after.statements - before.statements, nodes: after.nodes }
          : NOT_SAID;
      asked.push({ what, engine, ran, ...read });
    }
    if (command[0] === 'query' && answers[0] !== answers[1])
      throw new Error(`the engines differ on ${what}\n  trino:  ${answers[0]?.slice(0, 500)}\n  duckdb: ${answers[1]?.slice(0, 500)}`);
  }
  return asked;
}

function reportLines({ shape, stored }: BillData, { workers, heap }: Options, asked: readonly Asked[]): string[] {
  const bytesOf = Object.values(stored).reduce((sum, { bytes }) => sum + bytes, 0);
  const mb = (n: number): string => (n / 1e6).toLocaleString('en-US', { maximumFractionDigits: 1 });
  const usd = (bytes: number, statements: number): string => ((Math.max(bytes, statements * LEAST_BYTES) / 1e12) * USD_PER_TB).toFixed(4);
  const body = asked.map(({ what, engine, ran, bytes, statements, nodes }) => [
    what,
    engine,
    ran.taken.wallS.toFixed(1),
    bytes === null ? '' : mb(bytes),
    bytes === null ? '' : `${((100 * bytes) / bytesOf).toFixed(1)} %`,
    statements === null ? '' : String(statements),
    nodes === null ? '' : String(nodes),
    bytes === null || statements === null ? '' : usd(bytes, statements),
  ]);
  const header = ['question', 'engine', 'wall s', 'MB scanned', 'of the stored', 'statements', 'nodes that read', 'USD on Athena'];
  return [
    `${machineLine()} Trino 476: a coordinator and ${workers} workers, ${heap} GB of heap each.`,
    '',
    `${shape.rows.toLocaleString('en-US')} requests, ${shape.samples.toLocaleString('en-US')} samples, ${shape.allocations.toLocaleString('en-US')} allocations; ${mb(bytesOf)} MB stored. Both engines came to the planted bill, and to the same rows of each question.`,
    '',
    ...tableText(header, body),
  ];
}
