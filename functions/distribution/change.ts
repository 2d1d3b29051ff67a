/** Small changes of a fleet's state: each returns a new state, or the same one when nothing changes. */
import {
  type EdgeRollout,
  type Fleet,
  isCommitted,
  type Mark,
  type ServiceState,
  STAGES,
  type Stage,
  stageIndex,
  type Target,
} from './fleet.ts';

export const EMPTY_TARGET: Target = { settled: null, upcoming: null, live: null, kept: [], pin: null, health: null, healthBefore: null };

export function emptyService(service: string): ServiceState {
  return { service, generation: 0, wanted: null, releases: {}, runs: [], targets: {} };
}

export function withService(fleet: Fleet, service: ServiceState): Fleet {
  return fleet.services[service.service] === service ? fleet : { ...fleet, services: { ...fleet.services, [service.service]: service } };
}

/** Changes one service at one edge. A service or edge that is not known changes nothing. */
export function changeTarget(fleet: Fleet, service: string, edge: string, change: (target: Target) => Target): Fleet {
  const state = fleet.services[service];
  const target = state?.targets[edge];
  if (state === undefined || target === undefined) return fleet;
  const changed = change(target);
  return changed === target ? fleet : withService(fleet, { ...state, targets: { ...state.targets, [edge]: changed } });
}

/** Changes what is under way to an edge with that image, in every service that waits for it. */
export function changeUnderWay(
  fleet: Fleet,
  of: { readonly edge: string; readonly repository: string; readonly digest: string },
  change: (rollout: EdgeRollout) => EdgeRollout,
): Fleet {
  return Object.values(fleet.services).reduce((state, service) => {
    const upcoming = service.targets[of.edge]?.upcoming ?? null;
    if (upcoming === null || upcoming.exit !== null || upcoming.digest !== of.digest) return state;
    if (service.releases[upcoming.releaseId]?.repository !== of.repository) return state;
    const changed = change(upcoming);
    return changed === upcoming ? state : changeTarget(state, service.service, of.edge, (target) => ({ ...target, upcoming: changed }));
  }, fleet);
}

/** The rollout at a stage; it keeps the first mark of each stage and loses those of later ones. */
export function atStage(rollout: EdgeRollout, stage: Stage, mark: Mark): EdgeRollout {
  const kept = STAGES.filter((name) => stageIndex(name) < stageIndex(stage)).flatMap((name) => {
    const earlier = rollout.marks[name];
    return earlier === undefined ? [] : [[name, earlier] as const];
  });
  return {
    ...rollout,
    stage,
    marks: { ...Object.fromEntries(kept), [stage]: rollout.stage === stage ? (rollout.marks[stage] ?? mark) : mark },
  };
}

/** Ends what is under way and not yet in Git. */
export function ended(rollout: EdgeRollout | null, exit: NonNullable<EdgeRollout['exit']>): EdgeRollout | null {
  return rollout === null || rollout.exit !== null || isCommitted(rollout) ? rollout : { ...rollout, exit };
}
