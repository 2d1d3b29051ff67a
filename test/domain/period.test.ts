import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { effectiveInstantMs, effectiveText, nextPeriod, periodOf, periodsTouching } from '../../functions/domain/period.ts';
import { refusalText } from './golden.ts';

const HOUR_MS = 3_600_000;
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
const month = fc
  .tuple(fc.integer({ min: 2010, max: 2040 }), fc.integer({ min: 1, max: 12 }))
  .map(([y, m]) => `${y}-${String(m).padStart(2, '0')}`);

describe('periodOf', () => {
  const cases: readonly [period: string, zone: string, start: string, hours: number][] = [
    ['2026-10', 'Asia/Shanghai', '2026-09-30T16:00:00Z', 744],
    ['2026-02', 'Asia/Shanghai', '2026-01-31T16:00:00Z', 672],
    ['2028-02', 'Asia/Shanghai', '2028-01-31T16:00:00Z', 696],
    ['2026-10', 'Europe/Berlin', '2026-09-30T22:00:00Z', 745],
    ['2026-03', 'Europe/Berlin', '2026-02-28T23:00:00Z', 743],
    ['2026-12', 'UTC', '2026-12-01T00:00:00Z', 744],
    ['2026-10', 'Asia/Kathmandu', '2026-09-30T18:15:00Z', 744],
    // Lord Howe's clock moves by half an hour.
    ['2026-10', 'Australia/Lord_Howe', '2026-09-30T13:30:00Z', 743.5],
  ];
  for (const [period, timeZone, start, hours] of cases) {
    test(`${period} in ${timeZone} has ${hours} hours`, () => {
      const { startMs, endMs } = periodOf(period, timeZone);
      assert.equal(startMs, Date.parse(start));
      assert.equal((endMs - startMs) / HOUR_MS, hours);
    });
  }

  for (const bad of ['2026-13', '2026-00', '2026-1', '26-10', '2026-10-01', '', '1999-12', '2026-10 ']) {
    test(`${JSON.stringify(bad)} is refused`, () =>
      assert.match(
        refusalText(() => periodOf(bad, 'UTC')),
        /^usage\nnot a billing period\n {2}allowed: yyyy-mm/,
      ));
  }

  test('an unknown zone is refused', () =>
    assert.match(
      refusalText(() => periodOf('2026-10', 'Mars/Base')),
      /^usage\nunknown time zone/,
    ));

  test('months follow one another without a hole', () => {
    fc.assert(
      fc.property(month, zone, (text, timeZone) => {
        const period = periodOf(text, timeZone);
        const next = nextPeriod(period);
        assert.equal(period.endMs, next.startMs);
        assert.deepEqual(periodOf(next.period, timeZone), next);
      }),
    );
  });
});

describe('periodsTouching', () => {
  const october = periodOf('2026-10', 'Asia/Shanghai');
  const names = (from: number, to: number): string[] => periodsTouching(from, to, 'Asia/Shanghai').map(({ period }) => period);

  test('a span inside a month touches it', () => assert.deepEqual(names(october.startMs, october.endMs), ['2026-10']));
  test('one millisecond over either end touches the neighbours', () =>
    assert.deepEqual(names(october.startMs - 1, october.endMs + 1), ['2026-09', '2026-10', '2026-11']));
  test('an empty or reversed span touches none', () => {
    assert.deepEqual(names(october.startMs, october.startMs), []);
    assert.deepEqual(names(october.endMs, october.startMs), []);
  });

  test('the touched periods cover the span, and each shares time with it', () => {
    const instant = fc.integer({ min: Date.UTC(2012, 0, 1), max: Date.UTC(2035, 0, 1) });
    fc.assert(
      fc.property(instant, fc.integer({ min: 1, max: 200 * 86_400_000 }), zone, (startMs, spanMs, timeZone) => {
        const endMs = startMs + spanMs;
        const periods = periodsTouching(startMs, endMs, timeZone);
        assert.ok((periods[0]?.startMs ?? Infinity) <= startMs && (periods.at(-1)?.endMs ?? 0) >= endMs);
        assert.ok(periods.every((one) => one.startMs < endMs && one.endMs > startMs));
        assert.ok(periods.every((one, index) => index === 0 || one.startMs === periods[index - 1]?.endMs));
      }),
    );
  });
});

describe('effective dates', () => {
  const cases: readonly [text: string, zone: string, instant: string | null][] = [
    ['2026-10-01', 'Asia/Shanghai', '2026-09-30T16:00:00Z'],
    ['2026-10-01', 'UTC', '2026-10-01T00:00:00Z'],
    ['2026-10-01T08:00:00+08:00', 'Europe/Berlin', '2026-10-01T00:00:00Z'],
    ['2026-10-01 00:00:00.250Z', 'Asia/Shanghai', '2026-10-01T00:00:00.250Z'],
    // Havana shows 00:00 twice on 2026-11-01, and Beirut skips it on 2026-03-29: the day starts at its first instant.
    ['2026-11-01', 'America/Havana', '2026-11-01T04:00:00Z'],
    ['2026-03-29', 'Asia/Beirut', '2026-03-28T22:00:00Z'],
    ['2028-02-29', 'UTC', '2028-02-29T00:00:00Z'],
    ['2026-02-29', 'UTC', null],
    ['2026-10-01T08:00:00', 'Asia/Shanghai', null],
    ['2026-10-01T24:30:00Z', 'UTC', null],
    ['2026-10', 'UTC', null],
    ['1 October 2026', 'UTC', null],
  ];
  for (const [text, timeZone, instant] of cases) {
    test(`${text} in ${timeZone} is ${instant ?? 'refused'}`, () => {
      const ms = effectiveInstantMs(text, timeZone);
      assert.equal(ms === null ? null : new Date(ms).toISOString(), instant === null ? null : new Date(instant).toISOString());
    });
  }

  test('what messages show reads back to the same instant', () => {
    const instant = fc.integer({ min: Date.UTC(2001, 0, 1), max: Date.UTC(2090, 0, 1) });
    fc.assert(fc.property(instant, zone, (ms, timeZone) => effectiveInstantMs(effectiveText(ms, timeZone), timeZone) === ms));
    assert.equal(effectiveText(Date.parse('2026-09-30T16:00:00Z'), 'Asia/Shanghai'), '2026-10-01');
  });
});
