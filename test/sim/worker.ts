/** One process of the simulation: runs every step-th seed of a range, and tells its parent. */
import type { Counters } from './world.ts';
import { mutantNamed } from './mutants.ts';
import { patchModules } from './patch-modules.ts';

export interface Task {
  readonly from: number;
  readonly to: number;
  readonly step: number;
  readonly mutant: string | null;
}

export type Told =
  | { readonly kind: 'progress'; readonly seeds: number }
  | { readonly kind: 'violation'; readonly seed: number; readonly text: string }
  | { readonly kind: 'done'; readonly seeds: number; readonly violations: number; readonly counters: Counters; readonly cpuMs: number };

const TOLD_EVERY = 50;

const task = JSON.parse(process.argv[2] ?? '') as Task;
const mutant = task.mutant === null ? null : mutantNamed(task.mutant);
patchModules(mutant?.patches ?? []);
// Only now: the modules are loaded with the lines replaced.
const { runSeed } = await import('./history.ts');

const tell = (told: Told): void => void process.send?.(told);
const sums: Record<string, number> = {};
let seeds = 0;
let violations = 0;
for (let seed = task.from; seed <= task.to; seed += task.step) {
  const { violation, counters } = await runSeed(seed, { mutation: mutant?.mutation ?? {} });
  seeds += 1;
  for (const [name, count] of Object.entries(counters)) sums[name] = (sums[name] ?? 0) + count;
  if (violation !== null) {
    violations += 1;
    // Of a mutant, one tells how it died.
    if (mutant === null || violations === 1) tell({ kind: 'violation', seed, text: violation });
  }
  if (seeds % TOLD_EVERY === 0) tell({ kind: 'progress', seeds });
}
const { user, system } = process.cpuUsage();
tell({ kind: 'done', seeds, violations, counters: sums as unknown as Counters, cpuMs: (user + system) / 1000 });
process.disconnect?.();
