/** The smallest generated centre with every kind of log, ingested. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFileSink } from '../../functions/cli/wiring.ts';
import { generateCentre } from '../../functions/generate/generate.ts';
import { presetOptions } from '../../functions/generate/options.ts';
import { type TestCentre, testCentre } from './centre.ts';

/** `closable`: without the rows that would keep the month open. `landed`: its files lie in its landing folder, and nothing is ingested. */
export async function smallCentre(closable = false, state: 'ingested' | 'landed' = 'ingested'): Promise<TestCentre> {
  const folder = mkdtempSync(join(tmpdir(), 'kashi-small-'));
  try {
    const options = {
      ...presetOptions('demo'),
      requests: 400,
      days: 3,
      gpus: 24,
      ...(closable ? { unresolved: false, badPerMillion: 0 } : {}),
    };
    await generateCentre(options, openFileSink(folder), { update() {}, finish() {} });
    const centre = testCentre(folder);
    if (state === 'ingested') await centre.ingest();
    return centre;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
