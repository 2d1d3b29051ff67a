/** docs/scale.md says what bench/scale.ts computes, and what it computes follows from the sizes. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type Centre, MEASURED, scaleOf, sections } from '../../bench/scale.ts';

const DOCUMENT = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'scale.md'), 'utf8');
const CENTRE: Centre = { name: 'a', gpus: 100, requests: 2e6, sampleSeconds: 60, streams: 10, minutesPerFile: 5 };

describe('docs/scale.md', () => {
  for (const [name, lines] of Object.entries(sections()))
    test(`its table of ${name} is what is computed now (node bench/scale.ts --write)`, () => {
      assert.ok(DOCUMENT.includes(`<!-- ${name}:begin -->\n\n${lines.join('\n')}\n\n<!-- ${name}:end -->`));
    });
});

describe('what follows from a size', () => {
  test('objects by streams and minutes, samples by accelerators: 10 streams × 30 days ÷ 5 minutes, 100 × 30 days ÷ 1 minute', () => {
    const { objects, samples, segments, rowsPerObject } = scaleOf(CENTRE);
    assert.deepEqual([objects, samples, segments], [86_400, 4_320_000, 87]);
    assert.equal(rowsPerObject, (2_000_000 + 4_320_000) / 86_400);
  });

  test('twice the requests are twice the keys, the rating and the ingest of rows, and not one object more', () => {
    const [once, twice] = [scaleOf(CENTRE), scaleOf({ ...CENTRE, requests: 4e6 })];
    assert.equal(twice.keyBytes, 2 * once.keyBytes);
    assert.equal(twice.objects, once.objects);
    assert.equal(twice.usd.requests, once.usd.requests);
    assert.ok(Math.abs(twice.lambdaGbSeconds - once.lambdaGbSeconds - 2 * MEASURED.lambdaGbSecondsPerMillionRows) < 1e-9);
  });

  test('files of five minutes instead of one are a fifth of the objects', () => {
    const each = scaleOf({ ...CENTRE, minutesPerFile: 1 });
    assert.equal(each.objects, 5 * scaleOf(CENTRE).objects);
    assert.ok(each.usd.requests > 4.9 * scaleOf(CENTRE).usd.requests);
  });

  test('the parts of the cost add up, and are shared by requests and by accelerators', () => {
    const { usd, usdPerMillionRequests, usdPerGpuMonth } = scaleOf(CENTRE);
    assert.ok(Math.abs(usd.total - (usd.requests + usd.lambda + usd.storage + usd.listing)) < 1e-9);
    assert.ok(Math.abs(usdPerMillionRequests * 2 - usd.total) < 1e-9);
    assert.ok(Math.abs(usdPerGpuMonth * 100 - usd.total) < 1e-9);
  });
});
