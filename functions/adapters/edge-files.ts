/** What an edge agent keeps on its disk, and the commands that it runs. */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { KashiError } from '../domain/errors.ts';

/** A JSON file that is replaced whole: after a crash it is the one before or the one after. Errors: KashiError store_corrupt for another text. */
export function jsonFile<T>(path: string, empty: T): { load: () => T; save: (value: T) => void } {
  return {
    load: () => {
      if (!existsSync(path)) return empty;
      try {
        return JSON.parse(readFileSync(path, 'utf8')) as T;
      } catch (cause) {
        // Beginning anew would trust messages that were refused before.
        throw new KashiError(
          'store_corrupt',
          'what the agent remembers cannot be read',
          { where: path, hint: 'restore it from a backup' },
          { cause },
        );
      }
    },
    save: (value) => {
      mkdirSync(dirname(path), { recursive: true });
      const file = openSync(`${path}.tmp`, 'w', 0o600);
      try {
        writeSync(file, JSON.stringify(value));
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(`${path}.tmp`, path);
    },
  };
}

const TAIL = 2_000;

/** Runs a command without a shell. ok: it ended with 0 in time. `text`: the last of what it printed. */
export async function runCommand(
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
  timeoutMs: number,
): Promise<{ readonly ok: boolean; readonly text: string }> {
  const [program = '', ...args] = command;
  return await new Promise((resolve) => {
    let text = '';
    const child = spawn(program, args, { env: { ...process.env, ...environment }, stdio: ['ignore', 'pipe', 'pipe'], timeout: timeoutMs });
    const take = (chunk: Buffer): void => {
      text = (text + chunk.toString('utf8')).slice(-TAIL);
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.on('error', (error) => resolve({ ok: false, text: error.message }));
    child.on('close', (code, signal) => {
      resolve({ ok: code === 0, text: text.trim() === '' ? (signal === null ? `exit code ${code}` : `ended by ${signal}`) : text.trim() });
    });
  });
}

const WAIT_MS = 10_000;

/** Posts bytes and reads what comes back. Never throws for what the network does: status 0 then. */
export async function postBytes(url: string, body: Uint8Array): Promise<{ readonly status: number; readonly body: Uint8Array }> {
  try {
    const sent = Buffer.from(body);
    const headers = { 'content-type': 'application/vnd.kashi.signed+json' };
    const response = await fetch(url, { method: 'POST', headers, body: sent, redirect: 'manual', signal: AbortSignal.timeout(WAIT_MS) });
    return { status: response.status, body: new Uint8Array(await response.arrayBuffer()) };
  } catch {
    return { status: 0, body: new Uint8Array() };
  }
}
