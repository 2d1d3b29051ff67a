/** The FOCUS export before the official validator, and answering published FOCUS use cases. Run by `npm run test:focus`: it needs Python and PyPI. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import type { Centre } from '../../functions/cli/wiring.ts';
import type { ClosedBill } from '../../functions/close/bill-object.ts';
import { sumDecimals } from '../../functions/domain/money.ts';
import { closedCentre, closedMonth, exported, newFolder, provisionalFocus, removeFolders } from './centres.ts';
import { installValidator, validate } from './focus-validator.ts';

const validator = installValidator();
const missing = 'missing' in validator ? validator.missing : null;
if (missing !== null) console.log(`The official FOCUS validator cannot be had, so nothing is validated: ${missing}`);

async function query(sql: string): Promise<Record<string, string>[]> {
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  const reader = await connection.runAndReadAll(sql);
  const names = reader.columnNames();
  return reader.getRows().map((row) => Object.fromEntries(row.map((value, index) => [names[index] ?? '', String(value)])));
}

after(removeFolders);

/** Tenant → sum of its corrections, for those that have any. */
function correctedTenants({ bills }: ClosedBill): string[][] {
  return bills.flatMap(({ tenant_id, lines }) => {
    const amounts = lines.filter(({ kind }) => kind === 'correction').map(({ amount }) => amount);
    return amounts.length === 0 ? [] : [[tenant_id, sumDecimals(amounts, 2)]];
  });
}

describe('FOCUS 1.2', { skip: missing ?? false, timeout: 20 * 60_000 }, () => {
  let demo: Centre;
  let hundred: Centre;
  let demoFile = '';
  let corrected = '';
  before(async () => {
    demo = await closedCentre(4, null);
    hundred = await closedCentre(100, join('litellm', 'edge-east'));
    demoFile = join((await exported(demo, '2026-10', 'focus', 'en')).directory, 'focus-1.2.parquet');
    corrected = join((await exported(hundred, '2026-11', 'focus', 'en')).directory, 'focus-1.2.parquet');
  });

  const valid = (file: string): void => {
    assert.ok(!('missing' in validator));
    const { passed, failed, alternatives, skipped } = validate(validator, file);
    console.log(
      `${passed} rules passed, ${failed.length} failed, ${skipped} not executable or not applicable; halves of an OR that holds: ${alternatives.join(', ')}`,
    );
    assert.deepEqual(failed, []);
    assert.ok(passed > 250, `${passed} rules passed`);
  };

  test('the demo month passes every executable rule', () => valid(demoFile));

  test('the same month passes before it is closed', async () => valid(await provisionalFocus()));

  test('a month of a hundred tenants passes', async () => {
    const { directory } = await exported(hundred, '2026-10', 'focus', 'en');
    const file = join(directory, 'focus-1.2.parquet');
    const [counted] = await query(`select count(distinct SubAccountId) as tenants from '${file}'`);
    assert.ok(Number(counted?.['tenants']) >= 95, `${counted?.['tenants']} tenants`);
    valid(file);
  });

  test('its corrections, in the bill of the next month, pass', async () => {
    const [counted] = await query(
      `select count(*) as rows from '${corrected}' where ChargeClass = 'Correction' and ChargePeriodStart < BillingPeriodStart`,
    );
    assert.ok(Number(counted?.['rows']) > 50, `${counted?.['rows']} corrections`);
    valid(corrected);
  });

  // The validator's rules about products and missing prices pass over rows whose ChargeClass is null (it compares with null); that every
  // product is exact is tested to the last digit in test/statements/focus.test.ts.
  for (const [what, replaced, rule] of [
    ['a charge class that is not allowed', "'Standard' as ChargeClass", 'ChargeClass-C-005-C'],
    ['a category that is not allowed', "'Penalty' as ChargeCategory", 'ConsumedQuantity-C-004-C'],
    ['a negative price', '-ListUnitPrice - 1 as ListUnitPrice', 'ListUnitPrice-C-008-M'],
    ['no cost', 'cast(null as decimal(38,2)) as BilledCost', 'BilledCost-C-003-M'],
    ['a price of two SKUs', "'another' as SkuId", 'SkuPriceId-C-008-M'],
  ] as const) {
    test(`a wrong row fails: ${what}`, async () => {
      const file = join(newFolder(), 'wrong.parquet');
      const [, column = ''] = replaced.split(' as ').slice(-2);
      const wrong = `case when n = 1 then (${replaced.slice(0, replaced.lastIndexOf(' as '))}) else ${column} end as ${column}`;
      await query(
        `copy (select * exclude n replace (${wrong}) from (select *, row_number() over () as n from '${demoFile}')) to '${file}' (format parquet)`,
      );
      assert.ok(!('missing' in validator));
      const { failed } = validate(validator, file);
      assert.match(failed.join(' '), new RegExp(rule), `failed: ${failed.join(', ')}`);
    });
  }

  // The queries of the FOCUS use case library (focus.finops.org/use-cases), with the period put in.
  test('published use cases: what they answer is the bill', async () => {
    const { bill } = await closedMonth(demo, '2026-10');
    const period = "ChargePeriodStart >= timestamp '2026-09-30 16:00:00' and ChargePeriodEnd <= timestamp '2026-10-31 16:00:00'";
    const sources = await query(
      `select ProviderName, PublisherName, InvoiceIssuerName, InvoiceId, sum(BilledCost) as total from '${demoFile}' where ${period} group by all order by InvoiceId`,
    );
    assert.deepEqual(
      sources.map(({ InvoiceId, total }) => [InvoiceId, total]),
      bill.bills.map(({ tenant_id, total }) => [`2026-10:${tenant_id}`, total]),
    );
    const services = await query(
      `select ServiceName, BillingCurrency, sum(BilledCost) as total from '${demoFile}' group by all order by ServiceName`,
    );
    assert.deepEqual(
      services.map(({ ServiceName, BillingCurrency }) => `${ServiceName} ${BillingCurrency}`),
      ['GPU Hours CNY', 'Token Inference CNY'],
    );
    const discounts = await query(
      `select sum(ContractedCost) - sum(ListCost) as effect from '${demoFile}' where ChargeClass is null and ChargeCategory = 'Usage'`,
    );
    assert.notEqual(Number(discounts[0]?.['effect']), 0, 'the factor is seen between list and contracted cost');
    const skus = await query(
      `select SkuId, SkuPriceId, PricingUnit, min(ListUnitPrice) as low, max(ListUnitPrice) as high from '${demoFile}' where ChargeCategory = 'Usage' group by all`,
    );
    assert.ok(skus.length > 5 && skus.every(({ low, high }) => low === high), 'a SKU price has one list price');
    const units = await query(`select distinct ConsumedUnit from '${demoFile}' where ConsumedUnit is not null order by 1`);
    assert.deepEqual(
      units.map(({ ConsumedUnit }) => ConsumedUnit),
      ['GPU-Hours', 'Tokens'],
    );
  });

  test('published use case: corrections by sub-account for a previously invoiced period', async () => {
    const { bill } = await closedMonth(hundred, '2026-11');
    const rows = await query(
      `select SubAccountId, cast(sum(BilledCost) as decimal(38,2)) as total from '${corrected}' where BillingPeriodStart >= timestamp '2026-10-31 16:00:00' and ChargeClass = 'Correction' group by all order by SubAccountId`,
    );
    assert.deepEqual(
      rows.map(({ SubAccountId, total }) => [SubAccountId, total]),
      correctedTenants(bill),
    );
  });
});
