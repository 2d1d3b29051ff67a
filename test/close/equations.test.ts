/** Every equation of RELIABILITY 3.4, broken: the close refuses and names it. Where no data can break it, a model or the history is made wrong. */
import assert from 'node:assert/strict';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ensureKey } from '../../functions/cli/close.ts';
import { planOf } from '../../functions/cli/closing.ts';
import { openEngineAt, openSigner } from '../../functions/cli/wiring.ts';
import { type Closed, closeMonth, type Refused } from '../../functions/close/close.ts';
import { equationText } from '../../functions/close/equation.ts';
import type { CloseDependencies } from '../../functions/close/judge.ts';
import { rulesOf } from '../../functions/close/rules.ts';
import { KashiError } from '../../functions/domain/errors.ts';
import { periodOf } from '../../functions/domain/period.ts';
import { snapshotKey } from '../../functions/ledger/keys.ts';
import { seal } from '../../functions/ledger/sealed.ts';
import { newestSnapshot, type SnapshotBody } from '../../functions/ledger/snapshot.ts';
import { type LivingCentre, livingCentre } from './support.ts';

const MONTH = '2025-10';
const ROWS = join(import.meta.dirname, 'situations', 'late-rows-become-corrections');
const GATE = { facts: { landed_objects: 0, landed_bytes: 0 }, hindrances: [] };

/** Model → what is done to its text. */
type Spoil = Readonly<Record<string, (sql: string) => string>>;

async function closeWith(
  living: LivingCentre,
  period: string,
  spoil: Spoil = {},
  others: Partial<CloseDependencies> = {},
): Promise<Closed | Refused> {
  const centre = living.open();
  await ensureKey(centre);
  const plan = await planOf(centre, period);
  const { rates, sql } = plan.rules;
  const files = sql.files.map((file) => {
    const change = spoil[file.path.replace(/^.*\/|\.sql$/g, '')];
    const text = change?.(file.text) ?? file.text;
    assert.ok(change === undefined || text !== file.text, `${file.path} was spoiled`);
    return { path: file.path, text };
  });
  const rules = rulesOf(rates.centre, periodOf(period, rates.time_zone), rates.currency, rates.reference, { ...sql, files });
  const openEngine: CloseDependencies['openEngine'] = (some, prelude) => openEngineAt(centre, some, { prelude });
  const dependencies = {
    store: centre.store,
    signer: openSigner(centre),
    clock: centre.clock,
    openEngine,
    openTwin: openEngine,
    ...others,
  };
  return await closeMonth(dependencies, { ...plan, rules }, GATE);
}

async function withRows(
  use: (living: LivingCentre) => Promise<void>,
  files: readonly string[] = ['usage-1.csv', 'allocations-3.csv'],
): Promise<void> {
  const living = livingCentre(ROWS);
  try {
    await living.land(files);
    await use(living);
  } finally {
    living.remove();
  }
}

function assertRefused(outcome: Closed | Refused, name: string): void {
  assert.equal(outcome.state, 'refused');
  if (outcome.state !== 'refused') return;
  const named = outcome.hindrances.filter(({ subject }) => subject === `equation:${name}`);
  assert.ok(named.length > 0, `${name} is named among ${outcome.hindrances.map(({ subject }) => subject).join(', ')}`);
  for (const { problem, waivable } of named) {
    assert.match(problem, /residual -?[\d.]*[1-9]/, 'says by how much');
    assert.equal(waivable, false);
  }
}

/** A further snapshot whose numbers were changed. */
async function falsify(living: LivingCentre, change: (body: SnapshotBody) => SnapshotBody): Promise<void> {
  const { store } = living.open();
  const newest = await newestSnapshot(store);
  assert.ok(newest !== null);
  const { sha256, ...body } = newest;
  assert.equal(await store.putIfAbsent(snapshotKey(body.n + 1), seal(change({ ...body, n: body.n + 1, parent: sha256 }))), 'created');
}

