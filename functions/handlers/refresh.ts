/** Provisional bills of the running month, and of every month in which something came in since the last time. */
import { refreshedBills } from '../cli/watch-stages.ts';
import { METRIC, PREFIX } from '../contract.ts';
import { observed } from './observe.ts';
import { deployedCentre, derived } from './wiring.ts';

/** Up to which snapshot the provisional bills are made: derived, and its loss only makes the next run longer. */
const STATE = `${PREFIX.provisional}state.json`;

export const handler = observed('refresh', async (_event: unknown, { count, info }) => {
  const since = (JSON.parse((await derived.read(STATE)) ?? '{}') as { snapshot?: number }).snapshot ?? 0;
  let [unrated, failed] = [0, 0];
  const refreshed = await refreshedBills(await deployedCentre(), since, async (bill) => {
    unrated += bill.unrated.length;
    failed += bill.checks.filter(({ kind, rows }) => kind === 'equation' && rows > 0).length;
    await derived.replace(`${PREFIX.provisional}${bill.period}.json`, bill);
  });
  count({ [METRIC.unratedLines]: unrated, [METRIC.checksFailed]: failed });
  if (refreshed === null) return { snapshot: null, bills: [] };
  await derived.replace(STATE, { snapshot: refreshed.snapshot });
  info('refreshed', { ...refreshed });
  return refreshed;
});
