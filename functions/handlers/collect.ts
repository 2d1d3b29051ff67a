/** Data files that no snapshot, no closed month and no commit needs any more are deleted; their noncurrent versions go by the bucket's rule. */
import { collectCentre } from '../cli/collect.ts';
import { observed } from './observe.ts';
import { deployedCentre } from './wiring.ts';

export const handler = observed('collect', async (_event: unknown, { info }) => {
  const { files, garbage } = await collectCentre(await deployedCentre());
  const bytes = garbage.reduce((sum, one) => sum + one.bytes, 0);
  info('collected', { files, deleted: garbage.length, bytes });
  return { files, deleted: garbage.length, bytes };
});
