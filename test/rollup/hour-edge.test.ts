/**
 * Samples at the edge of an hour, which say something about the hour before or after: interval six minutes, carry twelve. Each delta is one file; the
 * first bill rolls up what there was. What decides is in the hour that the new file does not touch.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type TestCentre, testCentre } from '../support/centre.ts';
import { assertSame, rolledBill } from './support.ts';

const BASE = join(import.meta.dirname, '..', 'bills', 'samples-with-clock-ratio');
const PERIOD = '2025-10';

/** Minutes of 2025-10-05 at the centre, device, tensor activity. */
type Sample = readonly [number, string, string];

const SITUATIONS: Readonly<Record<string, { readonly before: readonly Sample[]; readonly after: readonly Sample[] }>> = {
  // 00:50 alone speaks until 00:56; with 01:01 after it until 01:01: four minutes more in the first hour.
  'a sample ends the one before it, in the hour before': { before: [[50, 'GPU-1', '0.1']], after: [[61, 'GPU-1', '0.9']] },
  // 00:58 speaks until 01:04: four minutes in the second hour.
  'a sample speaks into the hour after it': { before: [[70, 'GPU-1', '0.1']], after: [[58, 'GPU-1', '0.9']] },
  // 00:58 spoke until 01:04; 00:59 ends it, and speaks there itself.
  'a sample takes the next hour from the one before it': { before: [[58, 'GPU-1', '0.1']], after: [[59, 'GPU-1', '0.9']] },
  'a late sample between two of another file': {
    before: [
      [54, 'GPU-1', '0.1'],
      [66, 'GPU-1', '0.1'],
    ],
    after: [[60, 'GPU-1', '0.9']],
  },
  'another value for the same instant: the first committed wins': { before: [[59, 'GPU-1', '0.1']], after: [[59, 'GPU-1', '0.9']] },
};

function write(centre: TestCentre, name: string, lines: readonly string[]): string {
  const path = join(centre.directory, 'landing', name);
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}

function samples(centre: TestCentre, name: string, rows: readonly Sample[]): string {
  const at = (minutes: number): string => new Date(Date.UTC(2025, 9, 4, 16) + minutes * 60_000).toISOString();
  return write(centre, name, [
    'at,node,device,tensor,clock',
    ...rows.map(([minutes, device, tensor]) => `${at(minutes)},n1,${device},${tensor},1830`),
  ]);
}

function allocations(centre: TestCentre, name: string, rows: readonly string[]): string {
  return write(centre, name, ['job,tenant,model,count,start,end,devices', ...rows]);
}

describe('samples at the edge of an hour', { concurrency: 2 }, () => {
  for (const [name, { before, after }] of Object.entries(SITUATIONS))
    test(name, async () => {
      const centre = testCentre(BASE);
      try {
        const held = '2025-10-05T00:00:00+08:00,2025-10-05T02:00:00+08:00,GPU-1';
        await centre.ingest([
          allocations(centre, 'allocations-1.csv', [`job,research,h800,1,${held}`]),
          samples(centre, 'samples-1.csv', before),
        ]);
        const was = await rolledBill(centre.centre, PERIOD);
        await centre.ingest([samples(centre, 'samples-2.csv', after)]);
        await assertSame(centre.centre, PERIOD, name);
        const is = await rolledBill(centre.centre, PERIOD);
        const evidence = (bill: typeof is): unknown =>
          bill.document.bills.flatMap(({ lines }) => lines.map(({ hfu, coverage }) => [hfu, coverage]));
        if (name.startsWith('another value')) assert.deepEqual(evidence(is), evidence(was));
        else assert.notDeepEqual(evidence(is), evidence(was));
      } finally {
        centre.remove();
      }
    });

  test('an allocation that turns out to have ended in the middle of its samples', async () => {
    const centre = testCentre(BASE);
    try {
      const rows: readonly Sample[] = Array.from(
        { length: 40 },
        (_, place) => [place * 6 + 3, 'GPU-1', place < 20 ? '0.1' : '0.9'] as const,
      );
      await centre.ingest([
        allocations(centre, 'allocations-1.csv', ['job,research,h800,1,2025-10-05T00:00:00+08:00,,GPU-1']),
        samples(centre, 'samples-1.csv', rows),
      ]);
      await rolledBill(centre.centre, PERIOD);
      const job = 'job,research,h800,1,2025-10-05T00:00:00+08:00,2025-10-05T01:30:00+08:00,GPU-1';
      await centre.ingest([allocations(centre, 'allocations-2.csv', [job])]);
      await assertSame(centre.centre, PERIOD, 'ended');
      const next = 'next,search,h800,1,2025-10-05T01:30:00+08:00,2025-10-05T03:00:00+08:00,GPU-1';
      await centre.ingest([allocations(centre, 'allocations-3.csv', [next])]);
      await assertSame(centre.centre, PERIOD, 'somebody else held it then');
    } finally {
      centre.remove();
    }
  });

  test('ten deltas: layers are merged', async () => {
    const centre = testCentre(BASE);
    try {
      await centre.ingest([
        allocations(centre, 'allocations-1.csv', ['job,research,h800,1,2025-10-05T00:00:00+08:00,2025-10-05T02:00:00+08:00,GPU-1']),
      ]);
      for (let delta = 0; delta < 10; delta++) {
        await centre.ingest([samples(centre, `samples-${delta}.csv`, [[(delta * 47) % 120, 'GPU-1', `0.${delta}1`]])]);
        await rolledBill(centre.centre, PERIOD);
      }
      await assertSame(centre.centre, PERIOD, 'merged');
    } finally {
      centre.remove();
    }
  });
});
