/** The jobs that read one object: one, or one on each thread when no line depends on another and there is enough to share. */
import type { ThreadJob, ThreadPool } from '../ports.ts';
import { type JobBlock, type JobDescription, type JobResult, type Merged, mergeResults } from './parse-job.ts';

export type ParsePool = ThreadPool<JobDescription, JobBlock, JobResult>;

/** Blocks go round the threads in turn, so the same object is always shared out the same way. */
export class ObjectJobs {
  private readonly pool: ParsePool;
  private readonly description: JobDescription;
  private readonly most: number;
  private readonly jobs: ThreadJob<JobBlock, JobResult>[] = [];
  private sent = 0;

  constructor(pool: ParsePool, description: JobDescription, shared: boolean) {
    this.pool = pool;
    this.description = description;
    this.most = shared ? Math.max(1, pool.threads) : 1;
  }

  /** Hands the block over: its bytes are not to be used afterwards. Resolves when another is welcome. */
  async send(block: JobBlock): Promise<void> {
    const place = this.sent++ % this.most;
    const job = this.jobs[place] ?? this.pool.open(this.description);
    this.jobs[place] = job;
    await job.send(block, block.bytes.buffer);
  }

  async finish(): Promise<Merged> {
    // An empty object has no block; it still has a result.
    if (this.jobs.length === 0) this.jobs.push(this.pool.open(this.description));
    return mergeResults(await Promise.all(this.jobs.map((job) => job.finish())));
  }

  async abort(): Promise<void> {
    await Promise.all(this.jobs.map((job) => job.abort()));
  }
}
