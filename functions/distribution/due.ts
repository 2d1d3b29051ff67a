/** What is to be done in a state at an instant. Level-triggered: the answer depends on nothing that a crash could lose. */
import { type EdgeRollout, type EdgeState, type Fleet, isCommitted, type Run, type ServiceState, type Target } from './fleet.ts';
import type { Command } from './fleet-event.ts';
import { gateOf } from './gate.ts';
import { isFrozen } from './switches.ts';

/** An image that is on its way without a word is asked for after so long. */
export const POLL_AFTER_MS = 60_000;

/** Waits between attempts of a delivery; after the last it is dead until somebody replays it. */
export const DELIVERY_WAITS_MS = [1_000, 5_000, 30_000, 120_000, 600_000, 3_600_000, 3 * 3_600_000, 6 * 3_600_000, 12 * 3_600_000] as const;

/** Shape: services, then edges, by name. Within a wave one commit for all edges that are ready. */
export function due(fleet: Fleet, nowMs: number): Command[] {
  const names = Object.keys(fleet.services).sort();
  const commands = names.flatMap((name) => dueOfService(fleet, fleet.services[name]!, nowMs));
  return [
    ...commands,
    ...Object.keys(fleet.edges)
      .sort()
      .flatMap((edge) => dueDelivery(fleet.edges[edge]!, nowMs)),
  ];
}

function dueOfService(fleet: Fleet, service: ServiceState, nowMs: number): Command[] {
  const edges = Object.keys(service.targets).sort();
  const copies = edges.flatMap((edge) => dueAtEdge(fleet, service, edge, nowMs));
  const commits = service.runs.flatMap((run) => dueCommits(fleet, service, run, nowMs));
  return [...copies, ...commits];
}

function dueAtEdge(fleet: Fleet, service: ServiceState, name: string, nowMs: number): Command[] {
  const edge = fleet.edges[name];
  const target = service.targets[name];
  if (edge === undefined || target === undefined) return [];
  const reachable = edge.offlineSinceMs === null && edge.carried !== true;
  return [...dueAnnouncement(service, name, target), ...(reachable ? dueReplica(service, target.upcoming, nowMs) : [])];
}

function dueAnnouncement(service: ServiceState, edge: string, { settled }: Target): Command[] {
  const release = settled === null ? undefined : service.releases[settled.releaseId];
  if (settled === null || release === undefined || settled.announced !== null || settled.stage === 'live') return [];
  return [{ kind: 'announce', edge, release, generation: settled.generation, commit: settled.commit ?? '' }];
}

/** Replication runs ahead of the waves: only commits wait for them. */
function dueReplica(service: ServiceState, rollout: EdgeRollout | null, nowMs: number): Command[] {
  const release = rollout === null ? undefined : service.releases[rollout.releaseId];
  if (rollout === null || release === undefined || rollout.exit !== null || nowMs < rollout.retryAtMs) return [];
  const { edge, generation } = rollout;
  if (rollout.stage === 'pending') return [{ kind: rollout.stuck ? 'copy' : 'replicate', edge, release, repair: rollout.faults > 0 }];
  if (rollout.stage === 'replicated') return [{ kind: 'prove', edge, release, generation }];
  if (rollout.stage !== 'replicating') return [];
  if (rollout.stuck) return [{ kind: 'copy', edge, release, repair: rollout.faults > 0 }];
  return nowMs - (rollout.marks.replicating?.atMs ?? nowMs) >= POLL_AFTER_MS ? [{ kind: 'poll', edge, release }] : [];
}

function dueCommits(fleet: Fleet, service: ServiceState, run: Run, nowMs: number): Command[] {
  return run.waves.flatMap((members, wave) => {
    const ready = members.filter((edge) => isReady(fleet, service, run, edge, nowMs));
    if (ready.length === 0 || !gateOf(fleet, service, run, wave, nowMs).open || !isGathered(fleet, service, run, members, ready, nowMs))
      return [];
    const edges = ready.map((edge) => ({
      edge,
      registry: fleet.edges[edge]!.registry,
      release: service.releases[service.targets[edge]!.upcoming!.releaseId]!,
    }));
    return [{ kind: 'commit' as const, service: service.service, generation: run.generation, wave, edges }];
  });
}

/** Proven, here, wanted, and nothing older is still on its way from Git to serving. */
function isReady(fleet: Fleet, service: ServiceState, run: Run, name: string, nowMs: number): boolean {
  const edge = fleet.edges[name];
  const { upcoming = null, settled = null } = service.targets[name] ?? {};
  if (edge === undefined || edge.offlineSinceMs !== null || upcoming === null || upcoming.exit !== null) return false;
  if (upcoming.generation !== run.generation || upcoming.stage !== 'verified') return false;
  if (run.kind === 'rollback') return true;
  return !isFrozen(fleet, service.service, name) && (settled === null || !isSettling(service, settled, nowMs));
}

/** In Git and likely to be live soon: it is given the time. */
function isSettling(service: ServiceState, settled: EdgeRollout, nowMs: number): boolean {
  if (settled.stage === 'live' || settled.unhealthy) return false;
  const plan = service.runs.find(({ generation }) => generation === settled.generation)?.plan;
  return plan !== undefined && nowMs - (settled.marks.committed?.atMs ?? 0) <= plan.settleMs;
}

/** Everybody of the wave who is still to come is there, or was waited for long enough. */
function isGathered(
  fleet: Fleet,
  service: ServiceState,
  run: Run,
  members: readonly string[],
  ready: readonly string[],
  nowMs: number,
): boolean {
  const missing = members.some((edge) => {
    const rollout = service.targets[edge]?.upcoming ?? null;
    if (ready.includes(edge) || rollout === null || rollout.generation !== run.generation || rollout.exit !== null) return false;
    return !isCommitted(rollout) && !rollout.stuck && fleet.edges[edge]?.offlineSinceMs === null && fleet.edges[edge].carried !== true;
  });
  const oldest = Math.min(...ready.map((edge) => service.targets[edge]?.upcoming?.marks.verified?.atMs ?? nowMs));
  return !missing || nowMs - oldest >= run.plan.gatherMs;
}

function dueDelivery({ edge, delivery, offlineSinceMs }: EdgeState, nowMs: number): Command[] {
  if (delivery === null || delivery.state !== 'waiting' || offlineSinceMs !== null) return [];
  const wait = delivery.attempts === 0 ? 0 : (DELIVERY_WAITS_MS[delivery.attempts - 1] ?? 0);
  return nowMs < (delivery.lastAttemptMs ?? delivery.issuedAtMs) + wait ? [] : [{ kind: 'deliver', edge, sequence: delivery.sequence }];
}
