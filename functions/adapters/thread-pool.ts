/** Worker threads behind the ThreadPool port. A job's blocks stay on one thread, in order; at most a few are on their way. */
import { Worker } from 'node:worker_threads';
import { KashiError } from '../domain/errors.ts';
import type { ThreadJob, ThreadPool } from '../ports.ts';
import type { FromThread, ToThread } from './thread-messages.ts';

const BLOCKS_ON_THE_WAY = 2;
const MOST_SPARES = 16;

interface Waiting {
  onWay: number;
  room: (() => void) | null;
  resolve: ((result: unknown) => void) | null;
  reject: (error: Error) => void;
  failed: Error | null;
}

interface Thread {
  readonly worker: Worker;
  readonly jobs: Map<number, Waiting>;
}

/** `entry` is the module a thread runs (see serveThread); `data` is handed to it. One thread starts now, the others when all are busy. */
export function threadPool<Description, Block, Result>(entry: URL, threads: number, data: unknown): ThreadPool<Description, Block, Result> {
  const spares: ArrayBuffer[] = [];
  const pool = [startThread(entry, data, spares)];
  const leastBusy = (): Thread => {
    const thread = pool.reduce((least, one) => (one.jobs.size < least.jobs.size ? one : least));
    if (thread.jobs.size === 0 || pool.length === threads) return thread;
    const another = startThread(entry, data, spares);
    pool.push(another);
    return another;
  };
  let nextJob = 0;
  return {
    threads,
    spare: () => spares.pop() ?? null,
    open: (description) => openJob<Block, Result>(leastBusy(), nextJob++, description),
    close: async () => {
      await Promise.all(pool.map(({ worker }) => worker.terminate()));
    },
  };
}

function startThread(entry: URL, data: unknown, spares: ArrayBuffer[]): Thread {
  const thread: Thread = { worker: new Worker(entry, { workerData: data }), jobs: new Map() };
  thread.worker.on('message', (message: FromThread) => {
    if (message.kind === 'taken' && message.spare !== null && spares.length < MOST_SPARES) spares.push(message.spare);
    received(thread, message);
  });
  thread.worker.on('error', (error: Error) => {
    for (const waiting of thread.jobs.values()) fail(waiting, error);
  });
  return thread;
}

function received(thread: Thread, message: FromThread): void {
  const waiting = thread.jobs.get(message.job);
  if (waiting === undefined) return;
  if (message.kind === 'taken') {
    waiting.onWay--;
    const { room } = waiting;
    waiting.room = null;
    room?.();
  } else if (message.kind === 'finished') {
    thread.jobs.delete(message.job);
    waiting.resolve?.(message.result);
  } else fail(waiting, errorOf(message));
}

function errorOf({ known, stack }: Extract<FromThread, { kind: 'failed' }>): Error {
  return known === null ? new Error(stack) : new KashiError(known.code, known.message, known.details, { cause: stack });
}

function fail(waiting: Waiting, error: Error): void {
  waiting.failed = error;
  waiting.room?.();
  waiting.reject(error);
}

function openJob<Block, Result>(thread: Thread, job: number, description: unknown): ThreadJob<Block, Result> {
  const waiting: Waiting = { onWay: 0, room: null, resolve: null, reject: () => {}, failed: null };
  thread.jobs.set(job, waiting);
  const post = (message: ToThread, transfer: ArrayBuffer[] = []): void => thread.worker.postMessage(message, transfer);
  post({ kind: 'open', job, description });
  return {
    send: async (block, transfer) => {
      if (waiting.failed !== null) throw waiting.failed;
      waiting.onWay++;
      post({ kind: 'block', job, block }, transfer === undefined ? [] : [transfer]);
      if (waiting.onWay < BLOCKS_ON_THE_WAY) return;
      await new Promise<void>((resolve) => {
        waiting.room = resolve;
      });
      if (waiting.failed !== null) throw waiting.failed;
    },
    finish: () =>
      new Promise<Result>((resolve, reject) => {
        if (waiting.failed !== null) {
          reject(waiting.failed);
          return;
        }
        waiting.resolve = resolve as (result: unknown) => void;
        waiting.reject = reject;
        post({ kind: 'finish', job });
      }),
    abort: async () => {
      if (thread.jobs.delete(job)) post({ kind: 'abort', job });
    },
  };
}
