/** Random plans to spoil a valid object, as fast-check arbitraries: a failing plan shrinks to fewer and simpler steps. */
import fc from 'fast-check';
import { mutated, PACKINGS, type Packing, packed, STEPS, type Step } from './mutate.ts';
import type { Sample } from './samples.ts';

export interface Plan {
  /** Which of the objects to begin from, modulo their number. */
  readonly base: number;
  readonly steps: readonly Step[];
  readonly packing: Packing;
}

/** An object to begin from: a fixture, or what earlier plans made of one. */
export interface Base {
  readonly sample: Sample;
  readonly bytes: Buffer;
}

const step: fc.Arbitrary<Step> = fc.record({
  step: fc.constantFrom(...STEPS),
  line: fc.nat(500),
  at: fc.nat(100_000),
  pick: fc.nat(10_000),
});

const harm = fc.record({ how: fc.constantFrom('cut' as const, 'flip' as const), at: fc.nat(1_000_000) });

const packing: fc.Arbitrary<Packing> = fc.oneof(
  { weight: 8, arbitrary: fc.constant<Packing>({ how: 'none', harm: null }) },
  { weight: 2, arbitrary: fc.record({ how: fc.constantFrom(...PACKINGS), harm: fc.option(harm, { freq: 2, nil: null }) }) },
);

export const plans: fc.Arbitrary<Plan> = fc.record({
  base: fc.nat(100_000),
  steps: fc.array(step, { minLength: 0, maxLength: 4, size: 'max' }),
  packing,
});

export function made(plan: Plan, bases: readonly Base[]): { readonly sample: Sample; readonly bytes: Buffer } {
  const { sample, bytes } = bases[plan.base % bases.length]!;
  return { sample, bytes: packed(mutated(bytes, plan.steps, sample.reading.source?.framing === 'binary'), plan.packing) };
}
