/** The newest snapshot becomes what the tables of the catalog show. */
import { publishTables } from '../cloud/publish-tables.ts';
import { METRIC } from '../contract.ts';
import { observed } from './observe.ts';
import { deployedCentre, publishing } from './wiring.ts';

export const handler = observed('publish', async (_event: unknown, { count, info }) => {
  const published = await publishTables(await deployedCentre(), publishing());
  if (published === null) return { snapshot: null };
  info('published', { ...published });
  count({ [METRIC.publishedSnapshot]: published.snapshot });
  return published;
});
