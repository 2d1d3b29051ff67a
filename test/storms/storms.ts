/** npm run storms: the hostile conditions of RELIABILITY 4.4 with their figures, on real parts. One row a case, as it goes. */
import { parseArgs } from 'node:util';
import { STORMS } from './cases.ts';
import { recordResults } from './record.ts';
import { grouped, runStorm, SMALL, type StormOptions, type StormResult } from './storm.ts';
import { tableFor } from './table.ts';

const HELP = `Plays hostile conditions on the real store, ingest, fold and close, and measures what came of each: rows lost, doubled or torn,
bytes summed that a checksum should have refused. See test/storms/README.md.

  npm run storms                                 every case with the figures of a commit
  npm run storms -- --long                       2,000 kills, ten minutes of racing writers
  npm run storms -- --small                      the form that npm test plays
  npm run storms -- --case truncated-gzip        one case (--case may be repeated)
  npm run storms -- --seed 7                     other random numbers (the same seed plays the same storm)
  npm run storms -- --record                     also writes the table into test/storms/README.md

  --kills N              SIGKILLs of real processes (500)
  --writer-seconds N     how long writers, sealers and compactors race (15)
  --commits N            commits of the month that is folded in case scale (210000)

Cases:
${STORMS.map(({ name, title }) => `  ${name.padEnd(24)} ${title}`).join('\n')}

Exit code: 0 all passed (or skipped, which is said), 1 a case failed, 2 wrong arguments.
`;

const FORMS: Readonly<Record<'small' | 'commit' | 'long', StormOptions>> = {
  small: SMALL,
  commit: { small: false, seed: '1', kills: 500, writerSeconds: 15, commits: 210_000 },
  long: { small: false, seed: '1', kills: 2000, writerSeconds: 600, commits: 210_000 },
};

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
const clear = (): void => void (onTerminal && process.stderr.write('\r\u001b[K'));

const table = tableFor(process.stdout.columns ?? null);
const results: StormResult[] = [];
process.stdout.write(
  `Storms with seed ${chosen.storm.seed}, ${chosen.form} form: ${chosen.names.length} cases\n\n${table.head.join('\n')}\n`,
);
for (const storm of STORMS.filter(({ name }) => chosen.names.includes(name))) {
  const note = (text: string): void => {
    if (!onTerminal) return;
    clear();
    process.stderr.write(`${storm.name}: ${text}`);
  };
  note('…');
  const result = await runStorm(storm, chosen.storm, note);
  clear();
  results.push(result);
  process.stdout.write(`${table.row(result).join('\n')}\n`);
}
const count = (outcome: StormResult['outcome']): number => results.filter((result) => result.outcome === outcome).length;
const seconds = results.reduce((sum, result) => sum + result.seconds, 0);
process.stdout.write(
  `\n${grouped(count('ok'))} passed, ${count('FAIL')} failed, ${count('skipped')} skipped in ${Math.round(seconds)} s (seed ${chosen.storm.seed})\n`,
);
if (chosen.record) recordResults(results, chosen.storm);
process.exitCode = count('FAIL') > 0 ? 1 : 0;
