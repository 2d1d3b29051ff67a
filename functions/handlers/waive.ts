/** A person answers, with a reason, for something that keeps a month from being closed. Invoked by hand: RUNBOOK, close. */
import { waiveAll } from '../cli/waive.ts';
import { observed } from './observe.ts';
import { deployedCentre } from './wiring.ts';

export interface WaiveEvent {
  readonly period: string;
  /** As the message about the month names them. */
  readonly subjects: readonly string[];
  readonly by: string;
  readonly reason: string;
}

export const handler = observed('waive', async ({ period, subjects, by, reason }: WaiveEvent, { info }) => {
  const waived = await waiveAll(await deployedCentre(), period, subjects, { by, reason });
  info('waived', { period, by, waived });
  return { period, waived };
});
