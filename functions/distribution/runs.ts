/** Promotions and rollbacks: a new generation of a service, its waves, and a rollout for each edge. */
import { EMPTY_TARGET, emptyService, ended, withService } from './change.ts';
import type { DeployedRelease, EdgeRollout, Fleet, Run, ServiceState, Stage, Target } from './fleet.ts';
import type { EventOf } from './fleet-event.ts';
import { wavesOf } from './waves.ts';

/** Runs that are remembered in the state; the event log has them all. */
const RUNS = 8;

/**
 * A release becomes what every edge should run. What is not in Git yet of an older generation is superseded; what is in Git first comes to
 * its end, so that releases in quick succession do not starve each other. The release that is wanted already changes nothing.
 */
export function promoted(fleet: Fleet, event: EventOf<'promoted'>): Fleet {
  const { release } = event;
  const before = fleet.services[release.service] ?? emptyService(release.service);
  if (before.wanted === release.releaseId) return fleet;
  const generation = before.generation + 1;
  const edges = inOrder(fleet);
  const waves = wavesOf(edges, event.plan.waves);
  const run: Run = { ...runOf(event, release.service, generation, waves), kind: 'promotion', releaseId: release.releaseId, reason: null };
  const targets = { ...before.targets };
  for (const edge of edges) {
    const target = targets[edge] ?? EMPTY_TARGET;
    const upcoming = newRollout(
      edge,
      generation,
      release,
      waves.findIndex((wave) => wave.includes(edge)),
      event.atMs,
      'pending',
    );
    targets[edge] = { ...target, upcoming: target.pin === null ? upcoming : { ...upcoming, exit: 'skipped' } };
  }
  const releases = { ...before.releases, [release.releaseId]: release };
  return withService(
    fleet,
    pruned({ ...before, generation, wanted: release.releaseId, releases, runs: [run, ...superseded(before.runs)], targets }),
  );
}

/**
 * Every edge that has, or is about to have, the release that is left goes back to what it ran before, or to the release that is named. The image is
 * still there, so nothing is replicated; it is proven again all the same. Edges that never had it keep what they have. A release that no edge
 * has to do with changes nothing.
 */
export function rolledBack(fleet: Fleet, event: EventOf<'rollback'>): Fleet {
  const before = fleet.services[event.service];
  const left = before?.wanted ?? null;
  if (before === undefined || left === null || event.releaseId === left) return fleet;
  if (event.releaseId !== null && before.releases[event.releaseId] === undefined) return fleet;
  const chosen = (edge: string): boolean => event.edges === null || event.edges.includes(edge);
  const generation = before.generation + 1;
  const targets: Record<string, Target> = {};
  const moved: string[] = [];
  let recent = true;
  for (const [edge, target] of Object.entries(before.targets)) {
    if (!chosen(edge)) {
      targets[edge] = target;
      continue;
    }
    const back = wayBack(before, target, event.releaseId, left);
    if (back === null) targets[edge] = withHeld(target);
    else {
      moved.push(edge);
      const until = target.kept.find(({ releaseId }) => releaseId === back.releaseId)?.untilMs ?? 0;
      recent &&= event.atMs - until <= event.plan.rollbackWindowMs;
      targets[edge] = { ...target, upcoming: newRollout(edge, generation, back, 0, event.atMs, 'replicated') };
    }
  }
  const stopped = Object.entries(targets).some(([edge, target]) => target !== before.targets[edge]);
  if (!stopped) return fleet;
  const all = event.edges === null;
  const order = inOrder(fleet).filter((edge) => moved.includes(edge));
  const waves = recent ? [order] : wavesOf(order, event.plan.waves);
  for (const [wave, edges] of waves.entries())
    for (const edge of edges) targets[edge] = { ...targets[edge]!, upcoming: { ...targets[edge]!.upcoming!, wave } };
  const run: Run = {
    ...runOf(event, event.service, generation, waves),
    kind: 'rollback',
    releaseId: left,
    reason: event.reason,
  };
  return withService(
    fleet,
    pruned({
      ...before,
      generation,
      wanted: all ? (event.releaseId ?? mostKept(targets, left) ?? null) : before.wanted,
      runs: [run, ...(all ? superseded(before.runs) : before.runs)],
      targets,
    }),
  );
}

