/**
 * A real Trino beside the embedded engine, over the same Parquet: the suite of every warehouse, every model and check, 200 generated months and
 * the real traces, compared to the last digit. Without Java or Maven Central everything here is skipped, with the reason.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { closeCentre } from '../../functions/cli/close.ts';
import type { IngestOptions } from '../../functions/cli/ingest.ts';
import { prepare } from '../../functions/cli/query.ts';
import { type Session, withSession } from '../../functions/cli/session.ts';
import { openEngine, trustedKey, verifyIsolated } from '../../functions/cli/wiring.ts';
import { newestSnapshot, snapshotFiles } from '../../functions/ledger/snapshot.ts';
import { questionsOf } from '../../functions/report/questions.ts';
import { defineModels } from '../../functions/warehouse/run.ts';
import { warehouseSuite } from '../ports/warehouse-suite.ts';
import { type TestCentre, testCentre } from '../support/centre.ts';
import { plainCentresOf } from '../support/plain-arbitrary.ts';
import { allocationRow, usageRow, withPlainCentre } from '../support/plain-centre.ts';
import { smallCentre } from '../support/small-centre.ts';
import { skipTraces, TRACES } from '../support/truth.ts';
import { missingForTrino, startTrino, type TrinoServer } from './server.ts';

/** Few centres of many months: on an engine of many machines a statement takes its second, however few rows it reads. */
const CENTRES = 2;
const MONTHS = 100;
/** After the last month of any of them. */
const RECEIVED_AT = new Date('2040-01-01T00:00:00Z');

const missing = await missingForTrino();
if (missing !== null) console.log(`skipped: ${missing}`);
const skip = missing ?? false;
let trino: TrinoServer | null = null;
before(async () => {
  if (missing === null) trino = await startTrino();
});
after(async () => await trino?.stop());

/** The same centre, answered by Trino. */
function onTrino(opened: TestCentre): TestCentre['centre'] {
  const { url, uri } = trino as TrinoServer;
  Object.assign(process.env, { KASHI_TRINO_URL: url, KASHI_TRINO_DATA: uri(opened.centre.warehouseDirectory) });
  return { ...opened.centre, engine: 'trino' };
}

/** Both engines over everything that was ingested, every month of the data open. */
async function onBoth(opened: TestCentre, use: (embedded: Session, remote: Session) => Promise<void>): Promise<void> {
  await opened.session(null, async (embedded) => {
    await withSession(onTrino(opened), null, async (remote) => await use(embedded, remote));
  });
}

interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly string[];
}

async function tableOf({ warehouse, models }: Session, name: string): Promise<Table> {
  await defineModels(warehouse, models, [name]);
  const columns =
    models
      .find((model) => model.name === name)
      ?.columns.map((column) => column.name)
      .join(', ') ?? '*';
  const { columns: typed, rows } = await warehouse.query(`select ${columns} from ${name}`);
  return { columns: typed.map((column) => `${column.name} ${column.type}`), rows: rows.map((row) => JSON.stringify(row)).sort() };
}

/** The same columns and rows, to the last character. Returns how many rows. */
async function sameTable(embedded: Session, remote: Session, name: string): Promise<number> {
  const [left, right] = [await tableOf(embedded, name), await tableOf(remote, name)];
  assert.deepEqual(right.columns, left.columns, name);
  assert.deepEqual(right.rows, left.rows, name);
  return left.rows.length;
}

if (missing === null)
  warehouseSuite(
    'Trino',
    () => smallCentre(),
    async (opened) => {
      const snapshot = await newestSnapshot(opened.centre.store);
      return await openEngine(onTrino(opened), snapshot === null ? [] : await snapshotFiles(opened.centre.store, snapshot));
    },
  );

describe('one SQL, two engines', { skip }, () => {
  test('every model and every check gives the same rows', async () => {
    const opened = await smallCentre();
    try {
      await onBoth(opened, async (embedded, remote) => {
        assert.ok(embedded.models.length > 50);
        let rows = 0;
        for (const { name } of embedded.models) rows += await sameTable(embedded, remote, name);
        assert.ok(rows > 10_000, `${rows} rows`);
      });
    } finally {
      opened.remove();
    }
  });

  test('the questions of the report are answered alike', async () => {
    const opened = await smallCentre();
    try {
      await onBoth(opened, async (embedded, remote) => {
        const month = embedded.periods[0];
        assert.ok(month !== undefined);
        let rows = 0;
        for (const sql of Object.values(questionsOf(month, month.period))) {
          for (const session of [embedded, remote]) await prepare(session, sql);
          const [left, right] = [await embedded.warehouse.query(sql), await remote.warehouse.query(sql)];
          const sorted = (answer: typeof left): string[] => answer.rows.map((row) => JSON.stringify(row)).sort();
          assert.deepEqual(sorted(right), sorted(left), sql);
          rows += left.rows.length;
        }
        assert.ok(rows > 100, `${rows} rows`);
      });
    } finally {
      opened.remove();
    }
  });

  test(`${CENTRES * MONTHS} generated months are rated alike`, async () => {
    const centres = fc.sample(plainCentresOf(MONTHS), { numRuns: CENTRES, seed: 20_261_001 });
    let [months, lines] = [0, 0];
    for (const centre of centres) {
      const files = [
        { name: 'allocations.csv', rows: centre.allocations.map(allocationRow) },
        { name: 'usage.csv', rows: centre.usages.map(usageRow) },
      ];
      await withPlainCentre(centre.timeZone, centre.book, files, async (directory) => {
        const opened = testCentre(directory, RECEIVED_AT);
        try {
          await opened.ingest();
          await onBoth(opened, async (embedded, remote) => {
            for (const name of ['bill', 'bill_unrated']) await sameTable(embedded, remote, name);
            lines += await sameTable(embedded, remote, 'bill_line');
            const billed = await embedded.warehouse.query('select count(distinct period) from bill_line');
            months += Number(billed.rows[0]?.[0]);
          });
        } finally {
          opened.remove();
        }
      });
    }
    console.log(`${months} months, ${lines} lines, the same on both engines`);
    assert.ok(months >= CENTRES * MONTHS, `${months} months`);
  });

  test('a month that Trino rated and signed is verified by the embedded engine to the same SHA-256', async () => {
    const opened = await smallCentre(true);
    try {
      const outcome = await closeCentre(onTrino(opened), '2026-10', true);
      assert.equal(outcome.state === 'refused' ? JSON.stringify(outcome.hindrances.slice(0, 3)) : 'closed', 'closed');
      const { stdout } = await verifyIsolated(opened.centre, '2026-10', trustedKey(opened.centre, null));
      const report = JSON.parse(stdout) as { matches: boolean; problem: unknown };
      assert.deepEqual([report.matches, report.problem], [true, null]);
    } finally {
      opened.remove();
    }
  });
});

