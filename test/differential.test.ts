/**
 * The pipeline against a second rater: random months through real files, ingest and SQL, every line compared to the last digit.
 * KASHI_RUNS sets the number of random centres (six months each; default 10); a failure prints the seed that repeats it.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type BillDocument, readBill, records } from '../functions/billing/bill-document.ts';
import type { Session } from '../functions/cli/session.ts';
import { sumDecimals } from '../functions/domain/money.ts';
import { defineModels } from '../functions/warehouse/run.ts';
import { type TestCentre, testCentre } from './support/centre.ts';
import { assertSameRows, billedLine, unratedLine } from './support/naive-compare.ts';
import { rateMonth } from './support/naive-rater.ts';
import { type PlainCentre, plainCentres } from './support/plain-arbitrary.ts';
import { allocationRow, type LandedFile, usageRow, withPlainCentre } from './support/plain-centre.ts';

const RUNS = Number(process.env['KASHI_RUNS'] ?? 10);
/** Shrinking would run the pipeline hundreds of times; the seed is enough. */
const PARAMETERS = { seed: 20_261_001, endOnFailure: true } as const;

async function open<T>(centre: PlainCentre, files: readonly LandedFile[], use: (opened: TestCentre) => Promise<T>): Promise<T> {
  return await withPlainCentre(centre.timeZone, centre.book, files, async (directory) => {
    const opened = testCentre(directory);
    try {
      for (const { name } of files) await opened.ingest([join(opened.directory, 'landing', name)]);
      return await use(opened);
    } finally {
      opened.remove();
    }
  });
}

const oneFileEach = ({ allocations, usages }: PlainCentre): LandedFile[] => [
  { name: 'allocations.csv', rows: allocations.map(allocationRow) },
  { name: 'usage.csv', rows: usages.map(usageRow) },
];

/** Every month of a warehouse, rated at once. */
async function rateAll(opened: TestCentre, use: (session: Session) => Promise<void>): Promise<void> {
  await opened.session(null, async (session) => {
    await defineModels(session.warehouse, session.models, ['bill_line', 'bill', 'bill_unrated']);
    await use(session);
  });
}

async function documentOf({ warehouse, snapshot }: Session, period: string, timeZone: string): Promise<BillDocument> {
  const lines = { physical: 0, valid: 0, quarantined: 0, blank: 0, residual: 0 };
  return await readBill(warehouse, { period, timeZone, currency: 'CNY', snapshot: snapshot.n, lines, tenant: null });
}

/** GPU time, as the pieces of all months add up to it. */
async function cuttingKeepsGpuTime({ warehouse, periods }: Session, centre: PlainCentre): Promise<void> {
  const pieces = await warehouse.query(`
    select allocations.native_id, cast(sum(pieces.gpu_ms) as varchar) from rtd_allocation_piece as pieces
    inner join fct_allocation as allocations on allocations.allocation_id = pieces.allocation_id group by allocations.native_id`);
  const byId = new Map(pieces.rows.map(([id, ms]) => [id, BigInt(ms ?? '0')]));
  for (const [index, held] of centre.allocations.entries()) {
    assert.ok(held.endMs <= (periods.at(-1)?.endMs ?? 0), 'every month of the data is open');
    const doubled = 2n * held.countMicro * BigInt(held.endMs - held.startMs);
    assert.equal(byId.get(`a${index}`) ?? 0n, (doubled + 1_000_000n) / 2_000_000n, `pieces of a${index}`);
  }
}

async function billInvariants({ warehouse }: Session, document: BillDocument, low: string, high: string): Promise<void> {
  const lines = document.bills.flatMap((bill) => bill.lines);
  assert.equal(
    document.total,
    sumDecimals(
      lines.map(({ amount }) => amount),
      2,
    ),
    'a bill is the sum of its rounded lines',
  );
  const totals = await warehouse.query('select tenant_id, total from bill where period = ? order by tenant_id', [document.period]);
  assert.deepEqual(
    totals.rows.map(([tenant, total]) => [tenant, total]),
    document.bills.map(({ tenant_id, total }) => [tenant_id, total]),
  );
  const ids = [...lines, ...document.unrated].map(({ line_id }) => line_id);
  assert.equal(new Set(ids).size, ids.length, 'line ids are unique');
  for (const line of lines) {
    if (line.adjustment === 'penalty') assert.ok(!(line.mfu !== null && line.mfu > high), `penalty at MFU ${line.mfu}`);
    if (line.adjustment === 'reward') assert.ok(!(line.hfu !== null && line.hfu < low), `reward at HFU ${line.hfu}`);
  }
  const byWorkload = Map.groupBy(lines, (line) => `${line.site_id}/${line.workload_id}`);
  for (const [workload, own] of byWorkload) {
    const words = new Set(own.map(({ adjustment }) => adjustment));
    assert.ok(!(words.has('penalty') && words.has('reward')), `${workload} has a penalty and a reward`);
  }
}

