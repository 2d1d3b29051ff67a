/** Closes the month as it was approved: pins, signs, issues. Again, or after a crash: the same bill. */
import { closeCentre } from '../cli/close.ts';
import { METRIC } from '../contract.ts';
import { observed } from './observe.ts';
import { deployedCentre } from './wiring.ts';

/** `approved`: SHA-256 of the bill that a person agreed to. */
export interface CloseEvent {
  readonly period: string;
  readonly approved: string;
}

export const handler = observed('close', async ({ period, approved }: CloseEvent, { count, info, warn }) => {
  const outcome = await closeCentre(await deployedCentre(), period, true, { approved, isFolded: true });
  if (outcome.state === 'refused') {
    warn('refused', { period, hindrances: outcome.hindrances.slice(0, 20) });
    count({ [METRIC.closeHindrances]: outcome.hindrances.length });
    return { period, state: 'refused' };
  }
  const { bill, signed } = outcome;
  info('closed', { period, sha256: signed.value.bill, total: bill.total, key_id: signed.keyId });
  return { period, state: 'closed', sha256: signed.value.bill, record_sha256: signed.sha256, total: bill.total, currency: bill.currency };
});
