/** An AWS emulator of PyPI that runs what is deployed to it: CloudFormation, Lambda on this machine's Node, SQS, EventBridge, Step Functions. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { cached, run } from '../support/cache.ts';
import { endWith } from '../support/end-with.ts';
import { freePort } from '../support/free-port.ts';

const PACKAGES = ['ministack==1.5.33', 'cryptography==50.0.2'];

/** Everything that the stacks deploy, and what the CDK asks for. */
const SERVICES =
  's3,sqs,sns,events,lambda,iam,sts,kms,logs,cloudwatch,monitoring,stepfunctions,states,scheduler,cloudformation,ssm,secretsmanager,apigatewayv2,apigateway,budgets,firehose,ecr,glue,athena';

export interface Ministack {
  readonly endpoint: string;
  readonly port: number;
  /** Environment of any program that is to talk to it. */
  readonly environment: Readonly<Record<string, string>>;
  /** Processes of the emulator that run this function. */
  workersOf(functionName: string): number[];
  log(): string;
  stop(): Promise<void>;
}

/** Errors: those of pip when PyPI cannot be had. */
export async function ministackPackage(): Promise<string> {
  return await cached('python/ministack-1.5.33', async (folder) => {
    await run('python3', ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--target', folder, ...PACKAGES]);
  });
}

/** Everything that it writes lies below `folder`. */
export async function startMinistack(packageFolder: string, folder: string): Promise<Ministack> {
  const port = await freePort();
  const temporary = join(folder, 'tmp');
  mkdirSync(temporary, { recursive: true });
  const endpoint = `http://127.0.0.1:${port}`;
  const log = join(folder, 'ministack.log');
  const environment = { AWS_ENDPOINT_URL: endpoint, AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_REGION: 'us-east-1' };
  const child = spawn('python3', ['-m', 'ministack'], {
    cwd: folder,
    env: {
      ...process.env,
      PYTHONPATH: packageFolder,
      GATEWAY_PORT: String(port),
      BIND_HOST: '127.0.0.1',
      MINISTACK_HOST: '127.0.0.1',
      TMPDIR: temporary,
      S3_DATA_DIR: join(folder, 's3'),
      STATE_DIR: join(folder, 'state'),
      SERVICES,
      // A function that looks for credentials elsewhere would leave this machine.
      AWS_EC2_METADATA_DISABLED: 'true',
      // The functions find this test's Node first.
      PATH: `${join(process.execPath, '..')}:${process.env.PATH ?? ''}`,
    },
    stdio: ['ignore', openSync(log, 'a'), openSync(log, 'a')],
  });
  const ended = once(child, 'exit');
  const letGo = endWith(child);
  const said = (): string => readFileSync(log, 'utf8');
  for (let tries = 0; !(await answers(endpoint)); tries += 1) {
    if (child.exitCode !== null || tries > 150) throw new Error(`the emulator did not start: ${said().slice(-2000)}`);
    await wait(200);
  }
  return {
    endpoint,
    port,
    environment,
    workersOf: (functionName) =>
      descendants(child.pid ?? 0).filter((pid) => environmentOf(pid).includes(`AWS_LAMBDA_FUNCTION_NAME=${functionName}`)),
    log: said,
    async stop() {
      const workers = descendants(child.pid ?? 0);
      letGo();
      child.kill();
      await ended;
      for (const pid of workers) killQuietly(pid);
    },
  };
}

async function answers(endpoint: string): Promise<boolean> {
  return await fetch(endpoint).then(
    () => true,
    () => false,
  );
}

export function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended of its own accord.
  }
}

/** Of Linux's /proc: the emulator runs where that is. */
function descendants(root: number): number[] {
  const parents = readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    const parent = Number(/^PPid:\s+(\d+)/m.exec(readQuietly(`/proc/${name}/status`))?.[1] ?? -1);
    return [[Number(name), parent] as const];
  });
  const found: number[] = [];
  for (let level = [root]; level.length > 0; ) {
    level = parents.filter(([, parent]) => level.includes(parent)).map(([pid]) => pid);
    found.push(...level);
  }
  return found;
}

function environmentOf(pid: number): string[] {
  return readQuietly(`/proc/${pid}/environ`).split('\0');
}

function readQuietly(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
