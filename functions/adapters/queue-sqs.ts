/** Messages to the ingest queue, and how many lie in a queue of dead letters. */
import { GetQueueAttributesCommand, SendMessageBatchCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { TransientStoreError } from '../ports.ts';
import { awsError } from './aws.ts';

/** What one request takes. */
const BATCH = 10;

/** Errors: TransientStoreError when a message was not taken (it may have been), KashiError store_unsuitable. */
export async function sendMessages(client: SQSClient, queue: string, bodies: readonly string[]): Promise<void> {
  for (let start = 0; start < bodies.length; start += BATCH) {
    const Entries = bodies.slice(start, start + BATCH).map((MessageBody, index) => ({ Id: String(index), MessageBody }));
    const { Failed = [] } = await client.send(new SendMessageBatchCommand({ QueueUrl: queue, Entries })).catch((error: unknown) => {
      throw awsError(error, queue);
    });
    if (Failed.length > 0) throw new TransientStoreError(`${queue}: ${Failed.length} messages were not taken: ${Failed[0]?.Message}`);
  }
}

/** About how many messages lie in a queue; those in hand are counted too. */
export async function messagesIn(client: SQSClient, queue: string): Promise<number> {
  const AttributeNames = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'] as const;
  const { Attributes = {} } = await client
    .send(new GetQueueAttributesCommand({ QueueUrl: queue, AttributeNames: [...AttributeNames] }))
    .catch((error: unknown) => {
      throw awsError(error, queue);
    });
  return AttributeNames.reduce((sum, name) => sum + Number(Attributes[name] ?? 0), 0);
}
