/** What the model registry has in production, as orders to roll it out: a promotion there needs nobody to say it again. */
import type { ObjectStore } from '../ports.ts';
import type { Fleet, RolloutPlan } from './fleet.ts';
import type { EventOf } from './fleet-event.ts';
import { modelNames, productionOf } from './model-registry.ts';
import { admittedReleases } from './release-log.ts';
import { deployedRelease } from './releases.ts';

/**
 * Orders for promotions that are newer than the last run of their service: whoever ordered anything since, a rollback above all, is not
 * overruled. An order has the instant and the id of the promotion: the lead time begins there, and however often it is given, it is one. A version with several variants is left
 * to `kashi fleet promote --variant`. Shape: by model.
 */
export async function productionOrders(store: ObjectStore, fleet: Fleet, plan: RolloutPlan): Promise<EventOf<'promoted'>[]> {
  const orders: EventOf<'promoted'>[] = [];
  for (const model of await modelNames(store)) {
    const production = await productionOf(store, model);
    if (production === null || production.promoted_at_ms <= (fleet.services[model]?.runs[0]?.startedAtMs ?? 0)) continue;
    const admitted = (await admittedReleases(store, model)).filter(({ version }) => version === production.version);
    const [release] = admitted;
    if (release === undefined || admitted.length > 1) continue;
    const requestId = `production|${model}|${production.version}|${production.generation}`;
    const atMs = production.promoted_at_ms;
    orders.push({ type: 'promoted', atMs, requestId, actor: 'model registry', release: deployedRelease(release), plan });
  }
  return orders;
}
