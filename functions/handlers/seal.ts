/** New commits become the next snapshot. Any number may run at once. */
import { lastDays } from '../cloud/days.ts';
import { METRIC } from '../contract.ts';
import { fold } from '../ledger/fold.ts';
import { observed } from './observe.ts';
import { deployedCentre } from './wiring.ts';

/** `days`: find commits by the hints of so many landed days; absent: list all commits. */
export interface SealEvent {
  readonly days?: number;
}

export const handler = observed('seal', async ({ days }: SealEvent, { count, info }) => {
  const { store, clock } = await deployedCentre();
  const snapshot = await fold(store, clock, days === undefined ? {} : { since: lastDays(clock.now(), days) });
  if (snapshot === null) return { snapshot: null };
  const totals = Object.values(snapshot.totals);
  const residual = totals.reduce((sum, one) => sum + one.physical - one.valid - one.quarantined - one.blank, 0);
  info('sealed', { snapshot: snapshot.n, residual });
  count({ [METRIC.snapshot]: snapshot.n, [METRIC.lineResidual]: Math.abs(residual) });
  return { snapshot: snapshot.n, residual };
});
