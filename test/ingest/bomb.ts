/** Child of read-bounded.test.ts: unfolds the file named on the command line and prints what stopped it and how far memory grew. */
import { createReadStream } from 'node:fs';
import { DEFAULT_LIMITS, ObjectFault } from '../../functions/ingest/limits.ts';
import { readBounded } from '../../functions/ingest/read-bounded.ts';

const [path = '', ratio = '200'] = process.argv.slice(2);
const before = process.memoryUsage.rss();
let peak = before;
let bytes = 0;
let reason = 'none';
try {
  for await (const chunk of readBounded(createReadStream(path), {
    ...DEFAULT_LIMITS,
    ratio: Number(ratio),
    objectBytes: 512 * 1024 ** 2,
  })) {
    bytes += chunk.length;
    peak = Math.max(peak, process.memoryUsage.rss());
  }
} catch (error) {
  if (!(error instanceof ObjectFault)) throw error;
  reason = error.reason;
}
process.stdout.write(JSON.stringify({ reason, bytes, grownBytes: peak - before }));
