/** Edges that come, go, fall silent and return, and messages on their way to them. */
import type { FleetFile } from '../domain/fleet-file.ts';
import { atStage, changeTarget, EMPTY_TARGET, withService } from './change.ts';
import { type Delivery, type Edge, type EdgeState, type Fleet, isCommitted, type ServiceState } from './fleet.ts';
import type { EventOf, FleetEvent } from './fleet-event.ts';
import { newRollout } from './runs.ts';

/** The edges of fleet.yaml as the log knows them. */
export function edgesOf({ edges }: Pick<FleetFile, 'edges'>): Edge[] {
  return edges.map(({ edge, site, pullFrom, bandwidth, hook, order, carried }) => ({
    edge,
    site,
    registry: pullFrom,
    bandwidth,
    hook,
    order,
    ...(carried ? { carried } : {}),
  }));
}

/** What tells the log who belongs to the fleet: a member that is known already changes nothing. */
export function membershipEvents(fleet: Fleet, edges: readonly Edge[], atMs: number): FleetEvent[] {
  const left = Object.keys(fleet.edges).filter((name) => !edges.some(({ edge }) => edge === name));
  return [
    ...edges.map((edge) => ({ type: 'edge_joined', atMs, edge }) as const),
    ...left.map((edge) => ({ type: 'edge_left', atMs, edge }) as const),
  ];
}

/** A new edge gets what every service wants, as the last of its newest run; a known one only its new settings. */
export function edgeJoined(fleet: Fleet, { edge, atMs }: EventOf<'edge_joined'>): Fleet {
  const before = fleet.edges[edge.edge];
  if (before !== undefined && sameSettings(before, edge)) return fleet;
  const { offlineSinceMs, sequence, delivery } = before ?? { offlineSinceMs: null, sequence: 0, delivery: null };
  const joined = { ...fleet, edges: { ...fleet.edges, [edge.edge]: { ...edge, offlineSinceMs, sequence, delivery } } };
  if (before !== undefined) return joined;
  return Object.values(joined.services).reduce((state, service) => withService(state, invited(service, edge.edge, atMs)), joined);
}

function sameSettings(before: EdgeState, edge: Edge): boolean {
  const names = ['site', 'registry', 'bandwidth', 'hook', 'order', 'carried'] as const;
  return names.every((name) => before[name] === edge[name]);
}

function invited(service: ServiceState, edge: string, atMs: number): ServiceState {
  const release = service.wanted === null ? undefined : service.releases[service.wanted];
  const [run, ...older] = service.runs;
  const target = service.targets[edge] ?? EMPTY_TARGET;
  if (release === undefined || run === undefined || target.settled?.releaseId === release.releaseId) return service;
  const wave = Math.max(0, run.waves.length - 1);
  const waves = run.waves.length === 0 ? [[edge]] : run.waves.map((edges, index) => (index === wave ? [...edges, edge] : edges));
  const upcoming = newRollout(edge, run.generation, release, wave, atMs, 'pending');
  return {
    ...service,
    runs: [{ ...run, waves }, ...older],
    targets: { ...service.targets, [edge]: { ...target, upcoming: target.pin === null ? upcoming : { ...upcoming, exit: 'skipped' } } },
  };
}

/** What it had stays known: it may join again. */
export function edgeLeft(fleet: Fleet, { edge }: EventOf<'edge_left'>): Fleet {
  if (fleet.edges[edge] === undefined) return fleet;
  return { ...fleet, edges: Object.fromEntries(Object.entries(fleet.edges).filter(([name]) => name !== edge)) };
}

/** Silence stops what is under way to an edge; on its return that begins anew, with the newest release and a new proof. */
export function edgePresence(fleet: Fleet, { edge, type, atMs }: EventOf<'edge_offline' | 'edge_online'>): Fleet {
  const before = fleet.edges[edge];
  if (before === undefined || (type === 'edge_offline') === (before.offlineSinceMs !== null)) return fleet;
  const changed = { ...fleet, edges: { ...fleet.edges, [edge]: { ...before, offlineSinceMs: type === 'edge_offline' ? atMs : null } } };
  if (type === 'edge_offline') return changed;
  return Object.keys(fleet.services).reduce(
    (state, service) =>
      changeTarget(state, service, edge, (target) => {
        const { upcoming } = target;
        if (upcoming === null || upcoming.exit !== null || isCommitted(upcoming)) return target;
        const again = upcoming.stage === 'verified' || upcoming.stage === 'replicated' ? 'replicated' : 'pending';
        return { ...target, upcoming: { ...atStage(upcoming, again, { atMs, by: 'kashi' }), retryAtMs: 0, stuck: false } };
      }),
    changed,
  );
}

/** The newest message on its way; news about an older one says nothing. */
export function deliveryChanged(fleet: Fleet, event: EventOf<'delivered' | 'delivery_failed' | 'delivery_dead' | 'replayed'>): Fleet {
  const edge = fleet.edges[event.edge];
  const before = edge?.delivery ?? null;
  if (edge === undefined || before === null || before.sequence !== event.sequence) return fleet;
  const after = deliveryAfter(before, event.type, event.atMs);
  return after === before ? fleet : { ...fleet, edges: { ...fleet.edges, [event.edge]: { ...edge, delivery: after } } };
}

function deliveryAfter(before: Delivery, type: 'delivered' | 'delivery_failed' | 'delivery_dead' | 'replayed', atMs: number): Delivery {
  if (type === 'replayed')
    return before.state === 'waiting' ? before : { ...before, state: 'waiting', attempts: 0, issuedAtMs: atMs, lastAttemptMs: null };
  if (before.state !== 'waiting') return before;
  if (type === 'delivery_failed') return { ...before, attempts: before.attempts + 1, lastAttemptMs: atMs };
  return { ...before, state: type === 'delivered' ? 'accepted' : 'dead' };
}
