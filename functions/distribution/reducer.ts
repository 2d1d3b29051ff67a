/**
 * The rollout as a pure function: (state, event) → (state, commands). No I/O and no clock: every event carries its instant. An event that says
 * nothing new returns the very same state, so that it is not worth an entry in the log: doubled, late and reordered events cost nothing.
 *
 * Commands are never stored. They follow from the state and an instant alone (due.ts), so that whoever comes after a crash asks for the same.
 */
import { due } from './due.ts';
import type { Fleet } from './fleet.ts';
import type { Command, FleetEvent } from './fleet-event.ts';
import { deliveryChanged, edgeJoined, edgeLeft, edgePresence } from './membership.ts';
import { committed, foundCommitted, proofFailed, verified } from './proven.ts';
import { replicated, replicating, replicationFailed, replicationStuck } from './replicas.ts';
import { announced, healthReported, reported, unhealthy } from './reports.ts';
import { promoted, rolledBack } from './runs.ts';
import { freezeChanged, pauseChanged, pinned } from './switches.ts';

export interface Reduced {
  readonly state: Fleet;
  readonly commands: readonly Command[];
}

/** The next state, and everything that is to be done in it. */
export function reduce(state: Fleet, event: FleetEvent): Reduced {
  const next = apply(state, event);
  return { state: next, commands: due(next, event.atMs) };
}

/** The next state; the same object when the event changes nothing. */
export function apply(state: Fleet, event: FleetEvent): Fleet {
  switch (event.type) {
    case 'edge_joined':
      return edgeJoined(state, event);
    case 'edge_left':
      return edgeLeft(state, event);
    case 'edge_offline':
    case 'edge_online':
      return edgePresence(state, event);
    case 'promoted':
      return once(state, event.requestId, promoted(state, event));
    case 'rollback':
      return once(state, event.requestId, rolledBack(state, event));
    case 'paused':
    case 'resumed':
      return once(state, event.requestId, pauseChanged(state, event));
    case 'frozen':
    case 'thawed':
      return once(state, event.requestId, freezeChanged(state, event));
    case 'pinned':
      return once(state, event.requestId, pinned(state, event));
    case 'replicating':
      return replicating(state, event);
    case 'replicated':
      return replicated(state, event);
    case 'replication_failed':
      return replicationFailed(state, event);
    case 'replication_stuck':
      return replicationStuck(state, event);
    case 'verified':
      return verified(state, event);
    case 'proof_failed':
      return proofFailed(state, event);
    case 'committed':
      return committed(state, event);
    case 'found_committed':
      return foundCommitted(state, event);
    case 'announced':
      return announced(state, event);
    case 'delivered':
    case 'delivery_failed':
    case 'delivery_dead':
    case 'replayed':
      return deliveryChanged(state, event);
    case 'synced':
    case 'live':
      return reported(state, event);
    case 'unhealthy':
      return unhealthy(state, event);
    case 'health':
      return healthReported(state, event);
  }
}

/** Requests that are remembered: enough for any retry, few enough to carry along. */
const REQUESTS = 200;

/** An order counts once, whatever it came to. */
function once(before: Fleet, requestId: string, after: Fleet): Fleet {
  if (before.requests.includes(requestId)) return before;
  return after === before ? before : { ...after, requests: [...before.requests, requestId].slice(-REQUESTS) };
}
