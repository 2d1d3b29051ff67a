/** Seeds on several processes: the simulation itself has one thread, and a mutant wants modules of its own. */
import { fork } from 'node:child_process';
import { join } from 'node:path';
import type { Task, Told } from './worker.ts';

export type Done = Extract<Told, { kind: 'done' }>;
export type Found = Extract<Told, { kind: 'violation' }>;

export interface Outcome extends Omit<Done, 'kind'> {
  readonly found: readonly Found[];
}

/** Young objects die young: a larger nursery spares the collector a tenth of the time. */
const NODE_OPTIONS = ['--max-semi-space-size=32', '--disable-warning=ExperimentalWarning'];

/** Runs one task in a process of its own. Errors: the process ended without saying how it went, with what it wrote. */
export async function runTask(task: Task, onTold: (told: Told) => void = () => {}): Promise<Outcome> {
  const child = fork(join(import.meta.dirname, 'worker.ts'), [JSON.stringify(task)], {
    execArgv: NODE_OPTIONS,
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  const found: Found[] = [];
  let done: Done | null = null;
  let wrote = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    wrote = `${wrote}${chunk.toString('utf8')}`.slice(-4000);
  });
  child.on('message', (told: Told) => {
    if (told.kind === 'violation') found.push(told);
    if (told.kind === 'done') done = told;
    onTold(told);
  });
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  // The compiler does not see that a listener has set it.
  const end = done as Done | null;
  if (code !== 0 || end === null) throw new Error(`a process of the simulation ended with ${code}: ${wrote.trim() || 'it wrote nothing'}`);
  return { ...end, found };
}

/** All seeds of a range on so many processes. */
export async function runSeeds(task: Omit<Task, 'step'>, jobs: number, onTold: (told: Told) => void): Promise<Outcome> {
  const parts = Array.from({ length: jobs }, (_, place) => runTask({ ...task, from: task.from + place, step: jobs }, onTold));
  return (await Promise.all(parts)).reduce(together);
}

function together(left: Outcome, right: Outcome): Outcome {
  const names = Object.keys({ ...left.counters, ...right.counters }) as (keyof Outcome['counters'])[];
  return {
    seeds: left.seeds + right.seeds,
    violations: left.violations + right.violations,
    counters: Object.fromEntries(
      names.map((name) => [name, (left.counters[name] ?? 0) + (right.counters[name] ?? 0)]),
    ) as unknown as Outcome['counters'],
    cpuMs: left.cpuMs + right.cpuMs,
    moments: left.moments ?? right.moments,
    found: [...left.found, ...right.found].sort((one, other) => one.seed - other.seed),
  };
}
