/** Each mutant in processes of its own, and what became of it. */
import { MUTANTS, type Mutant } from './mutants.ts';
import { type Outcome, runTask } from './processes.ts';
import { grouped, Progress } from './progress.ts';
import { recordMutants } from './record.ts';

export interface MutantResult {
  readonly mutant: Mutant;
  readonly outcome: Outcome;
}

interface MutantRun {
  readonly from: number;
  readonly seeds: number;
  readonly jobs: number;
  readonly untilKilled: boolean;
  readonly record: boolean;
}

/** 0 when every mutant is dead that must be. */
export async function runMutants({ from, seeds, jobs, untilKilled, record }: MutantRun): Promise<number> {
  const progress = new Progress('mutants', MUTANTS.length);
  const waiting = [...MUTANTS];
  const results = new Map<string, MutantResult>();
  async function work(): Promise<void> {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const outcome = await runTask({ from, to: from + seeds - 1, step: 1, mutant: mutant.name, untilKilled });
      results.set(mutant.name, { mutant, outcome });
      progress.say(line({ mutant, outcome }));
      progress.add(1);
    }
  }
  await Promise.all(Array.from({ length: jobs }, work));
  progress.end();
  const inOrder = MUTANTS.map(({ name }) => results.get(name)!);
  const alive = inOrder.filter(isAliveUnexpectedly);
  if (record) recordMutants(inOrder, seeds, untilKilled);
  const dead = inOrder.filter(({ outcome }) => outcome.violations > 0).length;
  process.stdout.write(
    `${grouped(MUTANTS.length)} mutants, ${grouped(dead)} killed, ${grouped(MUTANTS.length - dead - alive.length)} covered by another guard, ` +
      `${grouped(alive.length)} alive that must be dead${alive.map(({ mutant }) => `: ${mutant.name}`).join('')}\n`,
  );
  return alive.length === 0 ? 0 : 1;
}

/** Its guard is the only one, and it lives. */
function isAliveUnexpectedly({ mutant, outcome }: MutantResult): boolean {
  return outcome.violations === 0 && mutant.coveredBy === undefined;
}

function line(result: MutantResult): string {
  const { mutant, outcome } = result;
  const verdict = isAliveUnexpectedly(result) ? 'ALIVE  ' : outcome.violations === 0 ? 'covered' : 'killed ';
  const how =
    outcome.found[0] === undefined
      ? (mutant.coveredBy ?? '')
      : `seed ${outcome.found[0].seed}: ${outcome.found[0].text.split('\n')[0]!.slice(0, 110)}`;
  return `${verdict} ${`${grouped(outcome.violations)}/${grouped(outcome.seeds)}`.padStart(9)}  ${mutant.name.padEnd(40)} ${how}`;
}