/** What is not in Git yet does not come any more, not even when a pin is lifted. */
function withHeld(target: Target): Target {
  const { upcoming } = target;
  const held = upcoming?.exit === 'skipped' ? { ...upcoming, exit: 'held' as const } : ended(upcoming, 'held');
  return held === upcoming ? target : { ...target, upcoming: held };
}

/** The release an edge goes back to; null when it does not have the one that is left, or knows no other. */
export function wayBack(service: ServiceState, target: Target, to: string | null, left: string): DeployedRelease | null {
  const { settled, live } = target;
  // Where bundles are carried, an edge may serve what Git does not say yet.
  const now = settled === null || (live !== null && live.generation > settled.generation) ? live : settled;
  if (now === null || target.pin !== null || (to === null && now.releaseId !== left) || now.releaseId === to) return null;
  const kept = target.kept.find(({ releaseId }) => (to === null ? releaseId !== left : releaseId === to));
  return kept === undefined ? null : (service.releases[kept.releaseId] ?? null);
}

/** What most edges go back to: what the next edge that joins should get. */
function mostKept(targets: Readonly<Record<string, Target>>, left: string): string | null {
  const counts = new Map<string, number>();
  for (const { upcoming, live } of Object.values(targets)) {
    const releaseId = upcoming?.exit === null ? upcoming.releaseId : live?.releaseId;
    if (releaseId !== undefined && releaseId !== left) counts.set(releaseId, (counts.get(releaseId) ?? 0) + 1);
  }
  return [...counts].sort(([a, countA], [b, countB]) => countB - countA || (a < b ? -1 : 1))[0]?.[0] ?? null;
}

/** A rollout that begins. A rollback begins where the image already is, and must prove it. */
export function newRollout(
  edge: string,
  generation: number,
  release: DeployedRelease,
  wave: number,
  atMs: number,
  stage: Stage,
): EdgeRollout {
  return {
    edge,
    generation,
    releaseId: release.releaseId,
    digest: release.digest,
    wave,
    stage,
    exit: null,
    marks: { [stage]: { atMs, by: 'kashi' } },
    bytesMoved: 0,
    faults: 0,
    lastFault: null,
    retryAtMs: 0,
    stuck: false,
    unhealthy: false,
    announced: null,
    commit: null,
  };
}

function runOf(
  { requestId, actor, atMs, plan }: EventOf<'promoted'> | EventOf<'rollback'>,
  service: string,
  generation: number,
  waves: readonly (readonly string[])[],
): Omit<Run, 'kind' | 'releaseId' | 'reason'> {
  return { service, generation, requestId, actor, startedAtMs: atMs, plan, waves, state: 'distributing', paused: false };
}

function superseded(runs: readonly Run[]): Run[] {
  return runs.map((run) => (run.state === 'distributing' ? { ...run, state: 'superseded' } : run));
}

/** Edges in the order of waves. */
export function inOrder(fleet: Fleet): string[] {
  return Object.values(fleet.edges)
    .sort((left, right) => left.order - right.order || (left.edge < right.edge ? -1 : 1))
    .map(({ edge }) => edge);
}

/** Forgets runs and releases that no edge has to do with any more. */
function pruned(service: ServiceState): ServiceState {
  const runs = service.runs.slice(0, RUNS);
  const needed = new Set<string | null>([service.wanted, ...runs.map(({ releaseId }) => releaseId)]);
  for (const { settled, upcoming, live, kept } of Object.values(service.targets))
    for (const one of [settled, upcoming, live, ...kept]) if (one !== null) needed.add(one.releaseId);
  return { ...service, runs, releases: Object.fromEntries(Object.entries(service.releases).filter(([id]) => needed.has(id))) };
}
