/** What an outage of S3, a throttle and a poison message do to a deploy: nothing is lost, and the metric that its alarm looks at is there. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  DeleteFunctionConcurrencyCommand,
  GetFunctionConfigurationCommand,
  InvokeCommand,
  PutFunctionConcurrencyCommand,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda';
import { GetQueueAttributesCommand, PurgeQueueCommand, SendMessageCommand, SetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { announcement } from '../../functions/cloud/landed-message.ts';
import { METRIC } from '../../functions/contract.ts';
import { type Deployment, STAGE, until } from './deployment.ts';
import { type FaultyProxy, faultyProxy } from './faulty-proxy.ts';
import type { Ministack } from './ministack.ts';

const INGEST = `kashi-${STAGE}-ingest`;

interface Deployed {
  readonly deployed: Deployment;
  readonly emulator: Ministack;
  /** Landed already: key → bytes. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

export function faultTests(open: () => Deployed): void {
  describe('a fault', () => {
    let deployed: Deployment;
    let proxy: FaultyProxy;
    let bytes: Uint8Array;

    before(async () => {
      const { emulator, files } = open();
      ({ deployed } = open());
      bytes = files.get([...files.keys()].find((key) => key.startsWith('litellm/')) ?? '') ?? new Uint8Array();
      proxy = await faultyProxy(emulator.endpoint);
      await throughProxy();
      // A message comes back after seconds instead of six time-outs of the function.
      await hideFor(8);
    });
    after(async () => await proxy.stop());

    test('S3 is out: the run fails, its messages come back, and all is in when S3 answers again', async () => {
      proxy.always(503);
      const key = await landNew('outage');
      const before = proxy.seen('GET');
      await until('the function tried', 60, async () => (proxy.seen('GET') > before ? true : null));
      await assert.rejects(ingest(key), /Fault503/, 'Lambda counts an error: alarm ingest-errors');
      assert.equal(await isIn(key), false);
      proxy.always(null);
      await until('the message came back by itself', 90, async () => ((await isIn(key)) ? true : null));
    });

    test('raw logs cannot be read: the object fails, the rest is not tried, both are counted and come back', async () => {
      proxy.always(503, `/${deployed.output('landingBucket')}/`);
      const key = await landNew('unreadable');
      const { answer, log } = await ingest(key, 'litellm/edge-east/2026/10/01/other.jsonl');
      assert.equal(answer.batchItemFailures.length, 2);
      assert.match(log, metric(METRIC.objectsFailed, 2));
      assert.match(log, metric(METRIC.objectsCommitted, 0));
      proxy.always(null);
      await until('the message came back by itself', 90, async () => ((await isIn(key)) ? true : null));
    });

    test('S3 throttles: the SDK waits, and the object is in with the same message', async () => {
      const key = keyOf('throttle');
      proxy.plan('PUT', 503, 503);
      const before = proxy.seen('PUT');
      await deployed.land(key, Buffer.concat([bytes, Buffer.from('\n\n')]));
      await until('the object is in', 60, async () => ((await isIn(key)) ? true : null));
      assert.ok(proxy.seen('PUT') >= before + 3, 'two refusals, and what was put after them');
    });

    test('Lambda throttles: messages wait, none is lost', async () => {
      await deployed.lambda.send(new PutFunctionConcurrencyCommand({ FunctionName: INGEST, ReservedConcurrentExecutions: 0 }));
      const key = await landNew('waiting');
      await assert.rejects(
        deployed.lambda.send(new InvokeCommand({ FunctionName: INGEST, Payload: Buffer.from('{"Records":[]}') })),
        (error: Error) => error.name === 'TooManyRequestsException',
      );
      assert.equal(await isIn(key), false);
      await deployed.lambda.send(new DeleteFunctionConcurrencyCommand({ FunctionName: INGEST }));
      await until('the object is in', 90, async () => ((await isIn(key)) ? true : null));
      assert.equal(await waiting('deadLettersUrl'), 0);
    });

    test('a message that nobody can read lies with the dead letters after five tries, and no month closes before somebody looked', async () => {
      await hideFor(1);
      await deployed.sqs.send(new SendMessageCommand({ QueueUrl: deployed.output('queueUrl'), MessageBody: 'no json' }));
      await until('a dead letter', 90, async () => ((await waiting('deadLettersUrl')) === 1 ? true : null));
      const { state, message } = await deployed.call<{ state: string; message: string }>('judge', { period: '2026-11' });
      assert.equal(state, 'refused');
      assert.match(message, /queue:dead-letters: 1 announcements could not be ingested.*must be mended/);
      await deployed.sqs.send(new PurgeQueueCommand({ QueueUrl: deployed.output('deadLettersUrl') }));
    });

    /** The function's own calls to S3 pass the proxy. */
    async function throughProxy(): Promise<void> {
      const { Environment } = await deployed.lambda.send(new GetFunctionConfigurationCommand({ FunctionName: INGEST }));
      const Variables = { ...Environment?.Variables, AWS_ENDPOINT_URL_S3: proxy.endpoint };
      await deployed.lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName: INGEST, Environment: { Variables } }));
    }

    async function hideFor(seconds: number): Promise<void> {
      const Attributes = { VisibilityTimeout: String(seconds) };
      await deployed.sqs.send(new SetQueueAttributesCommand({ QueueUrl: deployed.output('queueUrl'), Attributes }));
    }

    /** A new content under a new name. */
    async function landNew(name: string): Promise<string> {
      await deployed.land(keyOf(name), Buffer.concat([bytes, Buffer.from(`${'\n'.repeat(name.length)}`)]));
      return keyOf(name);
    }

    async function ingest(...keys: string[]): Promise<{ answer: { batchItemFailures: unknown[] }; log: string }> {
      return await deployed.callAndListen('ingest', { Records: keys.map((key) => ({ messageId: key, body: announcement(key) })) });
    }

    /** By what the reconciler would find missing. */
    async function isIn(key: string): Promise<boolean> {
      const hints = await deployed.keys(deployed.output('warehouseBucket'), '_seen/');
      for (const hint of hints.reverse()) {
        const text = Buffer.from(await deployed.bytes(deployed.output('warehouseBucket'), hint)).toString();
        if (text.includes(key)) return true;
      }
      return false;
    }

    async function waiting(queue: string): Promise<number> {
      const { Attributes = {} } = await deployed.sqs.send(
        new GetQueueAttributesCommand({ QueueUrl: deployed.output(queue), AttributeNames: ['ApproximateNumberOfMessages'] }),
      );
      return Number(Attributes['ApproximateNumberOfMessages']);
    }
  });
}

function keyOf(name: string): string {
  return `litellm/edge-east/2026/10/01/fault-${name}.jsonl`;
}

/** As CloudWatch reads it out of a log. */
function metric(name: string, value: number): RegExp {
  return new RegExp(`"${name}":\\s*\\[?${value}\\b`);
}
