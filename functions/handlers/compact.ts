/** Many small data files of quiet days become few larger ones; no row changes. */
import { compactCentre } from '../cli/compact.ts';
import { observed } from './observe.ts';
import { deployedCentre } from './wiring.ts';

export const handler = observed('compact', async (_event: unknown, { info }) => {
  const { snapshot, groups, left } = await compactCentre(await deployedCentre());
  const merged = groups.reduce((sum, { files, outcome }) => sum + (outcome === 'compacted' ? files : 0), 0);
  info('compacted', { snapshot, merged, left });
  return { snapshot, merged, left };
});
