/** npm run storms: the hostile conditions of RELIABILITY 4.4 with their figures, on real parts. One row a case, as it ends. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { STORMS } from './cases.ts';
import { recordResults } from './record.ts';
import { byWorkers, grouped, runStorm, SMALL, type StormOptions, type StormResult } from './storm.ts';
import { tableFor } from './table.ts';

const HELP = `Plays hostile conditions on the real store, ingest, fold and close, and measures what came of each: rows lost, doubled or torn,
bytes summed that a checksum should have refused. See test/storms/README.md.

  npm run storms                                 every case with the figures of a commit, about five minutes on two quiet cores
  npm run storms -- --long                       500 kills, ten minutes of racing writers, 210,000 commits as files, more flipped bytes
  npm run storms -- --small                      the form that npm test plays
  npm run storms -- --case truncated-gzip        one case (--case may be repeated)
  npm run storms -- --seed 7                     other random numbers (the same seed plays the same storm)
  npm run storms -- --json                       results as JSON
  npm run storms -- --record                     also writes the table into test/storms/README.md

  --kills N              SIGKILLs of real processes (200; --long 500)
  --writer-seconds N     how long writers, sealers and compactors race (15; --long 600)
  --commits N            commits of the month that is folded in case scale (210000)

Cases:
${STORMS.map(({ name, title }) => `  ${name.padEnd(24)} ${title}`).join('\n')}

Exit code: 0 every case came out as wanted, 1 a case failed, 2 wrong arguments.
`;

const FORMS: Readonly<Record<'small' | 'commit' | 'long', StormOptions>> = {
  small: SMALL,
  commit: { small: false, seed: '1', kills: 200, writerSeconds: 15, commits: 210_000, onDisk: false, flipEvery: { signed: 7, named: 499 } },
  long: { small: false, seed: '1', kills: 500, writerSeconds: 600, commits: 210_000, onDisk: true, flipEvery: { signed: 1, named: 31 } },
};
/** Cases side by side, each in a process of its own. */
const CONCURRENT_CASES = 2;

function options() {
  try {
    const { values } = parseArgs({
      options: {
        case: { type: 'string', multiple: true },
        small: { type: 'boolean', default: false },
        long: { type: 'boolean', default: false },
        seed: { type: 'string', default: '1' },
        kills: { type: 'string' },
        'writer-seconds': { type: 'string' },
        commits: { type: 'string' },
        json: { type: 'boolean', default: false },
        record: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    const names = values.case ?? STORMS.map(({ name }) => name);
    for (const name of names)
      if (!STORMS.some((storm) => storm.name === name))
        throw new Error(`no case is called ${name}; allowed: ${STORMS.map((storm) => storm.name).join(', ')}`);
    if (values.small && values.long) throw new Error('--small and --long exclude each other');
    const form = values.small ? 'small' : values.long ? 'long' : 'commit';
    const base = FORMS[form];
    const number = (text: string | undefined, fallback: number, flag: string): number => {
      const n = Number(text ?? fallback);
      if (!Number.isSafeInteger(n) || n < 1) throw new Error(`--${flag} is a whole number from 1, found ${text}`);
      return n;
    };
    return {
      ...values,
      form,
      names,
      storm: {
        ...base,
        seed: values.seed,
        kills: number(values.kills, base.kills, 'kills'),
        writerSeconds: number(values['writer-seconds'], base.writerSeconds, 'writer-seconds'),
        commits: number(values.commits, base.commits, 'commits'),
      },
    };
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${HELP}`);
    process.exit(2);
  }
}

const chosen = options();
if (chosen.help) {
  process.stdout.write(HELP);
  process.exit(0);
}

const onTerminal = process.stderr.isTTY === true;
const clear = (): void => void (onTerminal && process.stderr.write('\r\u001b[2K'));
const say = (text: string): void => {
  clear();
  if (onTerminal) process.stderr.write(text);
};

/** Plays one case in this process. */
async function here(name: string): Promise<StormResult> {
  const storm = STORMS.find((one) => one.name === name)!;
  return await runStorm(storm, chosen.storm, (text) => say(`${name}: ${text}`));
}

/** Plays one case in a process of its own: what it does to its memory, or its death, is its own. */
async function apart(name: string): Promise<StormResult> {
  const args = [fileURLToPath(import.meta.url), ...process.argv.slice(2).filter((flag) => !['--json', '--record'].includes(flag))];
  const started = performance.now();
  return await new Promise((done) => {
    execFile(process.execPath, [...withoutCases(args), '--case', name, '--json'], { maxBuffer: 1 << 26 }, (_error, stdout, stderr) => {
      try {
        const [result] = JSON.parse(stdout) as [StormResult];
        done(result);
      } catch {
        const seconds = (performance.now() - started) / 1000;
        done({ name, title: '', wanted: '', measured: `the process died\n${stderr.slice(-4000)}`, outcome: 'FAIL', seconds });
      }
    });
  });
}

function withoutCases(args: readonly string[]): string[] {
  return args.filter((arg, place) => arg !== '--case' && args[place - 1] !== '--case' && !arg.startsWith('--case='));
}

const table = tableFor(process.stdout.columns ?? null);
const results: StormResult[] = [];
const running = new Set<string>();
if (!chosen.json)
  process.stdout.write(
    `Storms with seed ${chosen.storm.seed}, ${chosen.form} form: ${chosen.names.length} cases\n\n${table.head.join('\n')}\n`,
  );
// The longest first, so that nobody waits for it alone in the end.
const order = [...chosen.names].sort((a, b) => Number(b === 'kills') - Number(a === 'kills'));
const started = performance.now();
await byWorkers(CONCURRENT_CASES, order, async (name) => {
  running.add(name);
  say(`${results.length} of ${order.length} done, playing ${[...running].join(', ')}`);
  const result = await (order.length === 1 ? here(name) : apart(name));
  running.delete(name);
  results.push(result);
  clear();
  if (!chosen.json) process.stdout.write(`${table.row(result).join('\n')}\n`);
});
const count = (outcome: StormResult['outcome']): number => results.filter((result) => result.outcome === outcome).length;
const seconds = Math.round((performance.now() - started) / 1000);
if (chosen.json) process.stdout.write(`${JSON.stringify(results, null, 1)}\n`);
else process.stdout.write(`\n${grouped(count('ok'))} passed, ${count('FAIL')} failed in ${seconds} s (seed ${chosen.storm.seed})\n`);
if (chosen.record) recordResults(results, chosen.form, chosen.storm.seed);
process.exitCode = count('FAIL') > 0 ? 1 : 0;
