/** npm run sim: the protocol's own modules on a faulty store in virtual time. Seeds, mutants, crash points. */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { CRASH_POINTS, type CrashPoint } from './crash-points.ts';
import { keepSeeds } from './kept-seeds.ts';
import { MOMENT_NAMES } from './moment-names.ts';
import { runMutants } from './mutant-run.ts';
import { MUTANTS, type Mutant, mutantNamed } from './mutants.ts';
import { patchModules, SIGNATURES_ONCE } from './patch-modules.ts';
import { type Outcome, runSeeds } from './processes.ts';
import { grouped, Progress } from './progress.ts';
import { recordSeeds } from './record.ts';

const HELP = `Lets a whole centre live through months in milliseconds: many processes ingest, fold, compact, collect and close at once over a store that
loses answers, stalls and kills them. Every write is held to the invariants, and every bill is computed again at the end. See test/sim/README.md.

  npm run sim                                20,000 seeds
  npm run sim -- --seeds 1000 --from 50000   other seeds
  npm run sim -- --seed 93                   one seed, with everything that happens in it
  npm run sim -- --mutants                   each guard taken away in turn: every mutant must be killed, or is covered by a named guard
  npm run sim -- --mutants --until-killed    the same, each only until it is dead
  npm run sim -- --mutants --mutant NAME     only this one
  npm run sim -- --mutant NAME --seed N      one seed of it, with everything that happens
  npm run sim -- --crash-points              a stop at every call of one history, and at pairs of calls
  npm run sim -- --crash-point NAME          one named point, with everything that happens
  npm run sim -- --moment NAME --call N      one thing at one call: somebody sleeps for nine days, a log is rotated

  --seeds N     how many seeds (default 20000; with --mutants 600 each)
  --from N      the first seed (default 1)
  --pairs N     with --crash-points: how many pairs besides those of named points (default 3000)
  --jobs N      processes (default: one a core)
  --record      writes what was counted into test/sim/README.md

Crash points:
${wrapped(CRASH_POINTS.map(({ name }) => name))}

Moments:
${wrapped(MOMENT_NAMES)}

Mutants:
${wrapped(MUTANTS.map(({ name }) => name))}

A seed that fails is added to test/sim/kept-seeds.json, which npm test replays.
Exit code: 0 nothing violated and no mutant alive that must be dead, 1 otherwise, 2 wrong arguments.
`;

function wrapped(names: readonly string[]): string {
  const lines = [' '];
  for (const name of names) {
    if (lines.at(-1)!.length + name.length > 118) lines.push(' ');
    lines.push(`${lines.pop()} ${name}${name === names.at(-1) ? '' : ';'}`);
  }
  return lines.join('\n');
}