/** File → how it is read. What a source says of a model or accelerator is priced where the book below has it, else it is unrated: both are compared. */
const REAL: readonly (readonly [string, IngestOptions])[] = [
  ['tokens/azure2023_conv.csv', { map: 'azure.yaml' }],
  ['tokens/mooncake_conversation.jsonl.gz', { map: 'mooncake.yaml' }],
  ['tokens/servegen_deepseek_r1_h00-12.csv.gz', { map: 'servegen.yaml' }],
  ['jobs/openb_pods_before_d140.csv', { map: 'openb.yaml' }],
  ['jobs/dlrm_instances_even_apps.csv.gz', { map: 'dlrm.yaml' }],
  ['jobs/slurm_sacct_phillips.log.gz', { zone: 'UTC' }],
  ['jobs/slurm_sacct_edge_cases.log', { zone: 'UTC' }],
  ['jobs_with_util/cc_alex_jobs_2023-02-07.csv', { map: 'cluster-cockpit.yaml' }],
];

const PRICES = `kind: book
currency: CNY
---
kind: token_price
entries:
  - {id: azure, model: azure-llm, per_million: {input_uncached: "2.718281828", output: "8.3333333333"}, effective_from: 2001-01-01, approved_by: finance}
  - {id: deepseek, model: deepseek-r1, per_million: {input_uncached: "4", output: "16.0000000001"}, effective_from: 2001-01-01, approved_by: finance}
---
kind: gpu_price
entries:
  - {id: a100, accelerator: a100, tiers: {mode: graduated, steps: [{up_to: "100.5", price: "10.0000000001"}, {price: "7.77"}]}, effective_from: 2001-01-01, approved_by: finance}
  - {id: v100, accelerator: v100, price: "3.1415926535", effective_from: 2001-01-01, approved_by: finance}
`;

/** Of facts that a bill may have rounded away. */
const SUMMED = ['fct_token_usage', 'fct_allocation', 'rtd_allocation_piece'];
const SUMS = [
  'select count(*), sum(input_uncached_tokens), sum(output_tokens), min(event_at_ms), max(event_at_ms) from fct_token_usage',
  'select count(*), sum(accelerator_count), sum(end_at_ms - start_at_ms), min(start_at_ms) from fct_allocation',
  'select count(*), sum(gpu_ms) from rtd_allocation_piece',
];

describe('real traces', { skip: missing ?? skipTraces }, () => {
  for (const [file, options] of REAL) {
    test(file, async () => {
      const folder = mkdtempSync(join(tmpdir(), 'kashi-trace-'));
      writeFileSync(join(folder, 'kashi.yaml'), 'time_zone: UTC\ncurrency: CNY\nprice_book: prices.yaml\ntenants: {unmapped: as_is}\n');
      writeFileSync(join(folder, 'prices.yaml'), PRICES);
      const opened = testCentre(folder);
      rmSync(folder, { recursive: true });
      try {
        const map = options.map === undefined ? {} : { map: join(import.meta.dirname, '../../examples/maps', options.map) };
        const { total } = await opened.ingest([join(TRACES, file)], { ...options, ...map });
        assert.ok(total.valid > 0);
        await onBoth(opened, async (embedded, remote) => {
          let rows = 0;
          for (const name of ['bill_line', 'bill', 'bill_unrated']) rows += await sameTable(embedded, remote, name);
          // Jobs of the edge cases hold no accelerator and give no line; their facts are compared all the same.
          for (const { warehouse, models } of [embedded, remote]) await defineModels(warehouse, models, SUMMED);
          for (const sql of SUMS) {
            const found = (await embedded.warehouse.query(sql)).rows;
            assert.deepEqual((await remote.warehouse.query(sql)).rows, found, sql);
            rows += Number(found[0]?.[0]);
          }
          assert.ok(rows > 0);
        });
      } finally {
        opened.remove();
      }
    });
  }
});
