/** The FOCUS export of real closed months, with corrections in a later bill. Its rows are read from the CSV, exactly. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { orderCorrection } from '../../functions/cli/correct.ts';
import { writeClosedFiles } from '../../functions/cli/export.ts';
import { readClosed } from '../../functions/cli/proof.ts';
import { Rational, sumDecimals } from '../../functions/domain/money.ts';
import type { FocusVersion } from '../../functions/statements/focus.ts';
import { type LivingCentre, livingCentre } from '../close/support.ts';

type Row = Readonly<Record<string, string>>;

let living: LivingCentre;
before(async () => {
  living = livingCentre(join(import.meta.dirname, '..', 'close', 'situations', 'price-agreed-late-is-reversed-and-restated'));
  await living.land(['usage-1.csv']);
  assert.equal((await living.close('2025-10')).state, 'closed');
  living.use('price-book-2.yaml', 'price-book.yaml');
  assert.equal((await living.close('2025-11')).state, 'closed');
  await orderCorrection(living.open(), '2025-10', 'Li Wei', 'agreed late');
  assert.equal((await living.close('2025-12')).state, 'closed');
});
after(() => living.remove());

async function exported(period: string, focusVersion: FocusVersion, tenant: string | null): Promise<Row[]> {
  const centre = living.open();
  const closed = await readClosed(centre, period);
  assert.ok(closed !== null);
  const directory = join(living.directory, 'out', `${period}-${focusVersion}-${tenant}`);
  const files = await writeClosedFiles(centre, closed, { format: 'focus', directory, tenant, language: 'en', focusVersion });
  const csv = readFileSync(files.find((file) => file.endsWith('.csv')) ?? '', 'utf8');
  const [head = [], ...rows] = csv.trim().split('\r\n').map(cellsOf);
  return rows.map((row) => Object.fromEntries(head.map((name, index) => [name, row[index] ?? ''])));
}

function cellsOf(line: string): string[] {
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain]) =>
    (quoted ?? plain ?? '').replaceAll('""', '"'),
  );
}

test('unit price × quantity = cost, exactly, and billed costs add up to the bill', async () => {
  for (const [period, total] of [
    ['2025-10', '10.00'],
    ['2025-12', '-1.50'],
  ] as const) {
    const rows = await exported(period, '1.2', null);
    assert.ok(rows.length > 0);
    for (const row of rows) {
      const product = (price: string): string =>
        Rational.of(row[price] ?? '')
          .multiply(Rational.of(row['PricingQuantity'] ?? ''))
          .toFixed(16);
      assert.equal(product('ListUnitPrice'), row['ListCost']);
      assert.equal(product('ContractedUnitPrice'), row['ContractedCost']);
      assert.ok(Rational.of(row['ListUnitPrice'] ?? '').compare(Rational.of(0n)) >= 0);
      assert.match(row['ChargePeriodStart'] ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    }
    assert.equal(
      sumDecimals(
        rows.map((row) => row['BilledCost'] ?? ''),
        2,
      ),
      total,
    );
  }
});

test('a correction keeps the month of the usage and stands in the bill of the later one', async () => {
  const [first] = await exported('2025-10', '1.2', null);
  const rows = await exported('2025-12', '1.2', null);
  assert.deepEqual(
    rows.map((row) => row['ChargeClass']),
    ['Correction', 'Correction', 'Correction', 'Correction'],
  );
  for (const row of rows) {
    assert.equal(row['ChargePeriodStart'], first?.['ChargePeriodStart']);
    assert.equal(row['BillingPeriodStart'], '2025-11-30T16:00:00Z');
    assert.equal(row['ChargeCategory'], 'Usage');
    assert.equal(row['x_CorrectionCause'], 'rerate');
    assert.ok((row['InvoiceId'] ?? '').startsWith('2025-12:'));
  }
});

test('a tenant’s export holds its own rows only', async () => {
  const all = await exported('2025-10', '1.2', null);
  const own = await exported('2025-10', '1.2', 'research');
  assert.ok(own.length > 0 && own.length < all.length);
  assert.deepEqual([...new Set(own.map((row) => row['SubAccountId']))], ['research']);
  assert.ok(
    !JSON.stringify(own).includes('search-') &&
      !Object.values(own).some((row) => Object.values(row).some((cell) => /^search\b/.test(cell))),
  );
  await assert.rejects(exported('2025-10', '1.2', 'nobody'), { code: 'not_found' });
});

test('1.4 has its own columns and the same money', async () => {
  const [old, now] = [await exported('2025-10', '1.2', null), await exported('2025-10', '1.4', null)];
  const [before, after_] = [Object.keys(old[0] ?? {}), Object.keys(now[0] ?? {})];
  for (const gone of ['ProviderName', 'PublisherName']) assert.ok(before.includes(gone) && !after_.includes(gone), gone);
  for (const added of ['ServiceProviderName', 'HostProviderName', 'InvoiceDetailId'])
    assert.ok(!before.includes(added) && after_.includes(added), added);
  assert.deepEqual(
    now.map((row) => row['BilledCost']),
    old.map((row) => row['BilledCost']),
  );
});
