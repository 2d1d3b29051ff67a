/** A real OCI registry on loopback: Debian's docker-registry, one process a registry, its files in a folder of the test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { debianTool } from './optional-tools.ts';

export interface RunningRegistry {
  readonly url: string;
  /** host:port. */
  readonly host: string;
  readonly port: number;
  /** Where it keeps its blobs. */
  readonly folder: string;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export interface RegistrySettings {
  readonly port?: number;
  /** Where it tells of pushes; with a header, as it has no signature. */
  readonly notify?: { readonly url: string; readonly authorization: string };
  /** Path of an htpasswd file (bcrypt). */
  readonly htpasswd?: string;
}

/** Path of the binary, or null (and the reason printed) when it cannot be had. */
export function dockerRegistryBinary(): string | null {
  return debianTool('docker-registry', 'usr/bin/docker-registry');
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Starts a registry over `folder`, which may hold what an earlier one left. */
export async function startDockerRegistry(binary: string, folder: string, settings: RegistrySettings = {}): Promise<RunningRegistry> {
  const port = settings.port ?? (await freePort());
  mkdirSync(folder, { recursive: true });
  const { notify, htpasswd } = settings;
  const config = {
    version: '0.1',
    log: { level: 'warn', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: folder }, delete: { enabled: true }, maintenance: { uploadpurging: { enabled: false } } },
    http: { addr: `127.0.0.1:${port}`, secret: 'only for this test' },
    ...(htpasswd === undefined ? {} : { auth: { htpasswd: { realm: 'kashi', path: htpasswd } } }),
    ...(notify === undefined
      ? {}
      : {
          notifications: {
            endpoints: [
              {
                name: 'kashi',
                url: notify.url,
                headers: { Authorization: [notify.authorization] },
                timeout: '2s',
                threshold: 5,
                backoff: '200ms',
              },
            ],
          },
        }),
  };
  const file = join(folder, 'config.yml');
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(config));
  const process = spawn(binary, ['serve', file], { stdio: ['ignore', 'ignore', 'pipe'] });
  const printed: string[] = [];
  process.stderr.setEncoding('utf8').on('data', (text: string) => printed.push(text));
  await answers(`http://127.0.0.1:${port}/v2/`, process, printed);
  return {
    url: `http://127.0.0.1:${port}`,
    host: `127.0.0.1:${port}`,
    port,
    folder,
    stop: async (signal = 'SIGTERM') => {
      if (process.exitCode !== null || process.signalCode !== null) return;
      const gone = once(process, 'exit');
      process.kill(signal);
      await gone;
    },
  };
}

async function answers(url: string, process: ChildProcess, printed: readonly string[]): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    if (process.exitCode !== null) break;
    const status = await fetch(url).then(
      ({ status: found }) => found,
      () => 0,
    );
    if (status === 200 || status === 401) return;
    await sleep(50);
  }
  process.kill('SIGKILL');
  throw new Error(`docker-registry does not answer at ${url}: ${printed.join('').slice(-500)}`);
}
