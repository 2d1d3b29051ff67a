/** Works off the hooks that are due: what each points at is asked for where it is kept, and follows into the model registry. */
import type { SQSEvent } from 'aws-lambda';
import { METRIC } from '../contract.ts';
import { drain, readQueue } from '../distribution/intake-queue.ts';
import { applyHook } from '../distribution/intake-truth.ts';
import { observed } from './observe.ts';
import { systemClock, warehouse } from './wiring.ts';
import { deployedTruths } from './wiring-distribution.ts';

/** A message only wakes: the queue is in the bucket, and remembers what failed and when it is due again. */
export const handler = observed('intake', async (_event: SQSEvent, { count, info, warn }) => {
  const store = warehouse();
  const truthOf = await deployedTruths();
  const worked = await drain(store, systemClock, async (hook) => {
    const applied = await applyHook({ store, clock: systemClock }, truthOf(hook.endpoint), hook);
    for (const one of applied) info('applied', { hook: hook.delivery_id, ...one });
  });
  for (const { id, state, attempts } of worked)
    if (state !== 'done') warn('not worked off', { hook: id, state, tries: attempts.length, reason: attempts.at(-1)?.error });
  const dead = (await readQueue(store)).filter(({ state }) => state === 'dead').length;
  count({ [METRIC.hooksDead]: dead });
  return { worked: worked.length, dead };
});
