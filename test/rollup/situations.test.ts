/** Every situation of test/bills, landed file by file: after half of them and after all, rollups say what rows say. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { testCentre } from '../support/centre.ts';
import { assertSame, filesBelow, rolledBill } from './support.ts';

const BILLS = join(import.meta.dirname, '..', 'bills');
const SITUATIONS = readdirSync(BILLS, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
  .sort();

describe('rollups of every situation', { concurrency: 2 }, () => {
  for (const situation of SITUATIONS) {
    test(situation, async () => {
      const expected = JSON.parse(readFileSync(join(BILLS, situation, 'expected.json'), 'utf8')) as {
        readonly received_at?: string;
        readonly bills: readonly { readonly period: string }[];
      };
      const { received_at, bills } = expected;
      const centre = testCentre(join(BILLS, situation), received_at === undefined ? undefined : new Date(received_at));
      try {
        const files = filesBelow(join(centre.directory, 'landing'));
        const half = Math.ceil(files.length / 2);
        await centre.ingest(files.slice(0, half));
        for (const { period } of bills) await rolledBill(centre.centre, period);
        await centre.ingest(files.slice(half));
        for (const { period } of bills) await assertSame(centre.centre, period, `${situation} ${period}`);
      } finally {
        centre.remove();
      }
    });
  }
});
