/** What closing the month would issue now, and what is in the way: for a person to approve. Nothing is stored. */
import { previewCentre } from '../cli/close.ts';
import { closeMessage } from '../cloud/close-message.ts';
import { monthToClose } from '../cloud/month-to-close.ts';
import { METRIC } from '../contract.ts';
import { observed } from './observe.ts';
import { deployedCentre } from './wiring.ts';

/** `period` yyyy-mm; absent or empty: the month that is next. */
export interface JudgeEvent {
  readonly period?: string;
}

export const handler = observed('judge', async ({ period: asked }: JudgeEvent, { count, info }) => {
  const centre = await deployedCentre();
  const period = asked === undefined || asked === '' ? await monthToClose(centre) : asked;
  const preview = await previewCentre(centre, period);
  const { state, sha256, bill, hindrances } = preview;
  info('judged', { period, state, sha256, total: bill.total, hindrances: hindrances.slice(0, 20) });
  count({ [METRIC.closeHindrances]: hindrances.length });
  const message = closeMessage(period, preview);
  return { period, state, sha256, total: bill.total, currency: bill.currency, title: message.split('\n')[0], message };
});
