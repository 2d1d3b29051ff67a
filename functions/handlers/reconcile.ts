/** Events are hints, the listing is the truth: what landed and is not in is announced again. */
import { lastDays } from '../cloud/days.ts';
import { announcement } from '../cloud/landed-message.ts';
import { missingObjects } from '../cloud/missing.ts';
import { METRIC } from '../contract.ts';
import { observed } from './observe.ts';
import { announce, deployedCentre, landing } from './wiring.ts';

/** `days`: look at so many landed days; absent: at all. `grace_s`: leave what landed less long ago to its event. */
export interface ReconcileEvent {
  readonly days?: number;
  readonly grace_s?: number;
}

const GRACE_S = 600;

export const handler = observed('reconcile', async ({ days, grace_s: graceS = GRACE_S }: ReconcileEvent, { count, info }) => {
  const { store, clock } = await deployedCentre();
  const sinceDay = days === undefined ? null : (lastDays(clock.now(), days)[0] ?? null);
  const missing = await missingObjects(store, landing.list(sinceDay), clock.now(), graceS * 1000);
  await announce(missing.names.map(announcement));
  info('reconciled', { since: sinceDay, missing: missing.all, announced: missing.names.length, first: missing.names.slice(0, 10) });
  count({ [METRIC.objectsMissing]: missing.all, [METRIC.oldestMissing]: missing.oldestSeconds });
  return { missing: missing.all, announced: missing.names.length, oldest_seconds: missing.oldestSeconds };
});
