/** Child of poisoned-files.test.ts: parses one file without storing it and prints counts and how far memory grew. */
import { createReadStream, statSync } from 'node:fs';
import { DEFAULT_LIMITS, ObjectFault } from '../../functions/ingest/limits.ts';
import { ObjectParser } from '../../functions/ingest/parse-object.ts';
import { peek } from '../../functions/ingest/peek.ts';
import { readBounded } from '../../functions/ingest/read-bounded.ts';
import type { LandedObject } from '../../functions/ports.ts';
import { detectSource } from '../../functions/sources/detect.ts';
import { isHold } from '../../functions/sources/source.ts';

const path = process.argv[2] ?? '';
const object: LandedObject = {
  name: path,
  bytes: statSync(path).size,
  lastModifiedMs: 0,
  open: () => createReadStream(path, { highWaterMark: 1 << 20 }),
};
const before = process.memoryUsage.rss();
let peak = before;
let hold: string | null = null;
let lines: unknown = null;
try {
  const source = detectSource((await peek(object, DEFAULT_LIMITS)).head);
  const parser = source?.open({ siteId: 'hq', zone: null, receivedAtMs: Date.UTC(2026, 10, 2), contentId: '', options: {} });
  if (source === null || parser === undefined || isHold(parser)) throw new Error('not recognised');
  const records = new ObjectParser(source, parser, DEFAULT_LIMITS, { row: () => {}, refused: () => {} });
  for await (const chunk of readBounded(object.open(), DEFAULT_LIMITS)) {
    records.push(chunk);
    peak = Math.max(peak, process.memoryUsage.rss());
  }
  records.finish();
  lines = records.counts;
} catch (error) {
  if (!(error instanceof ObjectFault)) throw error;
  hold = error.reason;
}
process.stdout.write(JSON.stringify({ lines, hold, grownBytes: peak - before }));
