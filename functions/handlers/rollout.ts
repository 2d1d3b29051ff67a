/** Events of registries, reports of edges, and time: whatever is due is done. Messages are hints, the log is the truth. */
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { readRolloutMessage } from '../cloud/rollout-message.ts';
import { takeTurn } from '../cloud/rollout-turn.ts';
import { METRIC } from '../contract.ts';
import { faultText } from '../distribution/perform.ts';
import { observed } from './observe.ts';
import { systemClock } from './wiring.ts';
import { deployedFleet } from './wiring-distribution.ts';
import { deployedRollout } from './wiring-rollout.ts';

export const handler = observed('rollout', async ({ Records }: SQSEvent, { count, info, warn }): Promise<SQSBatchResponse> => {
  const { edgesAt } = await deployedFleet();
  const read = Records.map(({ messageId, body }) => ({ messageId, read: readRolloutMessage(body, edgesAt, systemClock.now()) }));
  const failed = read.flatMap(({ messageId, read: one }) => (one.is === 'refused' ? [{ messageId, why: one.why }] : []));
  for (const one of failed) warn('no such message', one);
  const parts = await deployedRollout((command, error) => warn('tried again later', { command: command.kind, reason: faultText(error) }));
  const { recorded, measures } = await takeTurn(
    parts,
    read.flatMap(({ read: one }) => (one.is === 'events' ? one.events : [])),
  );
  info('turn', { messages: Records.length, recorded, ...measures });
  count({
    [METRIC.rolloutStalled]: measures.stalledSeconds,
    [METRIC.digestsUnproven]: measures.unproven,
    [METRIC.replicationFailed]: measures.replicationFailed,
    [METRIC.edgesOffline]: measures.offline,
    [METRIC.edgesUnhealthy]: measures.unhealthy,
    [METRIC.runsStopped]: measures.stopped,
    [METRIC.messagesDead]: measures.deadDeliveries,
  });
  return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) };
});
