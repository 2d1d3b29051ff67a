/**
 * Raw logs to signed files on a deploy: the synthesised stacks on an emulator over HTTP, functions and deliveries killed and
 * repeated on the way. The bill must be, byte for byte, the one that this machine closes from the same files.
 */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { DescribeExecutionCommand, SendTaskSuccessCommand, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { SubscribeCommand } from '@aws-sdk/client-sns';
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
} from '@aws-sdk/client-sqs';
import { glueCatalog } from '../../functions/adapters/catalog-glue.ts';
import { announcement } from '../../functions/cloud/landed-message.ts';
import { run } from '../support/cache.ts';
import { type Deployment, deploy, landedFiles, STAGE, until } from './deployment.ts';
import { whyMissing } from './emulator.ts';
import { faultTests } from './faults.ts';
import { killQuietly, type Ministack, ministackPackage, startMinistack } from './ministack.ts';

const PERIOD = '2026-10';
const CLI = join(import.meta.dirname, '..', '..', 'functions', 'cli', 'launch.js');
const GENERATE = [
  '--requests',
  '2000',
  '--days',
  '2',
  '--gpus',
  '24',
  '--tenants',
  '4',
  '--period',
  PERIOD,
  '--closable',
  '--bad-share',
  '0',
];

const reason = await ministackPackage().then(
  () => false as const,
  (error: unknown) => whyMissing('MiniStack', error),
);

