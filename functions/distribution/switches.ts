/** What people hold still: a run, a service, an edge, everything; and one digest at one edge. */
import { changeTarget, withService } from './change.ts';
import { type Fleet, isCommitted, type Target } from './fleet.ts';
import type { EventOf } from './fleet-event.ts';

/** Runs under way stop before their next commit, or go on. Going on also lifts what a rollback of single edges held back. */
export function pauseChanged(fleet: Fleet, { service: name, type }: EventOf<'paused' | 'resumed'>): Fleet {
  const service = fleet.services[name];
  if (service === undefined) return fleet;
  const paused = type === 'paused';
  const runs = service.runs.map((run) => (run.state === 'distributing' && run.paused !== paused ? { ...run, paused } : run));
  const distributing = new Set(service.runs.filter(({ state }) => state === 'distributing').map(({ generation }) => generation));
  const targets = Object.entries(service.targets).map(([edge, target]): [string, Target] => {
    const { upcoming } = target;
    const lifted = !paused && upcoming?.exit === 'held' && distributing.has(upcoming.generation);
    return [edge, lifted ? { ...target, upcoming: { ...upcoming, exit: null } } : target];
  });
  const same =
    runs.every((run, index) => run === service.runs[index]) && targets.every(([edge, target]) => target === service.targets[edge]);
  return same ? fleet : withService(fleet, { ...service, runs, targets: Object.fromEntries(targets) });
}

export function freezeChanged(fleet: Fleet, { scope, type }: EventOf<'frozen' | 'thawed'>): Fleet {
  if (fleet.frozen.includes(scope) === (type === 'frozen')) return fleet;
  return { ...fleet, frozen: type === 'frozen' ? [...fleet.frozen, scope].sort() : fleet.frozen.filter((one) => one !== scope) };
}

/** A pinned edge keeps its digest: what is on its way to it is skipped. Without the pin it catches up with what is wanted. */
export function pinned(fleet: Fleet, { service, edge, digest }: EventOf<'pinned'>): Fleet {
  const wanted = fleet.services[service]?.wanted;
  return changeTarget(fleet, service, edge, (target) => {
    if (target.pin === digest) return target;
    const { upcoming } = target;
    if (upcoming === null || isCommitted(upcoming)) return { ...target, pin: digest };
    if (digest === null)
      return {
        ...target,
        pin: null,
        upcoming: upcoming.exit === 'skipped' && upcoming.releaseId === wanted ? { ...upcoming, exit: null } : upcoming,
      };
    return {
      ...target,
      pin: digest,
      upcoming: upcoming.exit === null && upcoming.digest !== digest ? { ...upcoming, exit: 'skipped' } : upcoming,
    };
  });
}

/** True when no promotion may be committed for the service at the edge. */
export function isFrozen(fleet: Fleet, service: string, edge: string): boolean {
  return fleet.frozen.some((scope) => scope === '' || scope === service || scope === `@${edge}`);
}
