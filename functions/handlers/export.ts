/** The files of a closed month: CSV and proof, Parquet of all, and Parquet of each tenant under its own prefix. */
import { exportMonth } from '../cloud/export-month.ts';
import { observed } from './observe.ts';
import { deployedCentre, exports } from './wiring.ts';

export interface ExportEvent {
  readonly period: string;
}

export const handler = observed('export', async ({ period }: ExportEvent, { info }) => {
  const keys = await exportMonth(await deployedCentre(), exports(), period);
  info('exported', { period, files: keys.length });
  return { period, files: keys.length };
});