describe('a broken equation refuses the close', { concurrency: 2 }, () => {
  test('unbroken, the month closes and every equation is printed', async () => {
    await withRows(async (living) => {
      const outcome = await closeWith(living, MONTH);
      assert.equal(outcome.state, 'closed');
      const names = new Set(outcome.state === 'closed' ? outcome.evidence.equations.map(({ name }) => name) : []);
      assert.deepEqual([...names].sort(), [
        'chain',
        'checks',
        'control',
        'cost',
        'gpu_time',
        'lines',
        'money',
        'rows',
        'telescoping',
        'tokens',
        'twin',
      ]);
    });
  });

  test('lines: a snapshot that knows of one line more', async () => {
    await withRows(async (living) => {
      await falsify(living, (body) => ({
        ...body,
        totals: { mapped: { ...body.totals['mapped']!, physical: body.totals['mapped']!.physical + 1 } },
      }));
      assertRefused(await closeWith(living, MONTH), 'lines');
    });
  });

  test('rows: a snapshot that knows of one row more', async () => {
    await withRows(async (living) => {
      const more = (body: SnapshotBody): SnapshotBody['datasets'] => ({
        ...body.datasets,
        token_usage: { ...body.datasets.token_usage!, rows: body.datasets.token_usage!.rows + 1 },
      });
      await falsify(living, (body) => ({ ...body, datasets: more(body) }));
      assertRefused(await closeWith(living, MONTH), 'rows');
    });
  });

  test('rows: a join that gives a request twice', async () => {
    await withRows(async (living) => {
      const twice = (sql: string): string =>
        `${sql}\ncross join (values (1), (2)) as twice (n)`.replace(/(left join ref_tenant_key[\s\S]*)\n(cross join .*)$/, '$2\n$1');
      assertRefused(await closeWith(living, MONTH, { fct_token_hour: twice }), 'rows');
    });
  });

  const SPOILED: readonly (readonly [string, string, Spoil])[] = [
    ['tokens', 'lines of a meter are lost', { bill_line: (sql) => `${sql}\nwhere priced.meter <> 'output'` }],
    ['gpu_time', 'lines of GPU-hours are lost', { bill_line: (sql) => `${sql}\nwhere priced.kind <> 'gpu_hours'` }],
    [
      'money',
      'a tenant is summed to a cent more',
      { bill: (sql) => sql.replace('cast(sum(amount)', "cast(sum(amount) + cast('0.01' as decimal(3, 2))") },
    ],
    [
      'cost',
      'amounts are rounded to whole units',
      {
        bill_line: (sql) =>
          sql.replace('cast(priced.unit_price as decimal(38, 10)), 2)', 'cast(priced.unit_price as decimal(38, 10)), -1)'),
      },
    ],
    ['checks', 'tiers count more than was used', { rtd_tier: (sql) => sql.replaceAll('cast(part as', 'cast(2 * part as') }],
  ];
  for (const [name, what, spoil] of SPOILED) {
    test(`${name}: ${what}`, async () => {
      await withRows(async (living) => assertRefused(await closeWith(living, MONTH, spoil), name));
    });
  }

  for (const [what, lost] of [
    ['whole', false],
    ['its idle time is forgotten', true],
  ] as const)
    test(`cost: a pool, ${what}`, async () => {
      await withRows(async (living) => {
        const pool = '{id: pool, accelerator: h800, cost_per_gpu_hour: "9.50", effective_from: 2025-01-01, approved_by: finance}';
        appendFileSync(join(living.directory, 'price-book.yaml'), `---\nkind: asset_pool\nentries:\n  - ${pool}\n`);
        const forget = (sql: string): string => sql.replace('cast(round(cast(idle_hours', 'cast(round(0 * cast(idle_hours');
        const outcome = await closeWith(living, MONTH, lost ? { ana_pool: forget } : {});
        if (lost) return assertRefused(outcome, 'cost');
        assert.equal(outcome.state, 'closed');
        const equations = outcome.state === 'closed' ? outcome.evidence.equations.map(equationText) : [];
        // 8 accelerators × 744 hours × 9.50, of which 2 hours are on a line.
        assert.ok(equations.includes('cost pool hq/h800: asset 56,544 = recovered 19 + idle 56,525; residual 0'));
      });
    });

  test('gpu_time: more is allocated than the pool has', async () => {
    await withRows(
      async (living) => {
        writeFileSync(
          join(living.directory, 'allocations-9.csv'),
          'job,tenant,model,count,start,end\nall,research,h800,8,2025-10-01T00:00:00+08:00,2025-11-01T00:00:00+08:00\none,research,h800,1,2025-10-01T00:00:00+08:00,2025-10-01T00:00:01+08:00\n',
        );
        await living.land([join(living.directory, 'allocations-9.csv')]);
        assertRefused(await closeWith(living, MONTH), 'gpu_time');
      },
      ['usage-1.csv'],
    );
  });

  test('telescoping: corrections that do not make up the difference', async () => {
    await withRows(
      async (living) => {
        assert.equal((await closeWith(living, MONTH)).state, 'closed');
        await living.land(['usage-2.csv']);
        assertRefused(
          await closeWith(living, '2025-11', { bill_correction: (sql) => `${sql}\nwhere part <> 'difference'` }),
          'telescoping',
        );
        const mended = await closeWith(living, '2025-11');
        assert.equal(mended.state, 'closed', 'nothing was pinned by the close that refused');
      },
      ['usage-1.csv'],
    );
  });

  test('control: a producer counted more, without a waiver', async () => {
    await withRows(async (living) => {
      writeFileSync(join(living.directory, 'control.csv'), 'source,site,from,requests\nmapped,edge-1,2025-10-05T04:00:00Z,9\n');
      const config = join(living.directory, 'kashi.yaml');
      writeFileSync(config, `${readFileSync(config, 'utf8')}close: {control_totals: [control.csv]}\n`);
      const outcome = await closeWith(living, MONTH);
      assert.deepEqual(outcome.state === 'refused' && outcome.hindrances.map(({ subject, problem }) => [subject, problem]), [
        ['control:mapped/edge-1/2025-10-05T04', '9 requests promised, 1 found'],
      ]);
      assert.equal(outcome.state === 'refused' && outcome.equations.find(({ name }) => name === 'control')?.residual, '8');
    });
  });

  test('chain: the bill before was exchanged', async () => {
    await withRows(async (living) => {
      assert.equal((await closeWith(living, MONTH)).state, 'closed');
      assert.equal((await closeWith(living, '2025-11')).state, 'closed');
      const record = join(living.directory, 'warehouse', 'bills', MONTH, '000.json');
      writeFileSync(record, readFileSync(record, 'utf8').replace(String.raw`\"total\":\"30.00\"`, String.raw`\"total\":\"29.00\"`));
      await assert.rejects(closeWith(living, '2025-12'), (error: KashiError) => {
        assert.ok(error instanceof KashiError && error.code === 'store_corrupt');
        return error.details.where === `bills/${MONTH}/000.json`;
      });
    });
  });

  test('twin: the other engine rates another bill', async () => {
    await withRows(async (living) => {
      const centre = living.open();
      const openTwin: CloseDependencies['openTwin'] = (files, prelude) => openEngineAt(centre, files.slice(1), { prelude });
      assertRefused(await closeWith(living, MONTH, {}, { openTwin }), 'twin');
    });
  });
});
