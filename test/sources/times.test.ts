import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DateTime } from 'luxon';
import { durationMs, epochMicros, epochMs } from '../../functions/sources/epoch.ts';
import { timePattern } from '../../functions/sources/mapped-time.ts';

test('epoch numbers of any unit keep their millisecond', () => {
  assert.equal(epochMs(1737710446.847, 's'), 1737710446847);
  assert.equal(epochMs('1544712660000000000', 'ns'), 1544712660000);
  assert.equal(epochMs('1878422.0000000002', 's'), 1878422000);
  assert.equal(epochMicros(1737710446.847371, 's'), 1737710446847371);
  assert.equal(epochMs('', 's'), null);
  assert.equal(epochMs('1e99', 's'), null);
  assert.equal(epochMs(true, 's'), null);
  assert.equal(epochMs(-0.0005, 's'), -1);
});

test('seconds with milliseconds in text or in a double give the millisecond back', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4_102_444_800_000 }), (ms) => {
      assert.equal(epochMs(ms / 1000, 's'), ms);
      assert.equal(epochMs(`${Math.floor(ms / 1000)}.${String(ms % 1000).padStart(3, '0')}`, 's'), ms);
      assert.equal(durationMs(String(ms), 'ms'), ms);
    }),
  );
});

test('durations are exact in every unit', () => {
  assert.deepEqual(
    [durationMs('1.5', 'h'), durationMs('0.1', 'm'), durationMs(2, 'd'), durationMs('x', 's')],
    [5_400_000, 6_000, 172_800_000, null],
  );
});

for (const [format, zone] of [
  ['yyyy-MM-dd HH:mm:ss.SSS', 'Asia/Shanghai'],
  ["yyyyMMdd'T'HHmmss.u", 'America/New_York'],
  ['d/M/yyyy h:mm:ss.SSS a', 'UTC'],
  ["yyyy-MM-dd'T'HH:mm:ss.SSSZZ", 'Europe/Berlin'],
] as const) {
  test(`what Luxon writes as ${format} is read back`, () => {
    const pattern = timePattern(format);
    assert.ok(typeof pattern !== 'string');
    fc.assert(
      fc.property(fc.integer({ min: 946_684_800_000, max: 4_102_444_799_999 }), (ms) => {
        const local = DateTime.fromMillis(ms, { zone, locale: 'en-US' });
        const read = pattern.parse(local.toFormat(format), zone);
        // A wall time that occurs twice is read as the earlier instant.
        const first = local.getPossibleOffsets()[0]?.toMillis() ?? ms;
        assert.equal(read, pattern.hasOffset ? ms : first);
      }),
    );
  });
}

test('patterns that cannot be read are named', () => {
  assert.match(String(timePattern('yyyy-MM-dd QQ')), /unknown token at 'QQ'/);
  assert.match(String(timePattern('HH:mm')), /year is missing/);
  assert.match(String(timePattern('yyyy-MM-dd hh:mm')), /h and a/);
  assert.match(String(timePattern('yyyy-MM-dd dd')), /day occurs twice/);
});
