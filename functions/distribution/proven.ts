/** Proof at the edge, and what follows from it: the commit. */
import { atStage, changeTarget, withService } from './change.ts';
import { type EdgeRollout, type Fleet, KEPT_DIGESTS, type Target } from './fleet.ts';
import type { EventOf } from './fleet-event.ts';
import { newRollout, wayBack } from './runs.ts';

/** The image is in the edge's registry, whole, with a valid attestation. */
export function verified(fleet: Fleet, event: EventOf<'verified'>): Fleet {
  return changeProven(fleet, event, (rollout) => {
    const proven = atStage(rollout, 'verified', { atMs: event.atMs, by: 'kashi' });
    return { ...proven, bytesMoved: rollout.bytesMoved + event.bytesMoved, lastFault: null, retryAtMs: 0 };
  });
}

/** Bytes that are not there or not right go back to be replicated; a missing attestation waits, and is looked for again. */
export function proofFailed(fleet: Fleet, event: EventOf<'proof_failed'>): Fleet {
  return changeProven(fleet, event, (rollout) => {
    const known = { ...rollout, faults: rollout.faults + 1, lastFault: event.fault, retryAtMs: event.retryAtMs };
    return event.what === 'attestation' || event.what === 'unreachable'
      ? known
      : atStage(known, 'pending', { atMs: event.atMs, by: 'kashi' });
  });
}

function changeProven(
  fleet: Fleet,
  { service, edge, generation, digest }: EventOf<'verified'> | EventOf<'proof_failed'>,
  change: (rollout: EdgeRollout) => EdgeRollout,
): Fleet {
  return changeTarget(fleet, service, edge, (target) => {
    const { upcoming } = target;
    if (upcoming === null || upcoming.exit !== null || upcoming.generation !== generation || upcoming.digest !== digest) return target;
    return upcoming.stage === 'replicated' ? { ...target, upcoming: change(upcoming) } : target;
  });
}

/**
 * Git says so: one commit for all these edges. An edge whose rollout is not verified is left out, whatever the event says. A commit may have
 * slipped in while a newer order came: it is in Git all the same, and the newer order goes over it.
 */
export function committed(fleet: Fleet, event: EventOf<'committed'>): Fleet {
  const service = fleet.services[event.service];
  const run = service?.runs.find(({ generation }) => generation === event.generation);
  const release = run?.kind === 'promotion' ? service?.releases[run.releaseId] : undefined;
  const slipped = (target: Target, edge: string): EdgeRollout | null => {
    if (release === undefined || target.upcoming === null || target.upcoming.generation <= event.generation) return null;
    return newRollout(edge, event.generation, release, 0, event.atMs, 'verified');
  };
  const state = event.edges.reduce(
    (before, edge) => changeTarget(before, event.service, edge, (target) => committedAt(target, slipped(target, edge), event)),
    fleet,
  );
  return event.edges.reduce((before, edge) => followHeld(before, fleet, event.service, edge), state);
}

/** As committed, of one edge, and whatever became of its rollout meanwhile: Git is what the edge follows. */
export function foundCommitted(fleet: Fleet, { service: name, edge, generation, digest, commit, atMs }: EventOf<'found_committed'>): Fleet {
  const release = Object.values(fleet.services[name]?.releases ?? {}).find((one) => one.digest === digest);
  if (release === undefined) return fleet;
  const state = changeTarget(fleet, name, edge, (target) => {
    const { upcoming, settled } = target;
    if ((settled?.generation ?? 0) >= generation || (upcoming !== null && upcoming.generation < generation)) return target;
    const own = upcoming?.generation === generation && upcoming.digest === digest;
    const rollout = own ? upcoming : newRollout(edge, generation, release, 0, atMs, 'verified');
    const now = atStage({ ...rollout, exit: null, commit }, 'committed', { atMs, by: 'poll' });
    return { ...target, settled: now, upcoming: own ? null : upcoming, kept: keptAfter(target, now, atMs) };
  });
  return state === fleet ? fleet : followHeld(state, fleet, name, edge);
}

function committedAt(target: Target, slipped: EdgeRollout | null, { generation, commit, atMs }: EventOf<'committed'>): Target {
  const { upcoming, settled } = target;
  const rollout = upcoming?.generation === generation ? upcoming : slipped;
  if (rollout === null || rollout.stage !== 'verified') return target;
  if (settled !== null && settled.generation >= generation) return target;
  const inGit = atStage({ ...rollout, exit: null, commit }, 'committed', { atMs, by: 'kashi' });
  // An edge that bundles are carried to proves and serves first: its word may be here before the commit.
  const serves = target.live?.generation === generation && target.live.digest === inGit.digest ? target.live : null;
  const now = serves === null ? inGit : atStage(inGit, 'live', { atMs: serves.sinceMs, by: 'agent' });
  return { ...target, settled: now, upcoming: rollout === upcoming ? null : upcoming, kept: keptAfter(target, now, atMs) };
}

/** What was live is kept for the way back, the newest first. */
function keptAfter({ live, kept }: Target, next: EdgeRollout, atMs: number): Target['kept'] {
  const others = kept.filter(({ digest }) => digest !== live?.digest && digest !== next.digest);
  if (live === null || live.digest === next.digest) return others;
  const { releaseId, digest, generation } = live;
  return [{ releaseId, digest, generation, untilMs: atMs }, ...others].slice(0, KEPT_DIGESTS);
}

/** A rollout that was held, and reached Git in the same moment, goes back with the run that held it. */
function followHeld(fleet: Fleet, before: Fleet, name: string, edge: string): Fleet {
  const held = before.services[name]?.targets[edge]?.upcoming;
  const service = fleet.services[name];
  const target = service?.targets[edge];
  const [run, ...older] = service?.runs ?? [];
  if (held?.exit !== 'held' || service === undefined || target?.settled?.generation !== held.generation || run?.kind !== 'rollback')
    return fleet;
  const back = wayBack(service, target, null, held.releaseId);
  if (back === null) return fleet;
  const waves = run.waves.map((wave, index) => (index === 0 ? [...wave, edge] : wave));
  const upcoming = newRollout(edge, run.generation, back, 0, held.marks.verified?.atMs ?? run.startedAtMs, 'replicated');
  return withService(fleet, {
    ...service,
    runs: [{ ...run, waves: waves.length === 0 ? [[edge]] : waves }, ...older],
    targets: { ...service.targets, [edge]: { ...target, upcoming } },
  });
}