function options() {
  try {
    const { values } = parseArgs({
      options: {
        seeds: { type: 'string' },
        from: { type: 'string', default: '1' },
        seed: { type: 'string' },
        mutants: { type: 'boolean', default: false },
        mutant: { type: 'string' },
        'until-killed': { type: 'boolean', default: false },
        'crash-points': { type: 'boolean', default: false },
        'crash-point': { type: 'string' },
        moment: { type: 'string' },
        call: { type: 'string', default: '1' },
        pairs: { type: 'string', default: '3000' },
        jobs: { type: 'string', default: String(availableParallelism()) },
        record: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    const whole = (name: string, text: string, least: number): number => {
      const n = Number(text);
      if (!Number.isSafeInteger(n) || n < least) throw new Error(`--${name} is a whole number from ${least} on, found ${text}`);
      return n;
    };
    const mutant: Mutant | null = values.mutant === undefined ? null : mutantNamed(values.mutant);
    if (values.mutant !== undefined && mutant === null) throw new Error(`no mutant is called ${values.mutant}; --help lists them`);
    const point = CRASH_POINTS.find(({ name }) => name === values['crash-point']) ?? null;
    if (values['crash-point'] !== undefined && point === null)
      throw new Error(`no crash point is called ${values['crash-point']}; --help lists them`);
    if (values.moment !== undefined && !MOMENT_NAMES.includes(values.moment))
      throw new Error(`no moment is called ${values.moment}; --help lists them`);
    return {
      ...values,
      call: whole('call', values.call, 1),
      mutant,
      point,
      seeds: whole('seeds', values.seeds ?? (values.mutants ? '600' : '20000'), 1),
      from: whole('from', values.from, 0),
      seed: values.seed === undefined ? null : whole('seed', values.seed, 0),
      pairs: whole('pairs', values.pairs, 0),
      jobs: whole('jobs', values.jobs, 1),
    };
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${HELP}`);
    process.exit(2);
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** One seed with its story. */
async function replay(seed: number, mutant: Mutant | null): Promise<number> {
  patchModules(mutant?.patches ?? []);
  const { runSeed } = await import('./history.ts');
  const { violation, digest, counters } = await runSeed(seed, { mutation: mutant?.mutation ?? {}, log: say });
  say(`\nseed ${seed}${mutant === null ? '' : ` of mutant ${mutant.name}`}: ${JSON.stringify(counters)}`);
  say(violation === null ? `0 violations, end state ${digest}` : `1 violation: ${violation}`);
  return violation === null ? 0 : 1;
}

/** One history of a moment with its story. */
async function tellMoment(name: string, call: number, mutant: Mutant | null): Promise<number> {
  patchModules(mutant?.patches ?? []);
  const { MOMENTS } = await import('./moments.ts');
  const { violation, reached } = await MOMENTS[name]!(call, mutant?.mutation ?? {}, say);
  say(reached ? '' : `there are fewer than ${call} calls`);
  say(violation === null ? '0 violations' : `1 violation: ${violation}`);
  return violation === null ? 0 : 1;
}

async function runMany(from: number, seeds: number, jobs: number, mutant: Mutant | null): Promise<Outcome> {
  const progress = new Progress('seeds', seeds);
  const task = { from, to: from + seeds - 1, mutant: mutant?.name ?? null, untilKilled: false };
  const outcome = await runSeeds(task, Math.min(jobs, seeds), (told) => {
    if (told.kind === 'progress') progress.add(told.seeds);
    else if (told.kind === 'violation') progress.say(`seed ${told.seed}: ${told.text}`);
  });
  progress.end();
  return outcome;
}

function seedsText({ seeds, violations, counters }: Outcome): string {
  const { calls, faults, deaths, stalls, commits, snapshots, bills, corrections, compactions, deleted } = counters;
  return [
    `${grouped(calls)} store calls, ${grouped(faults)} errors, ${grouped(deaths)} deaths, ${grouped(stalls)} stalls`,
    `${grouped(commits)} commits, ${grouped(snapshots)} snapshots, ${grouped(compactions)} compactions, ${grouped(deleted)} files collected, ` +
      `${grouped(bills)} bills, ${grouped(corrections)} statements of corrections`,
    `${grouped(seeds)} seeds, ${grouped(violations)} ${violations === 1 ? 'violation' : 'violations'}`,
  ].join('\n');
}

async function crashPoints(point: CrashPoint | null, pairs: number, record: boolean): Promise<number> {
  patchModules(SIGNATURES_ONCE);
  const { runCrashPoints } = await import('./crash-run.ts');
  return await runCrashPoints(point, pairs, record);
}

async function main(): Promise<number> {
  const chosen = options();
  const { from, seeds, jobs, mutant, record } = chosen;
  if (chosen.help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (chosen.mutants) return await runMutants({ only: mutant, from, seeds, jobs, untilKilled: chosen['until-killed'], record });
  if (chosen.point !== null || chosen['crash-points']) return await crashPoints(chosen.point, chosen.pairs, record);
  if (chosen.moment !== undefined) return await tellMoment(chosen.moment, chosen.call, mutant);
  if (chosen.seed !== null) return await replay(chosen.seed, mutant);
  const startedMs = performance.now();
  const outcome = await runMany(from, seeds, jobs, mutant);
  const seconds = (performance.now() - startedMs) / 1000;
  say(
    `${(seeds / seconds).toFixed(1)} seeds/s on ${jobs} processes, ${((seeds * 1000) / outcome.cpuMs).toFixed(1)} seeds per second of processor`,
  );
  if (mutant === null && process.env['CI'] === undefined) {
    const kept = keepSeeds(outcome.found.map(({ seed, text }) => ({ seed, found: text.split('\n')[0]! })));
    if (kept > 0) say(`${kept} kept in test/sim/kept-seeds.json`);
  }
  if (record) recordSeeds(outcome, seconds, jobs, from);
  say(seedsText(outcome));
  return outcome.violations === 0 ? 0 : 1;
}

process.exitCode = await main();
