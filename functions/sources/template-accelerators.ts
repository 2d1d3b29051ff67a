/** Accelerators of a job that is described by pod templates and counts (Kueue pod sets, Volcano tasks). */
import { Rational } from '../domain/money.ts';
import type { ResourceCatalog } from './accelerator-resources.ts';
import { child, type JsonObject } from './fields.ts';
import { type PodAccelerators, podAccelerators } from './pod-accelerators.ts';
import { type Rejection, reject } from './source.ts';

export interface TemplateSet {
  readonly template: JsonObject | null;
  readonly count: number;
}

/**
 * Σ count × accelerators of one pod of the template, or null when no template asks for any.
 * Errors: those of podAccelerators; out_of_range from a million accelerators on.
 * Example: 1 launcher without and 4 workers with nvidia.com/gpu: 8 → '32.000000'.
 */
export function templateAccelerators(sets: readonly TemplateSet[], catalog: ResourceCatalog): PodAccelerators | Rejection | null {
  const held: PodAccelerators[] = [];
  let total = Rational.of(0);
  for (const { template, count } of sets) {
    const spec = child(template, 'spec');
    if (spec === null) continue;
    const each = podAccelerators({ spec }, catalog);
    if (each === null) continue;
    if ('reason' in each) return each;
    total = total.add(Rational.of(each.count).multiply(Rational.of(count)));
    held.push(each);
  }
  if (total.n === 0n) return null;
  if (total.compare(Rational.of(1_000_000)) >= 0) return reject('out_of_range', 'template');
  const models = new Set(held.map(({ model }) => model));
  const names = new Set(held.flatMap(({ resourceName }) => resourceName.split(',')));
  return { count: total.toFixed(6), resourceName: [...names].sort().join(','), model: models.size === 1 ? ([...models][0] ?? null) : null };
}
