/** Random books in zones with and without clock changes: segments tile the period, and one price holds at any instant. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { DateTime } from 'luxon';
import { BUILT_IN_ACCELERATORS } from '../../functions/domain/accelerator.ts';
import { buildReference } from '../../functions/domain/build-reference.ts';
import { DEFAULT_CONFIG } from '../../functions/domain/config.ts';
import { NO_START_MS } from '../../functions/domain/effective.ts';
import { type Period, periodOf } from '../../functions/domain/period.ts';
import { type PriceBook, parsePriceBook } from '../../functions/domain/price-book.ts';
import { NO_END_MS } from '../../functions/domain/reference.ts';
import { type Segment, segmentsOf } from '../../functions/domain/segments.ts';
import { WEEKDAYS, type Weekday } from '../../functions/domain/tariff.ts';
import { bandAt, bandSpans, type PriceBand } from '../../functions/domain/tariff-bands.ts';
import { parseYaml } from '../../functions/domain/yaml-config.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const ZONES = [
  'Asia/Shanghai',
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Asia/Kathmandu',
  'Australia/Lord_Howe',
  'America/Havana',
  'Asia/Beirut',
];

const zone = fc.constantFrom(...ZONES);
const period = fc
  .tuple(fc.integer({ min: 2024, max: 2030 }), fc.integer({ min: 1, max: 12 }), zone)
  .map(([year, month, timeZone]) => periodOf(`${year}-${String(month).padStart(2, '0')}`, timeZone));

const minute = fc.constantFrom(0, 30, 90, 120, 150, 180, 480, 660, 1080, 1260, 1380);
const clock = (at: number): string => `${String(Math.floor(at / 60)).padStart(2, '0')}:${String(at % 60).padStart(2, '0')}`;
const hours = fc
  .tuple(minute, minute)
  .filter(([from, to]) => from !== to)
  .map(([from, to]) => `${clock(from)}-${clock(to)}`);
const band = fc.record(
  {
    band: fc.constantFrom('peak', 'valley', 'sharp-peak'),
    hours: fc.array(hours, { minLength: 1, maxLength: 2 }),
    months: fc.uniqueArray(fc.integer({ min: 1, max: 12 }), { minLength: 1 }),
    weekdays: fc.uniqueArray(fc.constantFrom(...WEEKDAYS), { minLength: 1 }),
  },
  { requiredKeys: ['band'] },
);
/** The last band has no condition, so no time is left without one. */
const bands: fc.Arbitrary<PriceBand[]> = fc.array(band, { maxLength: 3 }).map((some) => [...some, { band: 'flat' }]);

function bookOf(documents: readonly unknown[], timeZone: string): PriceBook {
  const text = documents.map((document) => JSON.stringify(document)).join('\n---\n');
  return parsePriceBook(parseYaml(text, 'book.yaml'), 'book.yaml', { timeZone, currency: 'CNY', catalog: BUILT_IN_ACCELERATORS });
}

const entry = (id: string, fromMs: number, more: object): object => ({
  id,
  effective_from: new Date(fromMs).toISOString(),
  approved_by: 'finance',
  ...more,
});

/** Starts around a period, in random order, all distinct. */
const starts = (about: Period): fc.Arbitrary<number[]> =>
  fc.uniqueArray(fc.integer({ min: about.startMs - 40 * DAY_MS, max: about.endMs + 40 * DAY_MS }), { minLength: 1, maxLength: 6 });

function assertTiles(segments: readonly Segment[], about: Period): void {
  assert.equal(segments[0]?.startMs, about.startMs);
  assert.equal(segments.at(-1)?.endMs, about.endMs);
  for (const [index, segment] of segments.entries()) {
    assert.ok(segment.startMs < segment.endMs);
    if (index > 0) assert.equal(segment.startMs, segments[index - 1]?.endMs);
  }
}

function bandByLuxon(some: readonly PriceBand[], ms: number, timeZone: string): string | null {
  const local = DateTime.fromMillis(ms, { zone: timeZone });
  return bandAt(some, local.month, WEEKDAYS[local.weekday - 1] as Weekday, local.hour * 60 + local.minute);
}

