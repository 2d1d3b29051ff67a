/** Objects landed: their rows are committed. A message that fails comes back alone; after some tries it lies with the dead letters. */
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { ingestMessages } from '../cloud/ingest-messages.ts';
import { METRIC } from '../contract.ts';
import { observed } from './observe.ts';
import { deployedCentre, landing } from './wiring.ts';

export const handler = observed('ingest', async ({ Records }: SQSEvent, { count, info, warn }): Promise<SQSBatchResponse> => {
  const messages = Records.map(({ messageId: id, body }) => ({ id, body }));
  const report = await ingestMessages(await deployedCentre(), messages, landing.open);
  const { committed, known, held, rows, quarantined, failed, faults, gone } = report;
  for (const fault of faults) warn('not ingested', fault);
  for (const one of held) warn('held', one);
  for (const name of gone) warn('gone before it was read', { object: name });
  info('ingested', { messages: messages.length, committed, known, rows });
  count({
    [METRIC.objectsCommitted]: committed,
    [METRIC.objectsHeld]: held.length,
    [METRIC.objectsFailed]: failed.length,
    [METRIC.rowsCommitted]: rows,
    [METRIC.linesQuarantined]: quarantined,
  });
  return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
});
