/** What crosses between the pool and its threads, and the loop that a thread runs. */
import { parentPort, workerData } from 'node:worker_threads';
import { KashiError } from '../domain/errors.ts';

export type ToThread =
  | { readonly kind: 'open'; readonly job: number; readonly description: unknown }
  | { readonly kind: 'block'; readonly job: number; readonly block: unknown }
  | { readonly kind: 'finish'; readonly job: number }
  | { readonly kind: 'abort'; readonly job: number };

export type FromThread =
  | { readonly kind: 'taken'; readonly job: number; readonly spare: ArrayBuffer | null }
  | { readonly kind: 'finished'; readonly job: number; readonly result: unknown }
  | { readonly kind: 'failed'; readonly job: number; readonly stack: string; readonly known: KnownError | null };

/** A KashiError in parts: no class crosses to another thread. */
export type KnownError = Pick<KashiError, 'code' | 'message' | 'details'>;

/** What a thread does with one job. */
export interface ThreadWork<Block, Result> {
  /** Returns the block's memory when it can be used again. */
  take(block: Block): ArrayBuffer | null;
  finish(): Result;
  abort(): void;
}

/** Answers the pool until the thread is ended. `open` makes the work of a job from its description and the pool's data. */
export function serveThread<Description, Block, Result>(
  open: (description: Description, data: unknown) => ThreadWork<Block, Result>,
): void {
  const port = parentPort;
  if (port === null) throw new Error('invariant broken: serveThread runs in a worker thread only');
  const jobs = new Map<number, ThreadWork<Block, Result>>();
  const answer = (message: FromThread, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);
  port.on('message', (message: ToThread) => {
    const { job } = message;
    try {
      if (message.kind === 'open') jobs.set(job, open(message.description as Description, workerData));
      else if (message.kind === 'block') {
        const spare = jobs.get(job)?.take(message.block as Block) ?? null;
        answer({ kind: 'taken', job, spare }, spare === null ? [] : [spare]);
      } else if (message.kind === 'finish') {
        const work = jobs.get(job);
        jobs.delete(job);
        if (work !== undefined) answer({ kind: 'finished', job, result: work.finish() });
      } else {
        jobs.get(job)?.abort();
        jobs.delete(job);
      }
    } catch (error) {
      jobs.delete(job);
      const known = error instanceof KashiError ? { code: error.code, message: error.message, details: error.details } : null;
      answer({ kind: 'failed', job, stack: error instanceof Error ? (error.stack ?? error.message) : String(error), known });
    }
  });
}