describe('a deploy', { skip: reason }, () => {
  let folder: string;
  let emulator: Ministack;
  let deployed: Deployment;
  let files: Map<string, Uint8Array>;
  /** The same centre, closed on this machine. */
  let reference: { sha256: string; total: string };
  let questions: string;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kashi-aws-'));
    const centre = join(folder, 'centre');
    await run(process.execPath, [CLI, 'generate', '--out', centre, ...GENERATE]);
    files = landedFiles(centre);
    reference = await closedHere(centre, join(folder, 'here'));
    emulator = await startMinistack(await ministackPackage(), folder);
    deployed = await deploy(emulator, centre, folder);
    questions = await listen();
  });

  after(async () => {
    if (process.env['KASHI_KEEP'] !== undefined) console.log(`kept: ${folder}`);
    deployed?.close();
    await emulator?.stop();
    if (process.env['KASHI_KEEP'] === undefined) rmSync(folder, { recursive: true, force: true });
  });

  test('what lands is committed once, though workers die and events come again or not at all', async () => {
    const [late] = latest();
    const now = [...files].filter(([key]) => key !== late);
    for (const [index, [key, bytes]] of now.entries()) {
      await deployed.land(key, bytes);
      // Delivered twice: at least once is what S3 and SQS promise.
      if (index % 3 === 0) await send(announcement(key));
    }
    const victims = await until('a worker', 90, async () => notEmpty(emulator.workersOf('kashi-emulated-ingest')));
    for (const pid of victims) killQuietly(pid);
    // Messages of the dead come back after the visibility timeout; the reconciler does not wait for them.
    await until('every object that landed is in', 150, async () => {
      const { missing } = await deployed.call<{ missing: number }>('reconcile', { grace_s: 0 });
      return missing === 0 ? true : null;
    });
    assert.equal((await deployed.keys(deployed.output('warehouseBucket'), '_seen/')).length, now.length);
  });

  test('a snapshot, and the provisional bill', async () => {
    const sealed = await deployed.call<{ snapshot: number; residual: number }>('seal', {});
    assert.ok(sealed.snapshot >= 1);
    assert.equal(sealed.residual, 0);
    const refreshed = await deployed.call<{ bills: { period: string; total: string }[] }>('refresh', {});
    const bill = refreshed.bills.find(({ period }) => period === PERIOD);
    assert.ok(bill !== undefined && Number(bill.total) > 0);
    const kept = await deployed.bytes(deployed.output('warehouseBucket'), `provisional/${PERIOD}.json`);
    assert.equal((JSON.parse(Buffer.from(kept).toString()) as { total: string }).total, bill.total);
  });

  test('a person is asked, what came in meanwhile makes another bill, and only the approved one is issued', async () => {
    const stateMachineArn = deployed.output('closeMachine');
    const { executionArn } = await deployed.sfn.send(
      new StartExecutionCommand({ stateMachineArn, name: `close-${PERIOD}`, input: JSON.stringify({ period: PERIOD }) }),
    );
    const early = await question();
    assert.notEqual(early.sha256, reference.sha256, 'a file is missing yet');
    const [late, bytes] = latest();
    await deployed.land(late, bytes);
    await until('the late file is in', 90, async () => {
      const { missing } = await deployed.call<{ missing: number }>('reconcile', { grace_s: 0 });
      return missing === 0 ? true : null;
    });
    await deployed.call('seal', {});
    await answer(early.token);
    const second = await question();
    assert.deepEqual({ sha256: second.sha256 }, { sha256: reference.sha256 }, 'the bill that this machine closes');
    assert.match(second.text, new RegExp(`${reference.total} CNY, ready to be approved`));
    await answer(second.token);
    const victims = await until('a worker that closes', 60, async () => notEmpty(emulator.workersOf('kashi-emulated-close')));
    for (const pid of victims) killQuietly(pid);
    const ended = await endOf(executionArn ?? '');
    if (ended === 'SUCCEEDED') return;
    // AWS calls a dead function Runtime.ExitError, and the machine tries again; the emulator has another word for it, so a person begins anew.
    assert.match(ended, /Worker process died/);
    const again = await deployed.sfn.send(new StartExecutionCommand({ stateMachineArn, input: JSON.stringify({ period: PERIOD }) }));
    const { state } = await deployed.call<{ state: string }>('judge', { period: PERIOD });
    if (state === 'ready') await answer((await question()).token);
    assert.equal(await endOf(again.executionArn ?? ''), 'SUCCEEDED');
  });

  test('one bill, however often it is closed', async () => {
    const approved = { period: PERIOD, approved: reference.sha256 };
    const again = await Promise.all([deployed.call('close', approved), deployed.call('close', approved)]);
    assert.deepEqual(again[0], again[1]);
    assert.equal((again[0] as { sha256: string }).sha256, reference.sha256);
    assert.deepEqual(await deployed.keys(deployed.output('billsBucket'), 'bills/'), [`bills/${PERIOD}/000.json`]);
    assert.equal((await deployed.call<{ state: string }>('judge', { period: PERIOD })).state, 'already');
  });

  test('the files prove themselves with nothing but Node and the public key of the key service', async () => {
    const bucket = deployed.output('exportBucket');
    const keys = await deployed.keys(bucket);
    const start = `files/${PERIOD}/`;
    const out = join(folder, 'files');
    for (const key of keys.filter((one) => one.startsWith(start))) {
      const path = join(out, key.slice(start.length));
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, await deployed.bytes(bucket, key));
    }
    const { stdout } = await run(process.execPath, [join(out, 'verify-bill.mjs'), '--public-key', join(out, 'public-key.pem')], {
      cwd: out,
    });
    assert.match(stdout, new RegExp(reference.sha256));
    for (const tenant of ['ads', 'research', 'robotics', 'search'])
      assert.ok(keys.includes(`tenants/${tenant}/bill_line/period=${PERIOD}/bill_line.parquet`), tenant);
  });

  test('people get statements as PDF, workbook and page, a tenant its own', async () => {
    const bucket = deployed.output('exportBucket');
    const keys = await deployed.keys(bucket, 'tenants/ads/statements/');
    const names = keys.map((key) => key.slice(`tenants/ads/statements/${PERIOD}/`.length).replace(/\.(en|zh-CN)\./, '.'));
    assert.deepEqual(
      names.sort(),
      ['csv', 'html', 'pdf', 'xlsx'].map((form) => `statement-ads.${form}`),
    );
    const pdf = await deployed.bytes(bucket, keys.find((key) => key.endsWith('.pdf')) ?? '');
    assert.equal(Buffer.from(pdf.subarray(0, 5)).toString(), '%PDF-');
  });

  test('a message that is none fails alone', async () => {
    const [key = ''] = [...files.keys()];
    const records = [
      { messageId: 'none', body: 'no json' },
      { messageId: 'known', body: announcement(key) },
      { messageId: 'gone', body: announcement('gone/never-was.jsonl') },
    ];
    const answered = await deployed.call<{ batchItemFailures: unknown }>('ingest', { Records: records });
    assert.deepEqual(answered.batchItemFailures, [{ itemIdentifier: 'none' }]);
  });

  test('an OTLP delivery lands when its bearer token is known', async () => {
    const token = 'a-token-of-edge-east-0001';
    const secrets = new SecretsManagerClient(deployed.client);
    await secrets.send(
      new PutSecretValueCommand({ SecretId: deployed.output('EndpointTokensSecret'), SecretString: `edge-east ${token}` }),
    );
    secrets.destroy();
    const body = JSON.stringify({ resourceMetrics: [{ scopeMetrics: [] }] });
    assert.equal((await post('/v1/metrics', body, 'Bearer wrong-wrong-wrong-wrong')).status, 401);
    assert.equal((await post('/v1/metrics', body, `Bearer ${token}`)).status, 200);
    const [key = '', ...others] = await deployed.keys(deployed.output('landingBucket'), 'otlp-metrics/');
    assert.match(key, /^otlp-metrics\/edge-east\/\d{4}\/\d{2}\/\d{2}\/.+\.jsonl$/);
    assert.equal(others.length, 0);
  });

  test('the tables of the warehouse show the newest snapshot', async () => {
    const catalog = glueCatalog(`kashi_${STAGE}_warehouse`, deployed.client);
    assert.equal((await catalog.pointed('bill_line')).snapshot, null);
    const { snapshot, moved } = await deployed.call<{ snapshot: number; moved: string[] }>('publish', {});
    assert.ok(moved.includes('stored_token_usage') && moved.includes('bill_line'), moved.join(', '));
    const bucket = deployed.output('warehouseBucket');
    const { folder: at, snapshot: shown } = await catalog.pointed('stored_token_usage');
    assert.equal(shown, snapshot);
    const [manifest = ''] = await deployed.keys(bucket, at.replace(`s3://${bucket}/`, ''));
    const named = Buffer.from(await deployed.bytes(bucket, manifest))
      .toString()
      .trim()
      .split('\n');
    const stored = new Set((await deployed.keys(bucket, 'data/token_usage/')).map((key) => `s3://${bucket}/${key}`));
    assert.ok(named.length > 0 && named.every((url) => stored.has(url)), manifest);
  });

  faultTests(() => ({ deployed, emulator, files }));

  test('a slot that is taken stays as it is', async () => {
    const Bucket = deployed.output('billsBucket');
    const Key = `bills/${PERIOD}/000.json`;
    const stored = await deployed.bytes(Bucket, Key);
    const other = deployed.s3.send(new PutObjectCommand({ Bucket, Key, Body: 'other', IfNoneMatch: '*' }));
    await assert.rejects(other, (error: { $metadata?: { httpStatusCode?: number } }) => error.$metadata?.httpStatusCode === 412);
    assert.deepEqual(await deployed.bytes(Bucket, Key), stored);
  });

  /** The file that comes last: of the gateway, so that the bill differs without it. */
  function latest(): [string, Uint8Array] {
    const key = [...files.keys()].findLast((name) => name.startsWith('litellm/')) ?? '';
    return [key, files.get(key) ?? new Uint8Array()];
  }

  async function send(body: string): Promise<void> {
    await deployed.sqs.send(new SendMessageCommand({ QueueUrl: deployed.output('queueUrl'), MessageBody: body }));
  }

  /** A queue that hears what people are told. */
  async function listen(): Promise<string> {
    const { QueueUrl = '' } = await deployed.sqs.send(new CreateQueueCommand({ QueueName: 'people' }));
    const { Attributes = {} } = await deployed.sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }));
    await deployed.sns.send(
      new SubscribeCommand({ TopicArn: deployed.output('billsTopic'), Protocol: 'sqs', Endpoint: Attributes['QueueArn'] ?? '' }),
    );
    return QueueUrl;
  }

  async function question(): Promise<{ text: string; sha256: string; token: string }> {
    return await until('a question', 120, async () => {
      const { Messages = [] } = await deployed.sqs.send(new ReceiveMessageCommand({ QueueUrl: questions, WaitTimeSeconds: 1 }));
      for (const { Body = '', ReceiptHandle } of Messages) {
        await deployed.sqs.send(new DeleteMessageCommand({ QueueUrl: questions, ReceiptHandle }));
        const text = (JSON.parse(Body) as { Message: string }).Message;
        const token = /TOKEN:\s*(\S+)/.exec(text)?.[1];
        if (token !== undefined) return { text, sha256: /SHA-256 (\w{64})/.exec(text)?.[1] ?? '', token };
      }
      return null;
    });
  }

  /** Status of an execution that has ended, and why. */
  async function endOf(executionArn: string): Promise<string> {
    return await until('the close ends', 150, async () => {
      const { status = '', cause } = await deployed.sfn.send(new DescribeExecutionCommand({ executionArn }));
      return status === 'RUNNING' ? null : `${status}${cause === undefined ? '' : `: ${cause}`}`;
    });
  }

  async function answer(taskToken: string): Promise<void> {
    await deployed.sfn.send(new SendTaskSuccessCommand({ taskToken, output: 'true' }));
  }

  /** To the API by its host name, which here has no address of its own. */
  async function post(path: string, body: string, authorization: string): Promise<{ status: number; text: string }> {
    const host = deployed.output('EndpointUrl').replace('http://', '');
    const headers = { host, authorization, 'content-type': 'application/json' };
    return await new Promise((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port: emulator.port, method: 'POST', path, headers }, (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => {
          text += chunk.toString();
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }
});

async function closedHere(centre: string, copy: string): Promise<{ sha256: string; total: string }> {
  cpSync(centre, copy, { recursive: true });
  await run(process.execPath, [CLI, 'ingest', 'landing'], { cwd: copy });
  const { stdout } = await run(process.execPath, [CLI, 'close', PERIOD, '--json'], { cwd: copy });
  return JSON.parse(stdout) as { sha256: string; total: string };
}

function notEmpty<T>(items: readonly T[]): readonly T[] | null {
  return items.length === 0 ? null : items;
}
