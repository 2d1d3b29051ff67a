/** Ingests one ordinary file, then the bomb named on the command line, and says how far memory grew in between. Arguments: file, most bytes of an object. */
import { dirname } from 'node:path';
import { ingestInto } from '../../functions/cli/ingest.ts';
import { landedObjects } from '../../functions/cli/wiring.ts';
import { livingCentre } from '../close/support.ts';
import { landFile, monthMs, usageText } from './usage.ts';

export interface BombSaid {
  readonly hold: string | null;
  readonly rows: number;
  readonly grownBytes: number;
}

const [file = '', objectBytes = '0'] = process.argv.slice(2);
const living = livingCentre(null);
try {
  const open = living.open();
  const centre = { ...open, config: { ...open.config, limits: { ...open.config.limits, objectBytes: Number(objectBytes) } } };
  const rows = Array.from({ length: 20_000 }, (_, n) => ({
    id: `g${n}`,
    atMs: monthMs('2025-10') + n,
    team: 'search' as const,
    input: n,
    output: 1,
  }));
  const good = landFile(living.directory, 'usage-good.csv', usageText(rows), monthMs('2025-12'));
  await ingestInto(centre, [...landedObjects([good], centre)], {}, true);
  const before = process.resourceUsage().maxRSS;
  const { report } = await ingestInto({ ...centre, landingDirectory: dirname(file) }, [...landedObjects([file], centre)], {}, true);
  const grownBytes = (process.resourceUsage().maxRSS - before) * 1024;
  const [outcome] = report.outcomes;
  const said: BombSaid = {
    hold: outcome?.record.hold?.reason ?? null,
    rows: Object.values(outcome?.record.rows ?? {}).reduce((sum, count) => sum + count, 0),
    grownBytes,
  };
  process.stdout.write(JSON.stringify(said));
} finally {
  living.remove();
}
