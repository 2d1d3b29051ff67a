/** What edges report of themselves, and what is told to them. A wave that turns out bad goes back by itself. */
import { atStage, changeTarget, ended, withService } from './change.ts';
import { type EdgeRollout, type Fleet, KEPT_DIGESTS, type Run, stageIndex, type Target } from './fleet.ts';
import type { EventOf } from './fleet-event.ts';
import { failedIn, judgeHealth } from './gate.ts';
import { newRollout, wayBack } from './runs.ts';

/** A message was issued to the edge. One that has a hook gets it posted. */
export function announced(fleet: Fleet, event: EventOf<'announced'>): Fleet {
  const edge = fleet.edges[event.edge];
  if (edge === undefined) return fleet;
  const state = changeTarget(fleet, event.service, event.edge, (target) => {
    const { settled } = target;
    return settled === null || settled.generation !== event.generation || settled.announced !== null
      ? target
      : { ...target, settled: { ...settled, announced: event.sequence } };
  });
  const { sequence, atMs } = event;
  if (sequence <= edge.sequence) return state;
  const delivery =
    edge.hook === null ? null : ({ sequence, issuedAtMs: atMs, attempts: 0, lastAttemptMs: null, state: 'waiting' } as const);
  return { ...state, edges: { ...state.edges, [event.edge]: { ...edge, sequence, delivery } } };
}

/** The edge follows Git (synced) or serves (live). A report about an older generation than is live there says nothing new. */
export function reported(fleet: Fleet, event: EventOf<'synced' | 'live'>): Fleet {
  const service = fleet.services[event.service];
  if (service === undefined || event.generation > service.generation) return fleet;
  const mark = { atMs: event.atMs, by: 'agent' } as const;
  return changeTarget(fleet, event.service, event.edge, (target) => {
    const { settled } = target;
    const same = settled !== null && settled.generation === event.generation && settled.digest === event.digest;
    const advanced = same && stageIndex(settled.stage) < stageIndex(event.type) ? atStage(settled, event.type, mark) : settled;
    const after = advanced === settled ? target : { ...target, settled: advanced };
    return event.type === 'live'
      ? nowLive(after, event, Object.values(service.releases).find(({ digest }) => digest === event.digest)?.releaseId)
      : after;
  });
}

function nowLive(target: Target, { digest, generation, atMs }: EventOf<'synced' | 'live'>, releaseId: string | undefined): Target {
  const { live } = target;
  if (releaseId === undefined || (live !== null && live.generation >= generation)) return target;
  const healthBefore = live?.digest === digest ? target.healthBefore : target.health;
  // The commit keeps what was live; an edge that bundles are carried to may say so before its commit.
  const known = live === null || live.digest === digest || target.kept.some((one) => one.digest === live.digest);
  const kept = known
    ? target.kept
    : [{ releaseId: live.releaseId, digest: live.digest, generation: live.generation, untilMs: atMs }, ...target.kept].slice(
        0,
        KEPT_DIGESTS,
      );
  return { ...target, kept, live: { releaseId, digest, generation, sinceMs: atMs }, health: null, healthBefore };
}

/** The edge says that the release does not work there. */
export function unhealthy(fleet: Fleet, { service, edge, generation, digest, reason, atMs }: EventOf<'unhealthy'>): Fleet {
  const state = changeTarget(fleet, service, edge, (target) => {
    const { settled } = target;
    if (settled === null || settled.generation !== generation || settled.digest !== digest || settled.unhealthy) return target;
    return { ...target, settled: { ...settled, unhealthy: true, lastFault: reason } };
  });
  return state === fleet ? fleet : failBadWave(state, service, edge, generation, reason, atMs);
}

/** Measurements of what is live. One beyond the gate is the same as being unhealthy. */
export function healthReported(fleet: Fleet, event: EventOf<'health'>): Fleet {
  const { service, edge, generation, digest, health } = event;
  const state = changeTarget(fleet, service, edge, (target) => {
    const { live } = target;
    if (live === null || live.generation !== generation || live.digest !== digest) return target;
    return JSON.stringify(target.health) === JSON.stringify(health) ? target : { ...target, health };
  });
  if (state === fleet) return fleet;
  const run = runOf(state, service, generation);
  const target = state.services[service]?.targets[edge];
  const complaint = run?.plan.slo == null || target === undefined ? null : judgeHealth(run.plan.slo, health, target.healthBefore);
  if (complaint === null) return state;
  return unhealthy(state, { type: 'unhealthy', atMs: event.atMs, service, edge, generation, digest, reason: complaint });
}

function runOf(fleet: Fleet, service: string, generation: number): Run | undefined {
  return fleet.services[service]?.runs.find((run) => run.generation === generation);
}

/** More bad edges than the wave may have: the wave goes back, the rest is held, and a new generation says so. */
function failBadWave(fleet: Fleet, name: string, edge: string, generation: number, reason: string, atMs: number): Fleet {
  const service = fleet.services[name];
  const run = runOf(fleet, name, generation);
  if (service === undefined || run === undefined || run.state !== 'distributing' || run.kind !== 'promotion') return fleet;
  const wave = run.waves.findIndex((edges) => edges.includes(edge));
  const members = run.waves[wave] ?? [];
  const bad = failedIn(fleet, service, run, wave, atMs).filter((name) => service.targets[name]?.settled?.unhealthy === true);
  if (bad.length <= (run.plan.waves[Math.min(wave, run.plan.waves.length - 1)]?.maxFailed ?? 0)) return fleet;
  const next = service.generation + 1;
  const back = new Map(
    members.flatMap((member): [string, EdgeRollout][] => {
      const target = service.targets[member];
      const release = target === undefined ? null : wayBack(service, target, null, run.releaseId);
      return release === null ? [] : [[member, newRollout(member, next, release, 0, atMs, 'replicated')]];
    }),
  );
  const targets = Object.fromEntries(
    Object.entries(service.targets).map(([member, target]) => {
      const upcoming = back.get(member) ?? (target.upcoming?.generation === generation ? ended(target.upcoming, 'held') : target.upcoming);
      return [member, upcoming === target.upcoming ? target : { ...target, upcoming }];
    }),
  );
  const plan = { ...run.plan, slo: null, windows: [] };
  const rollback: Run = {
    ...{ service: name, generation: next, kind: 'rollback', releaseId: run.releaseId, requestId: `gate-${name}-${generation}-${wave}` },
    ...{ actor: 'kashi', startedAtMs: atMs, plan, waves: [[...back.keys()]], state: 'distributing', paused: false, reason },
  };
  const runs = service.runs.map((one): Run => (one === run ? { ...run, state: 'failed', reason } : one));
  return withService(fleet, {
    ...service,
    generation: next,
    wanted: [...back.values()][0]?.releaseId ?? null,
    runs: [rollback, ...runs],
    targets,
  });
}
