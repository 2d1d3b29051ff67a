/** What people watch: how long the way of a release takes, edge by edge, and how many edges are in trouble. Derived from the state alone. */
import { type EdgeRollout, type Fleet, isCommitted, type Run, rolloutOf, type ServiceState } from './fleet.ts';
import { gateOf } from './gate.ts';
import type { EdgeParts, EdgeTimes } from './lead-time.ts';
import { isFrozen } from './switches.ts';

/** Instants of the way, t0 … t9; null where one was not seen, or is not reached. Epoch ms. */
export type Instants = Readonly<Record<InstantName, number | null>>;
export const INSTANTS = [
  't0_promoted',
  't1_optimised',
  't2_built',
  't3_pushed',
  't4_attested',
  't5_replicated',
  't6_verified',
  't7_committed',
  't8_synced',
  't9_live',
] as const;
export type InstantName = (typeof INSTANTS)[number];

/** wave, soak and queue are waiting; the others are work. */
export const WAITING: ReadonlySet<keyof EdgeParts> = new Set(['wave', 'soak', 'queue']);

/** A release is built and attested before it is promoted, so t1 … t4 lie before t0. */
export function instantsOf(one: EdgeTimes): Instants {
  const { release } = one;
  return {
    t0_promoted: one.promotedMs,
    t1_optimised: release.optimisedAtMs,
    t2_built: release.builtAtMs,
    t3_pushed: release.pushedAtMs,
    t4_attested: release.attestedAtMs,
    t5_replicated: one.replicatedMs,
    t6_verified: one.verifiedMs,
    t7_committed: one.committedMs,
    t8_synced: one.syncedMs,
    t9_live: one.liveMs,
  };
}

/** Of one run, the times of every edge that is still known to the state; the log has those of older runs (lead-time.ts). */
export function timesOfRun(fleet: Fleet, run: Run): EdgeTimes[] {
  const service = fleet.services[run.service];
  if (service === undefined) return [];
  return Object.keys(service.targets)
    .sort()
    .flatMap((edge) => {
      const rollout = rolloutOf(service.targets[edge]!, run.generation);
      const release = rollout === null ? undefined : service.releases[rollout.releaseId];
      if (rollout === null || release === undefined) return [];
      const { marks, wave, bytesMoved } = rollout;
      const at = (stage: keyof typeof marks): number | null => marks[stage]?.atMs ?? null;
      return {
        ...{ service: run.service, generation: run.generation, kind: run.kind, edge, site: fleet.edges[edge]?.site ?? edge, wave, release },
        ...{ promotedMs: run.startedAtMs, replicatedMs: at('replicated'), verifiedMs: at('verified'), committedMs: at('committed') },
        ...{ syncedMs: at('synced'), liveMs: at('live'), replacedMs: null, bytesMoved },
      };
    });
}

export interface FleetMeasures {
  readonly edges: number;
  readonly offline: number;
  /** Rollouts that are under way, at an edge each. */
  readonly underWay: number;
  /** Longest time since anything happened to one that waits for nobody but kashi, a registry or an edge. Seconds. */
  readonly stalledSeconds: number;
  /** Images that are at an edge and could not be proven there; one that came after a failed replication counts until it is, which is at once. */
  readonly unproven: number;
  /** Edges to which replication failed or is stuck. */
  readonly replicationFailed: number;
  readonly unhealthy: number;
  /** Runs that were stopped because too many edges failed. */
  readonly stopped: number;
  /** Messages that were given up. */
  readonly deadDeliveries: number;
}

export function fleetMeasures(fleet: Fleet, nowMs: number): FleetMeasures {
  const edges = Object.values(fleet.edges);
  const open = Object.values(fleet.services).flatMap((service) => openRollouts(service));
  const waiting = open.filter(({ service, run, rollout }) => isOurTurn(fleet, service, run, rollout, nowMs));
  const count = (holds: (rollout: EdgeRollout) => boolean): number => open.filter(({ rollout }) => holds(rollout)).length;
  return {
    edges: edges.length,
    offline: edges.filter(({ offlineSinceMs }) => offlineSinceMs !== null).length,
    underWay: open.length,
    stalledSeconds: Math.max(0, ...waiting.map(({ run, rollout }) => Math.floor((nowMs - lastMarkMs(run, rollout)) / 1_000))),
    unproven: count(({ stage, faults }) => stage === 'replicated' && faults > 0),
    replicationFailed: count(({ stage, faults, stuck }) => (stage === 'pending' || stage === 'replicating') && (faults > 0 || stuck)),
    unhealthy: count(({ unhealthy }) => unhealthy),
    stopped: Object.values(fleet.services).filter(({ runs }) => runs[0]?.state === 'failed').length,
    deadDeliveries: edges.filter(({ delivery }) => delivery?.state === 'dead').length,
  };
}

interface Open {
  readonly service: ServiceState;
  readonly run: Run;
  readonly rollout: EdgeRollout;
}

/** Neither live nor ended. */
function openRollouts(service: ServiceState): Open[] {
  return Object.values(service.targets).flatMap(({ upcoming, settled }) =>
    [upcoming, settled].flatMap((rollout) => {
      const run = service.runs.find(({ generation }) => generation === rollout?.generation);
      return rollout === null || run === undefined || rollout.exit !== null || rollout.stage === 'live' ? [] : [{ service, run, rollout }];
    }),
  );
}

/** Not waiting for a person, a window, a soak or earlier waves, which count for themselves; nor for an edge that is not there, or that bundles are carried to. */
function isOurTurn(fleet: Fleet, service: ServiceState, run: Run, rollout: EdgeRollout, nowMs: number): boolean {
  const edge = fleet.edges[rollout.edge];
  if (edge?.offlineSinceMs !== null || edge.carried === true) return false;
  if (isCommitted(rollout) || rollout.stage !== 'verified') return true;
  if (run.kind === 'promotion' && isFrozen(fleet, service.service, rollout.edge)) return false;
  return gateOf(fleet, service, run, rollout.wave, nowMs).open;
}

function lastMarkMs(run: Run, { marks }: EdgeRollout): number {
  return Math.max(run.startedAtMs, ...Object.values(marks).map(({ atMs }) => atMs));
}
