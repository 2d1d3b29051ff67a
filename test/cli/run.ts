/** The real command as a child process, as a shell would start it. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const LAUNCH = join(fileURLToPath(new URL('../../functions/cli/', import.meta.url)), 'launch.js');

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly bytes: Buffer;
}

export function kashi(args: readonly string[], options: { readonly cwd: string; readonly input?: string }): Ran {
  const { status, stdout, stderr } = spawnSync(process.execPath, [LAUNCH, ...args], {
    ...options,
    maxBuffer: 64 * 1024 ** 2,
    env: { ...process.env, NO_COLOR: '1' },
  });
  return { code: status ?? -1, stdout: stdout.toString('utf8'), stderr: stderr.toString('utf8'), bytes: stdout };
}

/** The one JSON document on standard output. Errors: SyntaxError when it is none, or more than one. */
export function json<T>(ran: Ran): T {
  return JSON.parse(ran.stdout) as T;
}
