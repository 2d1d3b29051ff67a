/** What an ingest thread does: the other half of wiring.ts, where jobs meet their adapters. */
import { rowSpool } from '../adapters/row-spool.ts';
import { serveThread } from '../adapters/thread-messages.ts';
import { type JobBlock, type JobDescription, type JobResult, ParseJob } from '../ingest/parse-job.ts';

serveThread<JobDescription, JobBlock, JobResult>(
  (description, directory) => new ParseJob(description, (dataset) => rowSpool(dataset, String(directory))),
);
