/** Starts and stops receivers in a temporary centre, and posts to them over real connections. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listLanded } from '../../functions/adapters/landing-local.ts';
import { DEFAULT_LIMITS } from '../../functions/ingest/limits.ts';
import { ObjectParser } from '../../functions/ingest/parse-object.ts';
import { detectSource } from '../../functions/sources/detect.ts';
import { isHold, type Row } from '../../functions/sources/source.ts';
import { headOf } from '../sources/frame.ts';
import { contextOf } from '../sources/parse-with.ts';

export interface Receiver {
  readonly url: URL;
  /** Everything the process printed. */
  readonly output: () => string;
  kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null>;
}

export interface ReceiveCentre {
  readonly directory: string;
  readonly landing: string;
  start(...options: string[]): Promise<Receiver>;
  /** As if the killed receiver's files had lain there for an hour. */
  age(): void;
  remove(): void;
}

export function receiveCentre(): ReceiveCentre {
  const directory = mkdtempSync(join(tmpdir(), 'kashi-receive-'));
  const landing = join(directory, 'landing');
  writeFileSync(join(directory, 'kashi.yaml'), 'landing: ./landing\nwarehouse: ./warehouse\ndefault_site: edge-1\n');
  const running: ChildProcess[] = [];
  return {
    directory,
    landing,
    start: async (...options) => {
      const script = join(import.meta.dirname, 'serve.ts');
      const config = join(directory, 'kashi.yaml');
      const child = spawn(process.execPath, [script, '--config', config, '--listen', '127.0.0.1:0', '--json', ...options], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      running.push(child);
      return await receiverOf(child);
    },
    age: () => {
      const spool = join(landing, '.receive');
      const past = new Date(Date.now() - 3_600_000);
      for (const name of readdirSync(spool)) utimesSync(join(spool, name), past, past);
    },
    remove: () => {
      for (const child of running) child.kill('SIGKILL');
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function receiverOf(child: ChildProcess): Promise<Receiver> {
  let output = '';
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const url = await new Promise<URL>((resolve, reject) => {
    child.stderr?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      const found = /"listening": "([^"]+)"/.exec(output)?.[1];
      if (found !== undefined) resolve(new URL(found));
    });
    child.once('exit', (code) => reject(new Error(`exit ${code}: ${output}`)));
  });
  return {
    url,
    output: () => output,
    kill: async (signal) => {
      child.kill(signal);
      return await exited;
    },
  };
}

export interface Post {
  readonly path: string;
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** The answer, or null when the connection broke before there was one. */
export async function post(receiver: Receiver, { path, body, headers }: Post, agent?: Agent, method = 'POST'): Promise<Answer | null> {
  return await new Promise((resolve) => {
    const call = request({ host: receiver.url.hostname, port: receiver.url.port, path, method, headers, agent }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', () => resolve(null));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString() }),
      );
    });
    call.on('error', () => resolve(null));
    call.end(body);
  });
}

/** Posts over several connections at once until all are accepted or `stop` says so; returns the indices that were accepted. */
export async function postAll(
  receiver: Receiver,
  posts: readonly Post[],
  connections: number,
  stop: () => boolean = () => false,
): Promise<Set<number>> {
  const accepted = new Set<number>();
  let next = 0;
  const worker = async (): Promise<void> => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let index = next++; index < posts.length && !stop(); index = next++) {
      const answer = await post(receiver, posts[index]!, agent);
      if (answer !== null && answer.status >= 200 && answer.status < 300) accepted.add(index);
    }
    agent.destroy();
  };
  await Promise.all(Array.from({ length: connections }, worker));
  return accepted;
}

export interface Landed {
  readonly objects: number;
  readonly sources: ReadonlySet<string>;
  readonly rows: readonly Row[];
  readonly quarantined: number;
  readonly unknown: readonly string[];
}

/** Every landed object read by the source that recognises it. */
export async function readLanding(landing: string): Promise<Landed> {
  const rows: Row[] = [];
  const sources = new Set<string>();
  const unknown: string[] = [];
  let objects = 0;
  let quarantined = 0;
  for (const object of listLanded([landing], landing)) {
    objects++;
    const chunks: Uint8Array[] = [];
    for await (const chunk of object.open()) chunks.push(Buffer.from(chunk));
    const bytes = new Uint8Array(Buffer.concat(chunks));
    const source = detectSource(object.name.endsWith('.snappy') ? headOf(bytes) : headOf(Buffer.from(bytes).toString()));
    const parser = source?.open(contextOf()) ?? null;
    if (source === null || parser === null || isHold(parser)) {
      unknown.push(object.name);
      continue;
    }
    sources.add(source.name);
    const reader = new ObjectParser(source, parser, DEFAULT_LIMITS, { row: (row) => rows.push(row as Row), refused: () => quarantined++ });
    if (source.framing === 'binary') reader.document(bytes);
    else reader.push(bytes);
    reader.finish();
  }
  return { objects, sources, rows, quarantined, unknown };
}
