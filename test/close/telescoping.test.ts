/** Whatever comes late, and however often it is corrected: Σ issued for a month, over all bills, is what the month is rated to at the end. */
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { orderCorrection } from '../../functions/cli/correct.ts';
import { KashiError } from '../../functions/domain/errors.ts';
import { type LivingCentre, livingCentre } from './support.ts';
import { issuedFor, ratedAfresh } from './telescoped.ts';

const MONTHS = ['2025-10', '2025-11', '2025-12', '2026-01'] as const;
const DAY_MS = 86_400_000;
const START_MS = Date.parse('2025-10-01T00:00:00+08:00');

/** A request, and after how many closes it lands. */
const request = fc.record({
  day: fc.integer({ min: 0, max: 91 }),
  edge: fc.constantFrom(0, 1, DAY_MS - 1),
  team: fc.constantFrom('research', 'search'),
  input: fc.integer({ min: 0, max: 3000 }),
  output: fc.integer({ min: 0, max: 2000 }),
  lands: fc.integer({ min: 0, max: 3 }),
});
/** A job; its end may be told later than its start. */
const job = fc.record({
  day: fc.integer({ min: 0, max: 91 }),
  hours: fc.integer({ min: 1, max: 400 }),
  seconds: fc.integer({ min: 0, max: 3599 }),
  count: fc.constantFrom(1, 2, 0.5),
  lands: fc.integer({ min: 0, max: 3 }),
});
const story = fc.record({
  requests: fc.array(request, { minLength: 1, maxLength: 14 }),
  jobs: fc.array(job, { maxLength: 4 }),
  /** Other prices, ordered for October before the close of this number. */
  order: fc.option(fc.record({ before: fc.integer({ min: 1, max: 3 }), price: fc.constantFrom('1.5', '2.0000000001', '0') }), {
    nil: null,
  }),
});
type Story = typeof story extends fc.Arbitrary<infer T> ? T : never;

function write(living: LivingCentre, { requests, jobs }: Story, landing: number): string[] {
  const at = (ms: number): string => new Date(ms).toISOString();
  const usage = requests
    .map((one, index) => ({ ...one, index }))
    .filter(({ lands }) => lands === landing)
    .map(({ index, day, edge, team, input, output }) => `r${index},${at(START_MS + day * DAY_MS + edge)},${team},chat,${input},${output}`);
  const held = jobs
    .map((one, index) => ({ ...one, index }))
    .filter(({ lands }) => lands === landing)
    .map(({ index, day, hours, seconds, count }) => {
      const start = START_MS + day * DAY_MS;
      return `j${index},research,h800,${count},${at(start)},${at(start + hours * 3_600_000 + seconds * 1000)}`;
    });
  const files: [string, string, string[]][] = [
    [`usage-${landing}.csv`, 'id,at,team,model,input,output', usage],
    [`allocations-${landing}.csv`, 'job,tenant,model,count,start,end', held],
  ];
  return files
    .filter(([, , rows]) => rows.length > 0)
    .map(([name, header, rows]) => {
      const file = join(living.directory, name);
      writeFileSync(file, `${[header, ...rows].join('\n')}\n`);
      return file;
    });
}

async function orderPrice(living: LivingCentre, price: string): Promise<void> {
  const book = join(living.directory, 'price-book.yaml');
  const text = (await import('node:fs')).readFileSync(book, 'utf8');
  writeFileSync(book, text.replace('input_uncached: "2"', `input_uncached: "${price}"`));
  await orderCorrection(living.open(), '2025-10', 'Li Wei', 'agreed late').catch((error: unknown) => {
    if (!(error instanceof KashiError)) throw error;
  });
}

test('Σ issued over all bills = recomputed, line by line, for random late rows over four closes', { timeout: 600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(story, async (told) => {
      const living = livingCentre(null);
      try {
        for (const [close, month] of MONTHS.entries()) {
          const files = write(living, told, close);
          // A warehouse without a row cannot be closed.
          if (close === 0 && files.length === 0) files.push(...seed(living));
          if (files.length > 0) await living.land(files);
          if (told.order?.before === close) await orderPrice(living, told.order.price);
          const outcome = await living.close(month);
          assert.equal(outcome.state, 'closed', JSON.stringify(outcome.state === 'refused' ? outcome.hindrances : ''));
        }
        const unordered = told.order === null ? MONTHS.slice(0, 3) : (['2025-10'] as const);
        for (const period of unordered)
          assert.deepEqual(await issuedFor(living, period, MONTHS), await ratedAfresh(living, period), period);
        assert.equal((await living.verify('2026-01')).problem, null);
      } finally {
        living.remove();
      }
    }),
    { numRuns: 4, seed: 20251001, endOnFailure: true },
  );
});

function seed(living: LivingCentre): string[] {
  const file = join(living.directory, 'usage-seed.csv');
  rmSync(file, { force: true });
  writeFileSync(file, 'id,at,team,model,input,output\nseed,2025-10-01T00:00:00+08:00,research,chat,1,1\n');
  return [file];
}
