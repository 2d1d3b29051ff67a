/** The small form of the storms that are quick; `npm run storms` plays all of them with their figures. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { STORMS } from './cases.ts';
import { runStorm, SMALL } from './storm.ts';
import { tableFor, wrapped } from './table.ts';

/** The other cases start many processes or close many months; what they play has small tests beside the code. */
const QUICK = new Set([
  'duplicate-notifications',
  'lost-notifications',
  'clock-skew',
  'disk-full',
  'truncated-gzip',
  'bit-flips',
  'store-faults',
  'writers',
  'scale',
]);

describe('a storm, small:', () => {
  for (const storm of STORMS.filter(({ name }) => QUICK.has(name)))
    test(storm.name, async (context) => {
      const { outcome, measured } = await runStorm(storm, SMALL);
      context.diagnostic(measured);
      assert.equal(outcome, 'ok', measured);
    });
});

test('names are those of the table, once each', () => {
  const names = STORMS.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  assert.deepEqual(
    [...QUICK].filter((name) => !names.includes(name)),
    [],
  );
});

test('a figure that is missed is a row that says FAIL and what was found', async () => {
  const wet = {
    name: 'wet',
    title: 'Wet',
    wanted: () => 'dry',
    run: async () => assert.equal('rain', 'sun', 'thunder') as never,
  };
  const result = await runStorm(wet, SMALL);
  assert.equal(result.outcome, 'FAIL');
  const row = tableFor(120).row(result).join('\n');
  assert.match(row, /^wet +dry +AssertionError.*FAIL/);
  assert.ok(row.includes('thunder'));
});

test('cells are wrapped at spaces, and cut only when one word is too long', () => {
  assert.deepEqual(wrapped('one two three', 7), ['one two', 'three']);
  assert.deepEqual(wrapped('0123456789', 4), ['0123', '4567', '89']);
  assert.deepEqual(wrapped('', 4), ['']);
  const lines = [...tableFor(null).head, ...tableFor(40).head];
  assert.ok(lines.every((line) => line.length <= 150));
});
