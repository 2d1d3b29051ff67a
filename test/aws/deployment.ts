/** The stacks as a person deploys them, `cdk bootstrap` and `cdk deploy`, onto an emulator; and what a test does with them by the SDK. */
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { SFNClient } from '@aws-sdk/client-sfn';
import { SNSClient } from '@aws-sdk/client-sns';
import { SQSClient } from '@aws-sdk/client-sqs';
import { App, CliCredentialsStackSynthesizer } from 'aws-cdk-lib';
import type { FunctionName } from '../../functions/contract.ts';
import { parseStage } from '../../infra/config.ts';
import { makeApp } from '../../infra/make-app.ts';
import { run } from '../support/cache.ts';
import type { Ministack } from './ministack.ts';

const ROOT = join(import.meta.dirname, '..', '..');
export const STAGE = 'emulated';
/** Not the budget: the emulator refuses AWS::Budgets::Budget. */
const DEPLOYED = ['storage', 'ingest', 'billing', 'analyst', 'catalog', 'operations'];
const ENVIRONMENT = 'aws://000000000000/us-east-1';

export class Deployment {
  readonly outputs: Readonly<Record<string, string>>;
  readonly client: ReturnType<typeof clientOf>;
  readonly s3: S3Client;
  readonly sqs: SQSClient;
  readonly sns: SNSClient;
  readonly sfn: SFNClient;
  readonly lambda: LambdaClient;

  constructor(emulator: Ministack, outputs: Readonly<Record<string, string>>) {
    const client = clientOf(emulator);
    this.client = client;
    this.outputs = outputs;
    this.s3 = new S3Client({ ...client, forcePathStyle: true });
    this.sqs = new SQSClient(client);
    this.sns = new SNSClient(client);
    this.sfn = new SFNClient(client);
    this.lambda = new LambdaClient(client);
  }

  /** Value of an output whose name begins so. */
  output(start: string): string {
    const found = Object.entries(this.outputs).find(([name]) => name.startsWith(start))?.[1];
    if (found === undefined) throw new Error(`no output ${start}: ${Object.keys(this.outputs).join(', ')}`);
    return found;
  }

  /** Calls a function and gives what it answered. Errors: those of the function, with its message. */
  async call<Answer>(name: FunctionName, event: unknown): Promise<Answer> {
    return (await this.callAndListen<Answer>(name, event)).answer;
  }

  /** As call; also the last 4 KB of what it logged, its metrics among it. */
  async callAndListen<Answer>(name: FunctionName, event: unknown): Promise<{ answer: Answer; log: string }> {
    const { FunctionError, Payload, LogResult } = await this.lambda.send(
      new InvokeCommand({ FunctionName: `kashi-${STAGE}-${name}`, Payload: Buffer.from(JSON.stringify(event)), LogType: 'Tail' }),
    );
    const text = Buffer.from(Payload ?? new Uint8Array()).toString('utf8');
    if (FunctionError !== undefined) throw new Error(`${name}: ${FunctionError}: ${text}`);
    return { answer: JSON.parse(text) as Answer, log: Buffer.from(LogResult ?? '', 'base64').toString('utf8') };
  }

  async keys(bucket: string, prefix = ''): Promise<string[]> {
    const { Contents = [] } = await this.s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }));
    return Contents.map(({ Key = '' }) => Key);
  }

  async bytes(bucket: string, key: string): Promise<Uint8Array> {
    const { Body } = await this.s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    return (await Body?.transformToByteArray()) ?? new Uint8Array();
  }

  async land(key: string, bytes: Uint8Array): Promise<void> {
    await this.s3.send(new PutObjectCommand({ Bucket: this.output('landingBucket'), Key: key, Body: bytes }));
  }

  close(): void {
    for (const client of [this.s3, this.sqs, this.sns, this.sfn, this.lambda]) client.destroy();
  }
}

function clientOf({ endpoint }: Ministack) {
  return { endpoint, region: 'us-east-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' } };
}

