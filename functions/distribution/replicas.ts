/** What registries and the reconciler say about images on their way to an edge. */
import { atStage, changeUnderWay } from './change.ts';
import type { Fleet } from './fleet.ts';
import type { EventOf } from './fleet-event.ts';

export function replicating(fleet: Fleet, event: EventOf<'replicating'>): Fleet {
  return changeUnderWay(fleet, event, (rollout) =>
    rollout.stage === 'pending' ? atStage(rollout, 'replicating', { atMs: event.atMs, by: event.by }) : rollout,
  );
}

/** The image is said to be there. Only what waits for it believes that, and proof follows. */
export function replicated(fleet: Fleet, event: EventOf<'replicated'>): Fleet {
  return changeUnderWay(fleet, event, (rollout) => {
    if (rollout.stage !== 'pending' && rollout.stage !== 'replicating') return rollout;
    const there = atStage(rollout, 'replicated', { atMs: event.atMs, by: event.by });
    return { ...there, bytesMoved: rollout.bytesMoved + event.bytesMoved, stuck: false, retryAtMs: 0 };
  });
}

export function replicationFailed(fleet: Fleet, event: EventOf<'replication_failed'>): Fleet {
  return changeUnderWay(fleet, event, (rollout) => {
    if (rollout.stage !== 'pending' && rollout.stage !== 'replicating') return rollout;
    const { faults } = rollout;
    const again = atStage(rollout, 'pending', { atMs: event.atMs, by: event.by });
    return { ...again, faults: faults + 1, lastFault: event.fault, retryAtMs: event.retryAtMs };
  });
}

/** Far too long on its way: kashi copies it itself from now on. The wave does not wait for it if it may fail. */
export function replicationStuck(fleet: Fleet, event: EventOf<'replication_stuck'>): Fleet {
  return changeUnderWay(fleet, event, (rollout) =>
    rollout.stage === 'replicating' && !rollout.stuck ? { ...rollout, stuck: true } : rollout,
  );
}