describe('segments', () => {
  test('without a book the period is one segment', () => {
    const october = periodOf('2026-10', 'Asia/Shanghai');
    assert.deepEqual(segmentsOf(null, october), [{ startMs: october.startMs, endMs: october.endMs, band: '' }]);
  });

  test('a change at the period start does not cut, one a millisecond later does', () => {
    const october = periodOf('2026-10', 'Asia/Shanghai');
    const cut = (fromMs: number): number => {
      const prices = { kind: 'gpu_price', entries: [entry('a', fromMs, { accelerator: 'h800', price: 1 })] };
      return segmentsOf(bookOf([prices], 'Asia/Shanghai'), october).length;
    };
    assert.equal(cut(october.startMs), 1);
    assert.equal(cut(october.startMs + 1), 2);
    assert.equal(cut(october.endMs - 1), 2);
    assert.equal(cut(october.endMs), 1);
  });

  test('tile the period, and nothing that is charged by changes inside one', () => {
    const input = period.chain((about) => fc.tuple(fc.constant(about), starts(about), starts(about), starts(about), bands));
    fc.assert(
      fc.property(input, ([about, gpu, policies, tariffs, some]) => {
        const book = bookOf(
          [
            { kind: 'gpu_price', entries: gpu.map((ms, index) => entry(`g${index}`, ms, { accelerator: 'h800', price: index })) },
            { kind: 'adjustment', entries: policies.map((ms, index) => entry(`a${index}`, ms, {})) },
            {
              kind: 'tariff',
              entries: tariffs.map((ms, index) =>
                entry(`t${index}`, ms, { pricing: index % 2 === 0 ? 'time_of_use' : 'blended', bands: some }),
              ),
            },
          ],
          about.timeZone,
        );
        const segments = segmentsOf(book, about);
        assertTiles(segments, about);
        for (const { startMs, endMs, band: held } of segments) {
          for (const { fromMs } of [...book.gpuPrices, ...book.adjustments]) assert.ok(fromMs <= startMs || fromMs >= endMs);
          for (const ms of [startMs, Math.floor((startMs + endMs) / 2), endMs - 1]) {
            const tariff = book.tariffs.find((one) => one.fromMs <= ms && ms < one.toMs && one.pricing === 'time_of_use');
            assert.equal(held, tariff === undefined ? '' : bandByLuxon(some, ms, about.timeZone));
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('tariff bands on days when the clock changes', () => {
  const night: PriceBand[] = [{ band: 'valley', hours: ['00:00-06:00'] }, { band: 'flat' }];
  const hoursOf = (day: string, timeZone: string): number[] => {
    const start = DateTime.fromISO(day, { zone: timeZone });
    const span = { fromMs: start.toMillis(), toMs: start.plus({ days: 1 }).toMillis() };
    return bandSpans({ bands: night }, span, timeZone).map(({ startMs, endMs }) => (endMs - startMs) / HOUR_MS);
  };
  test('a common day has 6 hours of night', () => assert.deepEqual(hoursOf('2026-10-24', 'Europe/Berlin'), [6, 18]));
  test('the autumn day has 7', () => assert.deepEqual(hoursOf('2026-10-25', 'Europe/Berlin'), [7, 18]));
  test('the spring day has 5', () => assert.deepEqual(hoursOf('2026-03-29', 'Europe/Berlin'), [5, 18]));
});

describe('prices of one selector', () => {
  test('at any instant from the first start on exactly one holds, and it is the latest to have started', () => {
    const input = period.chain((about) =>
      fc.tuple(
        fc.constant(about),
        starts(about),
        fc.array(fc.integer({ min: about.startMs - 60 * DAY_MS, max: about.endMs + 60 * DAY_MS })),
      ),
    );
    fc.assert(
      fc.property(input, ([about, froms, instants]) => {
        const entries = froms.map((ms, index) => entry(`g${index}`, ms, { accelerator: 'h800', price: index }));
        const { gpuPrices } = bookOf([{ kind: 'gpu_price', entries }], about.timeZone);
        for (const ms of [...instants, ...froms, ...froms.map((from) => from - 1)]) {
          const holding = gpuPrices.filter(({ fromMs, toMs }) => fromMs <= ms && ms < toMs);
          const latest = froms.filter((from) => from <= ms).sort((a, b) => b - a)[0];
          assert.deepEqual(
            holding.map(({ fromMs }) => fromMs),
            latest === undefined ? [] : [latest],
          );
        }
      }),
      { numRuns: 60 },
    );
  });

  test('ref_price has one row per selector and segment, with a tier from zero and an open last one', () => {
    const input = period.chain((about) => fc.tuple(fc.constant(about), starts(about), starts(about)));
    fc.assert(
      fc.property(input, ([about, all, research]) => {
        const entries = [
          ...all.map((ms, index) => entry(`all${index}`, ms, { accelerator: 'h800', price: index })),
          ...research.map((ms, index) => entry(`r${index}`, ms, { accelerator: 'H800', tenant: 'research', price: index })),
        ];
        const priceBook = bookOf([{ kind: 'gpu_price', entries }], about.timeZone);
        const rows = buildReference({
          config: DEFAULT_CONFIG,
          priceBook,
          tenants: null,
          inventory: null,
          catalog: BUILT_IN_ACCELERATORS,
          period: about,
        });
        assert.deepEqual(
          rows.ref_price_tier.map((tier) => [
            tier['price_id'],
            tier['meter'],
            tier['band'],
            tier['tier_no'],
            tier['from_quantity'],
            tier['to_quantity'],
          ]),
          rows.ref_price.map((price) => [price['price_id'], 'gpu_hours', '', 0, '0.000000', '99999999999999']),
        );
        for (const segment of rows.ref_segment) {
          for (const [tenant, froms] of [
            ['', all],
            ['research', research],
          ] as const) {
            const start = Number(segment['start_ms']);
            const holding = rows.ref_price.filter(
              (row) => row['tenant_id'] === tenant && Number(row['from_ms']) <= start && start < Number(row['to_ms']),
            );
            assert.equal(holding.length, froms.some((from) => from <= start) ? 1 : 0);
          }
        }
      }),
      { numRuns: 40 },
    );
  });
});

test('the bounds of open spans are outside every period', () => {
  assert.ok(NO_START_MS < periodOf('2000-01', 'UTC').startMs && periodOf('2099-12', 'UTC').endMs < NO_END_MS);
});
