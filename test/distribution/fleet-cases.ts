/** Short ways to write fleets in tests. */

import { due } from '../../functions/distribution/due.ts';
import { type DeployedRelease, EMPTY_FLEET, type Fleet, type RolloutPlan } from '../../functions/distribution/fleet.ts';
import type { Command, FleetEvent } from '../../functions/distribution/fleet-event.ts';
import { apply } from '../../functions/distribution/reducer.ts';

export function release(version: string): DeployedRelease {
  const digest = `sha256:${Buffer.from(version).toString('hex').padEnd(64, '0')}`;
  return {
    ...{
      releaseId: `chat-${version}`,
      service: 'chat',
      model: 'chat',
      modelVersion: version,
      repository: 'production-models/chat-service',
      tag: version,
    },
    ...{ digest, attestationDigest: `sha256:${'a'.repeat(64)}`, bytes: 1_000, trainingJob: `train-${version}` },
    ...{ optimisedAtMs: null, builtAtMs: null, pushedAtMs: null, attestedAtMs: null },
  };
}

export const PLAN: RolloutPlan = {
  waves: [
    { size: { edges: 1 }, maxFailed: 0, soakMs: 60_000 },
    { size: { percent: 100 }, maxFailed: 0, soakMs: 0 },
  ],
  ...{ slo: null, windows: [], settleMs: 1_800_000, gatherMs: 0, stuckMs: 1_800_000, rollbackWindowMs: 86_400_000 },
};

/** A fleet in time: each step says what happened, one second after the one before. */
export class Story {
  fleet: Fleet = EMPTY_FLEET;
  nowMs = 1_000_000;
  /** Everything that said something new. */
  readonly events: FleetEvent[] = [];
  #requests = 0;

  constructor(edges: readonly string[]) {
    for (const [order, edge] of edges.entries())
      this.tell({ type: 'edge_joined', atMs: 0, edge: { edge, site: edge, registry: `${edge}:5000`, bandwidth: null, hook: null, order } });
  }

  /** True when the event said something new. Events at 0 happen now. */
  tell(event: FleetEvent): boolean {
    const before = this.fleet;
    const told = event.atMs === 0 ? { ...event, atMs: this.nowMs } : event;
    this.fleet = apply(before, told);
    if (this.fleet !== before) this.events.push(told);
    return this.fleet !== before;
  }

  wait(ms: number): void {
    this.nowMs += ms;
  }

  order(): { atMs: number; requestId: string; actor: string } {
    this.#requests += 1;
    return { atMs: this.nowMs, requestId: `order ${this.#requests}`, actor: 'test' };
  }

  promote(version: string, plan: RolloutPlan = PLAN): void {
    this.tell({ ...this.order(), type: 'promoted', release: release(version), plan });
  }

  rollback(edges: readonly string[] | null = null, releaseId: string | null = null, plan: RolloutPlan = PLAN): boolean {
    return this.tell({ ...this.order(), type: 'rollback', service: 'chat', releaseId, edges, reason: 'test', plan });
  }

  generation(): number {
    return this.fleet.services['chat']?.generation ?? 0;
  }

  about(edge: string, version: string, generation = this.generation()) {
    return { atMs: this.nowMs, service: 'chat', edge, digest: release(version).digest, generation };
  }

  replicated(edge: string, version: string, bytesMoved = 10): boolean {
    const { repository, digest } = release(version);
    return this.tell({ type: 'replicated', atMs: this.nowMs, edge, repository, digest, by: 'event', bytesMoved });
  }

  prove(edge: string, version: string, generation?: number): boolean {
    return this.tell({ ...this.about(edge, version, generation), type: 'verified', bytesMoved: 0 });
  }

  live(edge: string, version: string, generation?: number): boolean {
    return this.tell({ ...this.about(edge, version, generation), type: 'live' });
  }

  due(): Command[] {
    return due(this.fleet, this.nowMs);
  }

  /** Edges that may be committed now, by generation. */
  commits(): Record<number, string[]> {
    return Object.fromEntries(
      this.due().flatMap((one) => (one.kind === 'commit' ? [[one.generation, one.edges.map(({ edge }) => edge)]] : [])),
    );
  }

  /** Does every commit that is due. */
  commit(): void {
    for (const one of this.due())
      if (one.kind === 'commit')
        this.tell({
          type: 'committed',
          atMs: this.nowMs,
          service: 'chat',
          generation: one.generation,
          edges: one.edges.map(({ edge }) => edge),
          commit: `c${one.generation}`,
        });
  }

  /** All the way to live at these edges, wave after wave. */
  through(version: string, edges: readonly string[]): void {
    for (const edge of edges) {
      this.replicated(edge, version);
      this.prove(edge, version);
    }
    for (const edge of edges) {
      this.wait(61_000);
      this.commit();
      this.live(edge, version);
    }
  }

  liveVersion(edge: string): string | undefined {
    return this.fleet.services['chat']?.targets[edge]?.live?.releaseId;
  }

  state(edge: string): string {
    const target = this.fleet.services['chat']?.targets[edge];
    const rollout = target?.upcoming ?? target?.settled;
    return rollout === null || rollout === undefined ? 'nothing' : `${rollout.releaseId} ${rollout.exit ?? rollout.stage}`;
  }
}