describe('pipeline and naive rater', () => {
  test('agree on every line of random months', async () => {
    const seen = { months: 0, lines: 0, unrated: 0, adjustments: new Set<string>(), tiers: new Set<number>() };
    await fc.assert(
      fc.asyncProperty(plainCentres, async (centre) => {
        await open(centre, oneFileEach(centre), async (opened) => {
          await rateAll(opened, async (session) => {
            await cuttingKeepsGpuTime(session, centre);
            for (const month of session.periods) {
              const expected = rateMonth(centre.allocations, centre.usages, centre.book, month);
              const lines = records(await session.warehouse.query('select * from bill_line where period = ?', [month.period]));
              const unrated = records(await session.warehouse.query('select * from bill_unrated where period = ?', [month.period]));
              assertSameRows(lines.map(billedLine), expected.lines, `lines of ${month.period}`);
              assertSameRows(unrated.map(unratedLine), expected.unrated, `unrated of ${month.period}`);
              await billInvariants(session, await documentOf(session, month.period, centre.timeZone), '0.200000', '0.500000');
              seen.months += 1;
              seen.lines += lines.length;
              seen.unrated += unrated.length;
              for (const line of expected.lines) {
                if (line.adjustment !== null) seen.adjustments.add(line.adjustment);
                seen.tiers.add(line.tier);
              }
            }
          });
        });
      }),
      { ...PARAMETERS, numRuns: RUNS },
    );
    // Agreement on nothing would prove nothing.
    assert.ok(seen.months >= RUNS * 6 && seen.lines > seen.months * 10 && seen.unrated > 0, JSON.stringify(seen));
    assert.deepEqual([...seen.adjustments].sort(), ['none', 'penalty', 'reward', 'unrated']);
    for (const tier of [-1, 0, 1, 2]) assert.ok(seen.tiers.has(tier), `tier ${tier} occurs`);
  });

  test('a month rated alone is the month rated among others', async () => {
    await fc.assert(
      fc.asyncProperty(plainCentres, async (centre) => {
        await open(centre, oneFileEach(centre), async (opened) => {
          const [, , , month] = centre.months;
          assert.ok(month !== undefined);
          const alone = (await opened.bill(month.period)).document;
          await rateAll(opened, async (session) => {
            const among = await documentOf(session, month.period, centre.timeZone);
            assert.deepEqual([among.total, among.bills, among.unrated], [alone.total, alone.bills, alone.unrated]);
          });
        });
      }),
      { ...PARAMETERS, numRuns: Math.ceil(RUNS / 5) },
    );
  });

  test('order, file split and duplicates do not change a bill', async () => {
    const shuffles = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 2 }), fc.boolean()), { minLength: 110, maxLength: 110 });
    await fc.assert(
      fc.asyncProperty(plainCentres, shuffles, async (centre, moves) => {
        const bills = async (files: readonly LandedFile[]): Promise<string> =>
          await open(centre, files, async (opened) => {
            const documents: BillDocument[] = [];
            await rateAll(opened, async (session) => {
              for (const { period } of session.periods) documents.push(await documentOf(session, period, centre.timeZone));
            });
            return JSON.stringify(documents.map(({ snapshot: _snapshot, ...rest }) => rest));
          });
        assert.equal(await bills(scattered(centre, moves)), await bills(oneFileEach(centre)));
      }),
      { ...PARAMETERS, numRuns: Math.ceil(RUNS / 3) },
    );
  });
});

/** The same facts in other files and another order: each row in one of three files, some in two. */
function scattered(centre: PlainCentre, moves: readonly (readonly [number, number, boolean])[]): LandedFile[] {
  const files = oneFileEach(centre).flatMap(({ name, rows }, kind): LandedFile[] => {
    const placed = rows.map((row, index) => ({ row, move: moves[(index + kind * 50) % moves.length] ?? ([0, 0, false] as const) }));
    placed.sort((a, b) => a.move[0] - b.move[0]);
    return [0, 1, 2].map((part) => ({
      name: name.replace('.csv', `-${part}.csv`),
      rows: placed.filter(({ move }) => move[1] === part || (move[2] && (move[1] + 1) % 3 === part)).map(({ row }) => row),
    }));
  });
  return files.filter(({ rows }) => rows.length > 0).sort((a, b) => a.rows.length - b.rows.length);
}
