/** Seeds that once found something: replayed by npm test from then on. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface KeptSeed {
  readonly seed: number;
  readonly found: string;
}

const FILE = join(import.meta.dirname, 'kept-seeds.json');

export function keptSeeds(): readonly KeptSeed[] {
  return JSON.parse(readFileSync(FILE, 'utf8')) as KeptSeed[];
}

/** Adds those that are not there yet. Returns how many. */
export function keepSeeds(found: readonly KeptSeed[]): number {
  const kept = keptSeeds();
  const fresh = found.filter(({ seed }) => !kept.some((one) => one.seed === seed));
  const all = [...kept, ...fresh].sort((left, right) => left.seed - right.seed);
  if (fresh.length > 0) writeFileSync(FILE, `${JSON.stringify(all, null, 2)}\n`);
  return fresh.length;
}
