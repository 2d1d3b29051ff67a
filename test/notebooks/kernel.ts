/** A Jupyter kernel of Deno, spoken to over ZeroMQ: cells go in, outputs come out. Protocol: jupyter-client.readthedocs.io, "Messaging in Jupyter". */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { assert } from '../../functions/domain/errors.ts';
import type { Output } from './notebook.ts';

/** What is used of the zeromq package, which is installed apart from kashi's own. */
interface ZeroMq {
  readonly Dealer: new () => Socket & { send(parts: readonly string[]): Promise<void> };
  readonly Subscriber: new () => Socket & { subscribe(): void } & AsyncIterable<readonly Buffer[]>;
}
interface Socket {
  connect(address: string): void;
  close(): void;
}

interface Message {
  readonly type: string;
  readonly parent: string;
  readonly content: Readonly<Record<string, unknown>>;
}

/** The kernel may say "idle" before the last output of a cell has gone out: it is listened to for this much longer. */
const DRAIN_MS = 300;
const CELL_MS = 120_000;
const DELIMITER = '<IDS|MSG>';

export class Kernel {
  readonly #key: string;
  readonly #process: ChildProcess;
  readonly #shell: InstanceType<ZeroMq['Dealer']>;
  readonly #published: InstanceType<ZeroMq['Subscriber']>;
  readonly #messages: Message[] = [];
  readonly #folder: string;

  private constructor(key: string, folder: string, started: ChildProcess, zmq: ZeroMq, [shell, published]: readonly number[]) {
    this.#key = key;
    this.#folder = folder;
    this.#process = started;
    this.#shell = new zmq.Dealer();
    this.#published = new zmq.Subscriber();
    this.#shell.connect(`tcp://127.0.0.1:${shell}`);
    this.#published.connect(`tcp://127.0.0.1:${published}`);
    this.#published.subscribe();
    void this.#listen();
  }

  /** `packages`: folder whose node_modules holds deno and zeromq. `directory`: where the cells run; relative imports start there. */
  static async start(packages: string, directory: string, env: Readonly<Record<string, string>>): Promise<Kernel> {
    const zmq = createRequire(join(packages, 'package.json'))('zeromq') as ZeroMq;
    const ports = await freePorts(5);
    const [shell_port, iopub_port, stdin_port, control_port, hb_port] = ports;
    const key = randomUUID();
    const folder = mkdtempSync(join(tmpdir(), 'kashi-kernel-'));
    const connection = join(folder, 'connection.json');
    const sockets = { shell_port, iopub_port, stdin_port, control_port, hb_port };
    writeFileSync(connection, JSON.stringify({ transport: 'tcp', ip: '127.0.0.1', key, signature_scheme: 'hmac-sha256', ...sockets }));
    const deno = join(packages, 'node_modules', '.bin', 'deno');
    const started = spawn(deno, ['jupyter', '--kernel', '--conn', connection], {
      cwd: directory,
      env: { ...process.env, DENO_DIR: join(folder, 'deno'), DENO_NO_UPDATE_CHECK: '1', NO_COLOR: '1', ...env },
      stdio: ['ignore', 'ignore', 'ignore'],
    });
    const kernel = new Kernel(key, folder, started, zmq, ports);
    for (let tries = 0; kernel.#messages.length === 0; tries++) {
      assert(tries < 100 && started.exitCode === null, 'the kernel starts');
      await kernel.#send('kernel_info_request', {});
      await wait(200);
    }
    return kernel;
  }

  /** Runs one cell and returns what it shows, in order; an exception is an output too. */
  async execute(code: string): Promise<Output[]> {
    const id = await this.#send('execute_request', {
      code,
      silent: false,
      store_history: true,
      user_expressions: {},
      allow_stdin: false,
      stop_on_error: true,
    });
    const idle = (): boolean =>
      this.#messages.some(({ type, parent, content }) => parent === id && type === 'status' && content['execution_state'] === 'idle');
    for (let waited = 0; !idle(); waited += 20) {
      assert(waited < CELL_MS && this.#process.exitCode === null, `a cell ends within ${CELL_MS / 1000} s`);
      await wait(20);
    }
    await wait(DRAIN_MS);
    return this.#messages.filter(({ parent }) => parent === id).flatMap(({ type, content }) => outputOf(type, content));
  }

  async close(): Promise<void> {
    this.#shell.close();
    this.#published.close();
    if (this.#process.exitCode === null) {
      this.#process.kill();
      await once(this.#process, 'exit');
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #send(type: string, content: object): Promise<string> {
    const id = randomUUID();
    const header = { msg_id: id, session: this.#key, username: '', date: new Date().toISOString(), msg_type: type, version: '5.3' };
    const parts = [JSON.stringify(header), '{}', '{}', JSON.stringify(content)];
    const signature = createHmac('sha256', this.#key).update(parts.join('')).digest('hex');
    await this.#shell.send([DELIMITER, signature, ...parts]);
    return id;
  }

  async #listen(): Promise<void> {
    for await (const frames of this.#published) {
      const texts = frames.map(String);
      const [header, parent, , content] = texts.slice(texts.indexOf(DELIMITER) + 2).map((text) => JSON.parse(text) as Message['content']);
      this.#messages.push({ type: String(header?.['msg_type']), parent: String(parent?.['msg_id']), content: content ?? {} });
    }
  }
}

function outputOf(type: string, content: Message['content']): Output[] {
  const { data, metadata, name, text, ename, evalue, traceback } = content;
  if (type === 'display_data') return [{ output_type: type, data, metadata } as Output];
  if (type === 'execute_result') return [{ output_type: type, execution_count: null, data, metadata } as Output];
  if (type === 'stream') return [{ output_type: type, name, text } as Output];
  return type === 'error' ? [{ output_type: type, ename, evalue, traceback } as Output] : [];
}

/** All held at once, so that none is given twice. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as { readonly port: number }).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}