export interface DeployOptions {
  /** Folder of fleet.yaml. @default no distribution */
  readonly fleet?: string;
  /** @default DEPLOYED */
  readonly stacks?: readonly string[];
}

/** Synthesises the stage for the centre in `centre`, bootstraps and deploys it. `folder` takes everything that is written. */
export async function deploy(
  emulator: Ministack,
  centre: string,
  folder: string,
  { fleet, stacks = DEPLOYED }: DeployOptions = {},
): Promise<Deployment> {
  const stage = join(folder, `${STAGE}.yaml`);
  const architecture = process.arch === 'arm64' ? 'arm64' : 'x64';
  // A short time-out, and two at a time: this machine has few cores.
  writeFileSync(
    stage,
    `notify: [finance@example.com]\ncentre: ${centre}\narchitecture: ${architecture}\ningest: {timeout_s: 60, max_concurrency: 2}\nanalysts: {tenants: [ads]}\n`,
  );
  if (fleet !== undefined) appendFileSync(stage, `distribution: {fleet: ${fleet}}\n`);
  const outdir = join(folder, 'cdk.out');
  const context = JSON.parse(readFileSync(join(ROOT, 'cdk.json'), 'utf8')) as { context: Record<string, unknown> };
  // With the caller's own rights: the emulator does not read those of the bootstrap roles as AWS does.
  const defaultStackSynthesizer = new CliCredentialsStackSynthesizer();
  const app = new App({ outdir, defaultStackSynthesizer, context: context.context, analyticsReporting: false });
  makeApp(app, STAGE, parseStage(STAGE, readFileSync(stage, 'utf8'), stage));
  app.synth();
  const cdk = async (...words: string[]): Promise<void> => {
    const env = { ...process.env, ...emulator.environment, CI: 'true', CDK_DISABLE_CLI_TELEMETRY: 'true' };
    await run(process.execPath, [join(ROOT, 'node_modules', 'aws-cdk', 'bin', 'cdk'), '--app', outdir, '--no-notices', ...words], {
      cwd: folder,
      env,
      maxBuffer: 64 * 1024 ** 2,
    });
  };
  await cdk('bootstrap', ENVIRONMENT);
  await cdk('deploy', ...stacks.map((part) => `kashi-${STAGE}-${part}`), '--require-approval', 'never');
  return new Deployment(emulator, await outputsOf(emulator));
}

async function outputsOf(emulator: Ministack): Promise<Record<string, string>> {
  const client = new CloudFormationClient(clientOf(emulator));
  const { Stacks = [] } = await client.send(new DescribeStacksCommand({}));
  client.destroy();
  const own = Stacks.filter(({ StackName = '' }) => StackName.startsWith(`kashi-${STAGE}-`));
  return Object.fromEntries(
    own.flatMap(({ Outputs = [] }) => Outputs.map(({ OutputKey = '', OutputValue = '' }) => [OutputKey, OutputValue])),
  );
}

/** On a busy machine everything takes longer; a bound is there to end a suite that hangs, not to time it. */
const PATIENCE = 4;

/** Asks until the answer is there. Errors: after `seconds` on an idle machine, saying what was waited for. */
export async function until<T>(what: string, seconds: number, look: () => Promise<T | null>): Promise<T> {
  for (const end = Date.now() + PATIENCE * seconds * 1000; ; await wait(1000)) {
    const found = await look();
    if (found !== null) return found;
    if (Date.now() > end) throw new Error(`not within ${PATIENCE * seconds} s: ${what}`);
  }
}

/** Landed files of a generated centre: key → bytes, in order. */
export function landedFiles(centre: string): Map<string, Uint8Array> {
  const root = join(centre, 'landing');
  const paths = readdirSync(root, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
  const keys = paths.map(({ parentPath, name }) => join(parentPath, name).slice(root.length + 1)).sort();
  return new Map(keys.map((key) => [key, readFileSync(join(root, key))]));
}
