/** Which edges go together. */
import type { WavePlan } from './fleet.ts';

/**
 * Edges cut into waves, in their order; the last wave takes what is left. Percentages are of all edges, rounded up, and a wave has one at least.
 * Shape: no empty wave but for a fleet without edges; every edge in exactly one.
 * Example: 20 edges in waves of 1 edge, 10 %, 50 %, rest → 1, 2, 10, 7.
 */
export function wavesOf(edges: readonly string[], plans: readonly WavePlan[]): string[][] {
  const waves: string[][] = [];
  let next = 0;
  for (const [index, { size }] of plans.entries()) {
    if (next >= edges.length) break;
    const wanted = 'edges' in size ? size.edges : Math.ceil((edges.length * size.percent) / 100);
    const end = index === plans.length - 1 ? edges.length : next + Math.max(1, wanted);
    waves.push(edges.slice(next, end));
    next = end;
  }
  if (next < edges.length) waves.push(edges.slice(next));
  return waves;
}
