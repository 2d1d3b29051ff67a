/**
 * Bills joined with what the fleet did. In October v1 of chat was live at edge-1 until the 11th, v2 until the 21st, then v1 again by a rollback.
 * Charged are 30 M tokens whose records name no image (10 M before the 11th, 5 M between, 15 M after) = 240.00, 1 M that name v2 after it was
 * taken back = 8.00, and 10.00 of code, of which the fleet knows nothing. So v1 earned 25 of 30 M, 200.00, and v2 40.00 + 8.00.
 * Training of v1: 2 cards × 10 h × 5 = 100.00, its build 2 h × 5 = 10.00; charged to research at 10 an hour: 220.00. Serving: 24 h × 2 = 48.00,
 * by tokens 25 and 6 of 31 M: 38.71 and 9.29. Moved: 2 GiB for v1, 1 GiB for v2, at 0.50.
 */
import assert from 'node:assert/strict';
import { appendFileSync, cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { economics, economicsExitCode } from '../../functions/cli/economics.ts';
import { FleetLog } from '../../functions/distribution/fleet-log.ts';
import { runChecks } from '../../functions/warehouse/run.ts';
import { type TestCentre, testCentre } from '../support/centre.ts';
import { Story } from './fleet-cases.ts';

const GIB = 1024 ** 3;
/** Of v2 until the rollback. */
const ORDER = {
  ...{ model: 'chat', model_version: 'v2', site: 'edge-1', image_digest: `sha256:${Buffer.from('v2').toString('hex').padEnd(64, '0')}` },
  ...{ effective_from: '2025-10-10T16:00:00.000Z', effective_to: '2025-10-20T16:00:00.000Z' },
};

function fleetOfOctober(): Story {
  const story = new Story(['edge-1']);
  const at = (text: string): void => {
    story.nowMs = Date.parse(text);
  };
  const live = (version: string, bytes: number, text: string): void => {
    at(text);
    story.replicated('edge-1', version, bytes);
    story.prove('edge-1', version);
    story.commit();
    story.live('edge-1', version);
  };
  at('2025-09-30T00:00:00+08:00');
  story.promote('v1');
  live('v1', 2 * GIB, '2025-10-01T00:00:00+08:00');
  story.promote('v2');
  live('v2', GIB, '2025-10-11T00:00:00+08:00');
  at('2025-10-20T23:59:59+08:00');
  story.rollback();
  live('v1', 0, '2025-10-21T00:00:00+08:00');
  return story;
}

/** The centre of these tests, with more documents in its price book. */
async function centreWith(fleet: Story, documents: string): Promise<TestCentre> {
  const folder = mkdtempSync(join(tmpdir(), 'kashi-credit-'));
  try {
    cpSync(join(import.meta.dirname, 'versions-share-a-month'), folder, { recursive: true });
    appendFileSync(join(folder, 'price-book.yaml'), documents);
    const centre = testCentre(folder);
    const log = await FleetLog.open(centre.centre.store);
    for (const event of fleet.events) await log.record(event);
    await centre.ingest();
    return centre;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('economics of model versions', () => {
  let centre: TestCentre;

  before(async () => {
    centre = testCentre(join(import.meta.dirname, 'versions-share-a-month'));
    const log = await FleetLog.open(centre.centre.store);
    for (const event of fleetOfOctober().events) await log.record(event);
    await centre.ingest();
  });
  after(() => centre.remove());

  test('every version has its income and its costs, and the whole is the bills', async () => {
    const report = await centre.session('2025-10', async (session) => await economics(session, '0.50'));
    const [v1, v2, code] = report.versions;
    assert.deepEqual(
      report.versions.map((one) => [one.model, one.model_version, one.million_tokens, one.income]),
      [
        ['chat', 'v1', '25.000000', '200.00'],
        ['chat', 'v2', '6.000000', '48.00'],
        ['code', '', '5.000000', '10.00'],
      ],
    );
    assert.deepEqual(
      [v1?.training_cost, v1?.build_cost, v1?.distribution_cost, v1?.serving_cost, v1?.total_cost],
      ['100.00', '10.00', '1.00', '38.71', '149.71'],
    );
    assert.deepEqual([v1?.cost_per_million, v1?.margin], ['5.9884', '50.29']);
    assert.deepEqual(v1?.payback, { to_recover: '110.00', recovered: '160.29', share: '1.457182', paid_back_in: '2025-10' });
    assert.deepEqual([v2?.training_cost, v2?.distribution_cost, v2?.serving_cost, v2?.payback.share], ['0.00', '0.50', '9.29', null]);
    assert.equal(code?.serving_cost, '0.00');
    assert.deepEqual([report.without_tokens, report.bill_total, report.difference], ['220.00', '478.00', '0.00']);
    assert.deepEqual(
      report.checks.map(({ name, rows }) => [name, rows]),
      [
        ['chk_never_live', 1],
        ['chk_release_income', 0],
      ],
    );
    assert.equal(economicsExitCode(report), 3);
  });

  test('tokens of an image that was not live are found, and those of one that was taken back', async () => {
    const report = await centre.session('2025-10', async (session) => await economics(session, null));
    const short = (rows: typeof report.never_live) => rows.map((one) => [one.tenant_id, one.model_version, one.million_tokens, one.amount]);
    assert.deepEqual(short(report.never_live), [['search', 'v2', '1.000000', '8.00']]);
    assert.deepEqual(short(report.rolled_back), [['search', 'v2', '5.000000', '40.00']]);
    assert.deepEqual(report.credit_orders, [ORDER]);
    assert.equal(report.versions[0]?.distribution_cost, null, 'without a price of a GiB it is unknown, not nothing');
  });

  test('an income that is lost breaks the equation', async () => {
    const rows = await centre.session('2025-10', async ({ warehouse, models }) => {
      await runChecks(warehouse, models);
      await warehouse.define('ana_kept', "select * from ana_release_income where standing <> 'rolled_back'", 'table');
      await warehouse.define('ana_release_income', 'select * from ana_kept', 'table');
      const check = models.find(({ name }) => name === 'chk_release_income')!;
      await warehouse.define('chk_release_income', check.sql, 'view');
      return (await warehouse.query('select cast(income as varchar), cast(billed as varchar) from chk_release_income')).rows;
    });
    assert.deepEqual(rows, [['438.00', '478.00']]);
  });

  test('the order that is proposed gives back what the image served, and nothing else', async () => {
    const { model_version: _, ...order } = ORDER;
    const entry = JSON.stringify({ id: 'chat-v2', ...order, note: 'wrong answers', approved_by: 'Li Wei' });
    const credited = await centreWith(fleetOfOctober(), `---\nkind: token_credit\nentries:\n  - ${entry}\n`);
    try {
      const report = await credited.session('2025-10', async (session) => await economics(session, null));
      assert.deepEqual(
        report.credited.map((one) => [one.tenant_id, one.model_version, one.million_tokens, one.amount]),
        [['search', 'v2', '0.000000', '-40.00']],
      );
      assert.deepEqual(
        report.versions.map((one) => [one.model_version, one.million_tokens, one.income]),
        [
          ['v1', '25.000000', '200.00'],
          ['v2', '6.000000', '8.00'],
          ['', '5.000000', '10.00'],
        ],
      );
      assert.deepEqual([report.bill_total, report.difference, report.credit_orders.length], ['438.00', '0.00', 0]);
    } finally {
      credited.remove();
    }
  });

  test('live intervals and lead times can be asked for in SQL', async () => {
    const { rows } = await centre.session('2025-10', async ({ warehouse }) =>
      warehouse.query(
        'select model_version, kind, rolled_back, until_ms - live_ms, bytes_moved from ref_edge_rollout where generation < 3 order by generation',
      ),
    );
    const days = (count: number): string => String(count * 86_400_000);
    assert.deepEqual(rows, [
      ['v1', 'promotion', 'false', days(10), String(2 * GIB)],
      ['v2', 'promotion', 'true', days(10), String(GIB)],
    ]);
  });
});
