/** An AWS emulator of PyPI on a free loopback port, for the SDK's own clients over HTTP. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { pythonPackages } from '../support/cache.ts';
import { endWith } from '../support/end-with.ts';
import { freePort } from '../support/free-port.ts';

const MINISTACK = 'ministack==1.5.33';
const MOTO = 'moto[server,s3,kms,athena,glue]==5.2.5';

export interface Emulator {
  readonly endpoint: string;
  /** For any client of the SDK. */
  readonly client: {
    readonly endpoint: string;
    readonly region: string;
    readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  };
  stop(): Promise<void>;
}

/** Moto: 412 for a taken key. Its KMS hashes a digest once more, so keys are tried on MiniStack. */
export async function startMoto(): Promise<Emulator> {
  const port = await freePort();
  return await start(await packagesOrSkip(MOTO), ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)], port);
}

/** Why there is no moto, for a suite that needs more than it; null when there is. */
export async function missingMoto(): Promise<string | null> {
  return await pythonPackages(MOTO).then(
    () => null,
    (error: unknown) => whyMissing(MOTO, error),
  );
}

/** MiniStack: KMS with digests. */
export async function startMiniStack(): Promise<Emulator> {
  const port = await freePort();
  return await start(await packagesOrSkip(MINISTACK, 'cryptography==50.0.2'), ['-m', 'ministack'], port);
}

/** Without Python or PyPI the file that asks ends here, with the reason: these suites are optional. */
async function packagesOrSkip(...requirements: readonly [string, ...string[]]): Promise<string> {
  try {
    return await pythonPackages(...requirements);
  } catch (error) {
    await test('everything here', { skip: whyMissing(requirements[0], error) });
    // The reporter has not written it yet.
    await wait(500);
    process.exit(0);
  }
}

/** In words for the reader of a skipped test. */
export function whyMissing(requirement: string, error: unknown): string {
  const { stderr = '', message } = error as Error & { readonly stderr?: string };
  const said = stderr.split('\n').find((line) => line.startsWith('ERROR')) ?? message.split('\n')[0];
  return `${requirement} cannot be had from PyPI: ${said}`;
}

async function start(folder: string, command: readonly string[], port: number): Promise<Emulator> {
  // A file, not a pipe: a test that waits for a command would not read it, and the emulator would wait for the test.
  const log = join(mkdtempSync(join(tmpdir(), 'kashi-emulator-')), 'log');
  const env = { ...process.env, PYTHONPATH: folder, GATEWAY_PORT: String(port), BIND_HOST: '127.0.0.1', PYTHONDONTWRITEBYTECODE: '1' };
  const child = spawn('python3', command, { env, cwd: dirname(log), stdio: ['ignore', openSync(log, 'w'), openSync(log, 'a')] });
  const letGo = endWith(child);
  return await ready(child, `http://127.0.0.1:${port}`, log, letGo);
}

async function ready(child: ChildProcess, endpoint: string, log: string, letGo: () => void): Promise<Emulator> {
  const ended = once(child, 'exit');
  for (let tries = 0; ; tries += 1) {
    if (child.exitCode !== null || tries > 300) throw new Error(`the emulator did not start: ${readFileSync(log, 'utf8').slice(-2000)}`);
    if (
      await fetch(endpoint).then(
        () => true,
        () => false,
      )
    )
      break;
    await wait(200);
  }
  return {
    endpoint,
    client: { endpoint, region: 'us-east-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' } },
    async stop() {
      letGo();
      child.kill();
      await ended;
      rmSync(dirname(log), { recursive: true, force: true });
    },
  };
}
