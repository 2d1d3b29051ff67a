/** One turn of a rollout on a deploy: take in what happened, follow the model registry, see who fell silent, do what is due. */
import { PREFIX } from '../contract.ts';
import type { Coordinator } from '../distribution/coordinator.ts';
import type { Edge, RolloutPlan } from '../distribution/fleet.ts';
import type { FleetEvent } from '../distribution/fleet-event.ts';
import type { FleetLog } from '../distribution/fleet-log.ts';
import { type FleetMeasures, fleetMeasures } from '../distribution/measures.ts';
import { membershipEvents } from '../distribution/membership.ts';
import { productionOrders } from '../distribution/production.ts';
import type { Clock, ObjectStore } from '../ports.ts';

export interface TurnParts {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly log: FleetLog;
  readonly coordinator: Pick<Coordinator, 'record' | 'settle'>;
  /** Of fleet.yaml. */
  readonly edges: readonly Edge[];
  readonly plan: RolloutPlan;
  readonly offlineMs: number;
}

export interface TurnReport {
  /** Events that said something new. */
  readonly recorded: number;
  readonly measures: FleetMeasures;
}

/** Any number of turns may run at once. Errors: TransientStoreError, KashiError store_corrupt; what a registry or Git refuses is tried again later. */
export async function takeTurn(parts: TurnParts, events: readonly FleetEvent[]): Promise<TurnReport> {
  const { store, clock, log, coordinator, edges, plan } = parts;
  await log.refresh();
  let recorded = 0;
  const tell = async (event: FleetEvent): Promise<void> => {
    if (await coordinator.record(event)) recorded += 1;
  };
  for (const event of membershipEvents(log.state, edges, clock.now())) await tell(event);
  for (const event of events) await tell(event);
  for (const order of await productionOrders(store, log.state, plan)) await tell(order);
  for (const event of await silence(parts)) await tell(event);
  recorded += await coordinator.settle();
  return { recorded, measures: fleetMeasures(log.state, clock.now()) };
}

/** An edge whose agent was never heard of is not called offline: it may have none. */
async function silence({ store, clock, log, offlineMs }: TurnParts): Promise<FleetEvent[]> {
  const atMs = clock.now();
  const silent: FleetEvent[] = [];
  for await (const { key, lastModifiedMs } of store.list(PREFIX.heard)) {
    const edge = key.slice(PREFIX.heard.length);
    if (atMs - lastModifiedMs > offlineMs && log.state.edges[edge]?.offlineSinceMs === null)
      silent.push({ type: 'edge_offline', atMs, edge });
  }
  return silent;
}
