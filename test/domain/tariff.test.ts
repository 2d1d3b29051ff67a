import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Rational } from '../../functions/domain/money.ts';
import { bandShares, blendedPerKwh, minuteSpans, WEEKDAYS, windowHolds } from '../../functions/domain/tariff.ts';

const clock = fc
  .integer({ min: 0, max: 47 })
  .map((half) => `${String(Math.floor(half / 2)).padStart(2, '0')}:${half % 2 === 0 ? '00' : '30'}`);
const hours = fc
  .tuple(clock, clock)
  .filter(([from, to]) => from !== to)
  .map(([from, to]) => `${from}-${to}`);
const window = fc.record(
  {
    hours: fc.array(hours, { minLength: 1, maxLength: 3 }),
    months: fc.uniqueArray(fc.integer({ min: 1, max: 12 }), { minLength: 1 }),
    weekdays: fc.uniqueArray(fc.constantFrom(...WEEKDAYS), { minLength: 1 }),
  },
  { requiredKeys: [] },
);

describe('windows', () => {
  it('are half-open and wrap within the day', () => {
    assert.deepEqual(minuteSpans('08:00-11:00'), [[480, 660]]);
    assert.deepEqual(minuteSpans('22:00-06:00'), [
      [0, 360],
      [1320, 1440],
    ]);
    assert.deepEqual(minuteSpans('20:00-00:00'), [[1200, 1440]]);
    assert.deepEqual(minuteSpans('00:00-24:00'), [[0, 1440]]);
    const peak = { hours: ['08:00-11:00'] };
    assert.deepEqual(
      [479, 480, 659, 660].map((minute) => windowHolds(peak, 1, 'mon', minute)),
      [false, true, true, false],
    );
    assert.equal(windowHolds({ months: [7] }, 8, 'mon', 0), false);
    assert.equal(windowHolds({ weekdays: ['sat'] }, 7, 'sat', 0), true);
  });
});

describe('shares of the year', () => {
  it('sum to 1 for any windows with a last band for the rest', () => {
    fc.assert(
      fc.property(fc.array(window, { maxLength: 4 }), (windows) => {
        const bands = [...windows.map((each, index) => ({ ...each, band: `b${index}`, per_kwh: index })), { band: 'rest', per_kwh: 9 }];
        const total = bandShares(bands).reduce((sum, { share }) => sum.add(share), Rational.of(0n));
        return total.compare(Rational.of(1n)) === 0;
      }),
      { numRuns: 30 },
    );
  });
  it('blend between the cheapest and the dearest band', () => {
    fc.assert(
      fc.property(window, fc.integer({ min: 0, max: 1000 }), fc.integer({ min: 0, max: 1000 }), (when, one, other) => {
        const blended = blendedPerKwh(
          bandShares([
            { ...when, band: 'one', per_kwh: one },
            { band: 'other', per_kwh: other },
          ]),
        );
        return blended.compare(Rational.of(Math.min(one, other))) >= 0 && blended.compare(Rational.of(Math.max(one, other))) <= 0;
      }),
      { numRuns: 30 },
    );
  });
  it('give an overlap to the band that stands first', () => {
    const peak = { band: 'peak', per_kwh: '1', hours: ['08:00-20:00'] };
    const noon = { band: 'noon', per_kwh: '2', hours: ['11:00-13:00'] };
    const rest = { band: 'rest', per_kwh: '0' };
    assert.deepEqual(
      bandShares([noon, peak, rest]).map(({ share }) => share.toFixed(4)),
      ['0.0833', '0.4167', '0.5000'],
    );
    assert.deepEqual(
      bandShares([peak, noon, rest]).map(({ share }) => share.toFixed(4)),
      ['0.5000', '0.0000', '0.5000'],
    );
  });
  it('join entries of one band with one price', () => {
    const shares = bandShares([
      { band: 'peak', per_kwh: '1', hours: ['08:00-11:00'] },
      { band: 'flat', per_kwh: '0.5', hours: ['11:00-18:00'] },
      { band: 'peak', per_kwh: '1.0', hours: ['18:00-08:00'] },
    ]);
    assert.deepEqual(
      shares.map(({ band, share }) => [band, share.toFixed(6)]),
      [
        ['peak', '0.708333'],
        ['flat', '0.291667'],
      ],
    );
  });
  it('refuse empty hours', () => {
    assert.throws(
      () =>
        bandShares([
          { band: 'peak', per_kwh: 1, hours: ['08:00-08:00'] },
          { band: 'rest', per_kwh: 1 },
        ]),
      /empty hours/,
    );
  });
});
