/**
 * How long a release took to every edge: the instants t0 … t9 of each edge, and between them how much was work and how much was waiting for
 * what. Derived from the event log; nobody types a time in.
 */
import { type DeployedRelease, EMPTY_FLEET, type Fleet, type Run } from './fleet.ts';
import type { FleetEvent } from './fleet-event.ts';
import { wavePlan } from './gate.ts';
import { apply } from './reducer.ts';

/** Instants of one service, generation and edge, epoch ms; null where it was not seen, or not reached. */
export interface EdgeTimes {
  readonly service: string;
  readonly generation: number;
  readonly kind: 'promotion' | 'rollback';
  readonly edge: string;
  readonly site: string;
  readonly wave: number;
  readonly release: DeployedRelease;
  /** t0 */
  readonly promotedMs: number;
  /** t5 … t9 */
  readonly replicatedMs: number | null;
  readonly verifiedMs: number | null;
  readonly committedMs: number | null;
  readonly syncedMs: number | null;
  readonly liveMs: number | null;
  /** When another release went live at the edge; null while this one is. */
  readonly replacedMs: number | null;
  readonly bytesMoved: number;
}

/** Milliseconds of each part of the way; null where one of its ends is unknown. They add up to liveMs − promotedMs. */
export interface EdgeParts {
  readonly replicate: number | null;
  readonly prove: number | null;
  /** Earlier waves were not live yet. */
  readonly wave: number | null;
  readonly soak: number | null;
  /** For the rest of the wave, a window, a pause, or kashi itself. */
  readonly queue: number | null;
  readonly sync: number | null;
  readonly start: number | null;
}

interface Timeline {
  readonly runs: readonly Run[];
  readonly times: readonly EdgeTimes[];
}

/** All edges of all generations, in the order in which their rollouts began. */
export async function readTimeline(events: AsyncIterable<FleetEvent> | Iterable<FleetEvent>): Promise<Timeline> {
  const times = new Map<string, EdgeTimes>();
  const runs = new Map<string, Run>();
  let fleet: Fleet = EMPTY_FLEET;
  for await (const event of events) {
    const next = apply(fleet, event);
    for (const [name, service] of Object.entries(next.services)) {
      if (service === fleet.services[name]) continue;
      for (const run of service.runs) runs.set(`${name} ${run.generation}`, run);
      for (const [edge, target] of Object.entries(service.targets)) {
        if (target !== fleet.services[name]?.targets[edge]) noteTarget(times, next, name, edge);
      }
    }
    fleet = next;
  }
  return { runs: [...runs.values()], times: [...times.values()] };
}

function noteTarget(times: Map<string, EdgeTimes>, fleet: Fleet, name: string, edge: string): void {
  const service = fleet.services[name]!;
  const { settled, upcoming, live } = service.targets[edge]!;
  for (const rollout of [settled, upcoming]) {
    const run = service.runs.find(({ generation }) => generation === rollout?.generation);
    const release = rollout === null ? undefined : service.releases[rollout.releaseId];
    if (rollout === null || run === undefined || release === undefined) continue;
    const key = `${name} ${rollout.generation} ${edge}`;
    const { marks, generation, wave, bytesMoved } = rollout;
    times.set(key, {
      ...{ service: name, generation, kind: run.kind, edge, site: fleet.edges[edge]?.site ?? edge, wave, release },
      promotedMs: times.get(key)?.promotedMs ?? Math.max(run.startedAtMs, run.kind === 'promotion' ? 0 : run.startedAtMs),
      replicatedMs: marks.replicated?.atMs ?? null,
      verifiedMs: marks.verified?.atMs ?? null,
      committedMs: marks.committed?.atMs ?? null,
      syncedMs: marks.synced?.atMs ?? null,
      liveMs: marks.live?.atMs ?? null,
      replacedMs: times.get(key)?.replacedMs ?? null,
      bytesMoved,
    });
  }
  if (live === null) return;
  for (const [key, one] of times) {
    if (one.service !== name || one.edge !== edge || one.liveMs === null || one.replacedMs !== null) continue;
    if (one.generation < live.generation) times.set(key, { ...one, replacedMs: live.sinceMs });
  }
}

/** Work apart from waiting. `all`: every edge of the same generation, for what the waves before took. */
export function partsOf(one: EdgeTimes, run: Run, all: readonly EdgeTimes[]): EdgeParts {
  const { promotedMs, replicatedMs, verifiedMs, committedMs, syncedMs, liveMs } = one;
  const between = (from: number | null, to: number | null): number | null => (from === null || to === null ? null : Math.max(0, to - from));
  const waiting = waitOf(one, run, all);
  return {
    replicate: between(promotedMs, replicatedMs),
    prove: between(replicatedMs ?? promotedMs, verifiedMs),
    ...waiting,
    sync: between(committedMs, syncedMs ?? liveMs),
    start: syncedMs === null ? (liveMs === null ? null : 0) : between(syncedMs, liveMs),
  };
}

function waitOf(
  { generation, verifiedMs, committedMs, wave }: EdgeTimes,
  run: Run,
  all: readonly EdgeTimes[],
): Pick<EdgeParts, 'wave' | 'soak' | 'queue'> {
  if (verifiedMs === null || committedMs === null) return { wave: null, soak: null, queue: null };
  const before = all.filter((other) => other.generation === generation && other.wave < wave);
  const liveMs = Math.max(verifiedMs, ...before.map((other) => Math.min(other.liveMs ?? verifiedMs, committedMs)));
  const soakMs = wave === 0 ? 0 : wavePlan(run.plan, wave - 1).soakMs;
  const soakedMs = Math.min(
    committedMs,
    before.length === 0 ? verifiedMs : Math.max(verifiedMs, Math.max(...before.map((other) => other.liveMs ?? verifiedMs)) + soakMs),
  );
  const end = Math.max(liveMs, soakedMs);
  return { wave: liveMs - verifiedMs, soak: end - liveMs, queue: committedMs - end };
}

/** Time until so many of the edges were live, in ms; null while they are not. Example: 3 edges live after 1, 2 and 9 s: 50 % after 2 s. */
export function timeToShare(times: readonly EdgeTimes[], percent: number): number | null {
  const lives = times
    .map(({ liveMs, promotedMs }) => (liveMs === null ? Number.POSITIVE_INFINITY : liveMs - promotedMs))
    .sort((a, b) => a - b);
  const at = lives[Math.max(0, Math.ceil((lives.length * percent) / 100) - 1)];
  return at === undefined || at === Number.POSITIVE_INFINITY ? null : at;
}

/** The value below which so many percent lie, by nearest rank; null for none. */
export function percentile(values: readonly number[], percent: number): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? null;
}
