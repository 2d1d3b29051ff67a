/**
 * A git command that stays: started when it is first asked, asked over its input, one question after the other, and started again when it ended.
 * Starting git takes far longer than what it is asked here. It does not keep kashi running, and ends with it.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { KashiError } from '../domain/errors.ts';

/** Nothing of the user's or the machine's configuration, no question at a terminal, and everything on the disk when git says so. */
export const GIT_OPTIONS: readonly string[] = ['-c', 'core.fsync=all'];

export function gitEnvironment(): NodeJS.ProcessEnv {
  const { GIT_SSH_COMMAND, ...rest } = process.env;
  return {
    ...rest,
    ...(GIT_SSH_COMMAND === undefined ? {} : { GIT_SSH_COMMAND }),
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    LC_ALL: 'C',
  };
}

export function cannotStart(cause: Error): KashiError {
  return new KashiError(
    'config_missing',
    'git cannot be started',
    { allowed: 'git 2.30 or newer in PATH', found: cause.message },
    { cause },
  );
}

/** The process ended before it answered. */
export class GitEnded extends Error {
  readonly stderr: string;

  constructor(stderr: string) {
    super(stderr.trim());
    this.stderr = stderr;
  }
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

interface Running {
  readonly child: Child;
  /** Of the question that is asked now. */
  take: ((chunk: Buffer) => void) | null;
  fail: ((error: Error) => void) | null;
  stderr: string;
  answered: number;
}

export class GitProcess {
  readonly #args: readonly string[];
  #running: Running | null = null;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(directory: string, args: readonly string[]) {
    this.#args = [...GIT_OPTIONS, '--git-dir', directory, ...args];
  }

  /**
   * What `read` makes of the output; it is called with all of it so far and gives null until the answer is whole. A process that had answered
   * before and is gone is started again once: questions may be asked twice. Errors: GitEnded when a new one ends without an answer, config_missing.
   */
  async ask<T>(question: Uint8Array, read: (output: Buffer) => T | null): Promise<T> {
    const turn = this.#queue.then(async () => {
      const before = this.#running;
      try {
        return await this.#exchange(before ?? this.#start(), question, read);
      } catch (error) {
        if (!(error instanceof GitEnded) || before === null || before.answered === 0) throw error;
        return await this.#exchange(this.#start(), question, read);
      }
    });
    this.#queue = turn.catch(() => {});
    return await turn;
  }

  /** Lets the process end once it has answered; the next question starts another. */
  release(): void {
    void this.#queue.then(() => {
      this.#running?.child.stdin.end();
      this.#running = null;
    });
  }

  #start(): Running {
    const child = spawn('git', [...this.#args], { env: gitEnvironment(), stdio: ['pipe', 'pipe', 'pipe'] });
    const running: Running = { child, take: null, fail: null, stderr: '', answered: 0 };
    this.#running = running;
    const ended = (error: Error): void => {
      if (this.#running === running) this.#running = null;
      running.fail?.(error);
    };
    child.stdout.on('data', (chunk: Buffer) => running.take?.(chunk));
    child.stderr.on('data', (chunk: Buffer) => {
      running.stderr = (running.stderr + chunk.toString('utf8')).slice(-4_000);
    });
    child.on('error', (cause) => ended(cannotStart(cause)));
    child.on('close', () => ended(new GitEnded(running.stderr)));
    // A process that is gone closes its input; that it ended says why.
    child.stdin.on('error', () => {});
    holdOpen(child, false);
    return running;
  }

  async #exchange<T>(running: Running, question: Uint8Array, read: (output: Buffer) => T | null): Promise<T> {
    holdOpen(running.child, true);
    try {
      return await new Promise<T>((resolve, reject) => {
        let output: Buffer = Buffer.alloc(0);
        running.fail = reject;
        running.take = (chunk) => {
          output = output.length === 0 ? chunk : Buffer.concat([output, chunk]);
          const answer = read(output);
          if (answer !== null) resolve(answer);
        };
        running.child.stdin.write(question);
      });
    } finally {
      running.take = null;
      running.fail = null;
      running.answered += 1;
      holdOpen(running.child, false);
    }
  }
}

/** Whether Node waits for the process: only while it is asked something. */
function holdOpen(child: Child, held: boolean): void {
  const parts = [child, child.stdin, child.stdout, child.stderr] as unknown as Pick<Socket, 'ref' | 'unref'>[];
  for (const part of parts)
    if (held) part.ref();
    else part.unref();
}
