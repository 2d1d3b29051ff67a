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
  /** Null: all. */
  readonly only: Mutant | null;
  readonly from: number;
  readonly seeds: number;
  readonly jobs: number;
  readonly untilKilled: boolean;
  readonly record: boolean;
}

/** 0 when every mutant is dead that must be. */
export async function runMutants({ only, from, seeds, jobs, untilKilled, record }: MutantRun): Promise<number> {
  const waiting = only === null ? [...MUTANTS] : [only];
  const progress = new Progress('mutants', waiting.length);
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
  const inOrder = MUTANTS.flatMap(({ name }) => results.get(name) ?? []);
  const alive = inOrder.filter(isAliveUnexpectedly);
  if (record) recordMutants(inOrder, seeds, untilKilled);
  const dead = inOrder.filter(isKilled).length;
  process.stdout.write(
    `${grouped(inOrder.length)} mutants, ${grouped(dead)} killed, ${grouped(inOrder.length - dead - alive.length)} covered by another guard, ` +
      `${grouped(alive.length)} alive that must be dead${alive.map(({ mutant }) => `: ${mutant.name}`).join('')}\n`,
  );
  return alive.length === 0 ? 0 : 1;
}

/** By a seed, or at a moment. */
function isKilled({ outcome }: MutantResult): boolean {
  return outcome.violations > 0 || (outcome.moments?.violations ?? 0) > 0;
}

/** Its guard is the only one, and it lives. */
function isAliveUnexpectedly(result: MutantResult): boolean {
  return !isKilled(result) && result.mutant.coveredBy === undefined;
}

/** How it showed first; empty when it did not. */
export function howItShowed({ outcome }: MutantResult): string {
  const [found] = outcome.found;
  const text = found === undefined ? (outcome.moments?.first[0] ?? '') : `seed ${found.seed}: ${found.text}`;
  return text.split('\n')[0]!.replace(/[0-9a-f]{64}/g, (hash) => `${hash.slice(0, 8)}…`);
}

function line(result: MutantResult): string {
  const { mutant, outcome } = result;
  const verdict = isAliveUnexpectedly(result) ? 'ALIVE  ' : isKilled(result) ? 'killed ' : 'covered';
  const counts = [`${grouped(outcome.violations)}/${grouped(outcome.seeds)}`, momentsText(result)];
  return `${verdict} ${counts[0]!.padStart(9)} ${counts[1]!.padStart(9)}  ${mutant.name.padEnd(40)} ${(howItShowed(result) || (mutant.coveredBy ?? '')).slice(0, 120)}`;
}

export function momentsText({ outcome: { moments } }: MutantResult): string {
  return moments === null ? '' : `${grouped(moments.violations)}/${grouped(moments.moments)}`;
}
