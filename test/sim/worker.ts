/** One process of the simulation: runs every step-th seed of a range, and tells its parent. */

import type { MomentsTold } from './moments.ts';
import { mutantNamed } from './mutants.ts';
import { patchModules, SIGNATURES_ONCE } from './patch-modules.ts';
import type { Counters } from './world.ts';

export interface Task {
  readonly from: number;
  readonly to: number;
  readonly step: number;
  readonly mutant: string | null;
  /** Ends at the first violation. */
  readonly untilKilled: boolean;
}

export type Told =
  | { readonly kind: 'progress'; readonly seeds: number }
  | { readonly kind: 'violation'; readonly seed: number; readonly text: string }
  | {
      readonly kind: 'done';
      readonly seeds: number;
      readonly violations: number;
      readonly counters: Counters;
      readonly cpuMs: number;
      /** Of a mutant: histories in which one thing happens at one call, and those that it violates. */
      readonly moments: MomentsTold | null;
    };

const TOLD_EVERY = 20;

const task = JSON.parse(process.argv[2] ?? '') as Task;
const mutant = task.mutant === null ? null : mutantNamed(task.mutant);
patchModules([...SIGNATURES_ONCE, ...(mutant?.patches ?? [])]);
// Only now: the modules are loaded with the lines replaced.
const { runSeed } = await import('./history.ts');
const { tellMoments } = await import('./moments.ts');

// Every lost answer is an error, and nobody reads where it was made.
Error.stackTraceLimit = 1;

const tell = (told: Told): void => void process.send?.(told);
const sums: Record<string, number> = {};
let seeds = 0;
let told = 0;
let violations = 0;
for (let seed = task.from; seed <= task.to; seed += task.step) {
  const { violation, counters } = await runSeed(seed, { mutation: mutant?.mutation ?? {} });
  seeds += 1;
  for (const [name, count] of Object.entries(counters)) sums[name] = (sums[name] ?? 0) + count;
  if (violation !== null) {
    violations += 1;
    // Of a mutant, one tells how it died.
    if (mutant === null || violations === 1) tell({ kind: 'violation', seed, text: violation });
    if (task.untilKilled) break;
  }
  if (seeds - told === TOLD_EVERY) {
    tell({ kind: 'progress', seeds: seeds - told });
    told = seeds;
    // Nothing of a seed waits for the real world, so messages leave between two.
    await new Promise((resolve) => setImmediate(resolve));
  }
}
// A mutant that no seed kills may die at an exact moment.
const moments = mutant !== null && violations === 0 ? await tellMoments(mutant.mutation) : null;
const { user, system } = process.cpuUsage();
tell({ kind: 'done', seeds, violations, counters: sums as unknown as Counters, cpuMs: (user + system) / 1000, moments });
process.disconnect?.();
