/** Seeded decisions of one simulated centre. */
import { Random } from '../../functions/generate/random.ts';

export class Chance {
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = new Random(String(seed), 'rollout');
  }

  /** Whole number in [0, below). */
  below(below: number): number {
    return this.#random.word() % below;
  }

  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  /** True so many times in 10,000. */
  in10000(times: number): boolean {
    return this.below(10_000) < times;
  }

  one<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
}
