/** Child of bombs.test.ts: ingests one generated bomb for real and prints what became of it and the most memory it ever had. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEFAULT_LIMITS, type Limits } from '../../functions/ingest/limits.ts';
import type { LandedObject } from '../../functions/ports.ts';
import { bombNamed } from './bombs.ts';
import { parquetIngest } from './ingested.ts';
import { RECEIVED_AT_MS, sampleNamed } from './samples.ts';

const [name = '', limitsText = '{}'] = process.argv.slice(2);
const { sample: sampleName, chunks } = bombNamed(name);
const sample = sampleNamed(sampleName);
if (sample === null) throw new Error(`${sampleName} is no sample`);
const limits: Limits = { ...DEFAULT_LIMITS, ...(JSON.parse(limitsText) as Partial<Limits>) };
const object: LandedObject = {
  name,
  bytes: 1,
  lastModifiedMs: RECEIVED_AT_MS,
  open: async function* () {
    yield* chunks();
  },
};
const folder = mkdtempSync(join(tmpdir(), 'kashi-bomb-'));
const parquet = await parquetIngest(folder);
const beforeBytes = process.resourceUsage().maxRSS * 1024;
try {
  const { outcome } = await parquet.ingest(object, sample.reading, limits, false);
  const { hold, lines, reasons } = outcome.record;
  const peakRssBytes = process.resourceUsage().maxRSS * 1024;
  process.stdout.write(JSON.stringify({ hold: hold?.reason ?? null, lines, reasons, peakRssBytes, beforeBytes }));
} finally {
  await parquet.close();
  rmSync(folder, { recursive: true, force: true });
}
