/** The bill bench on a small month: it asserts what the sides come to, never how long they took. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { expectedAnswer } from '../../bench/bill/expected.ts';
import { shapeOf } from '../../bench/bill/month.ts';
import { checkAnswer } from '../../bench/bill/sides.ts';

const RUN = fileURLToPath(new URL('../../bench/run.ts', import.meta.url));

describe('bench bill', () => {
  const cache = mkdtempSync(join(tmpdir(), 'kashi-bench-test-'));
  after(() => rmSync(cache, { recursive: true, force: true }));

  test('kashi and the engine by hand both come to what was planted, and nothing is left behind but the data', () => {
    const sizes = ['--rows', '20000', '--samples', '1000', '--allocations', '200'];
    const ran = spawnSync(process.execPath, [RUN, 'bill', '--cache', cache, ...sizes, '--runs', '1', '--only', 'kashi', 'duckdb'], {
      encoding: 'utf8',
    });
    assert.equal(ran.status, 0, ran.stderr);
    assert.match(ran.stdout, /20,000 requests, 178,560 samples, 200 allocations/);
    assert.equal(ran.stdout.match(/^\| (kashi bill|bare DuckDB, by hand) /gm)?.length, 2);
    assert.match(ran.stdout, /nothing was recorded for bill 20000 requests/);
    assert.deepEqual(
      readdirSync(cache).filter((name) => !/^bill-v\d+-/.test(name)),
      [],
    );
  });

  test('the expected bill by hand: one job below the threshold, one above, tokens of two models', () => {
    const shape = { ...shapeOf({ rows: 2, samples: 0, allocations: 4 }), gpus: 2, perGpu: 1 };
    const nothing = { input_uncached: 0n, input_cache_read: 0n, input_cache_write: 0n, output: 0n };
    const answer = expectedAnswer(shape, [
      { ...nothing, team: 1, model_no: 0, output: 1_000_001n },
      // Of the same tenant: one line with the row above.
      { ...nothing, team: 61, model_no: 0, output: 1n },
      { ...nothing, team: 1, model_no: 1, input_cache_read: 500_000n },
    ]);
    // 743.999722 h each: at 12 and at 10 a GPU-hour; 1.000002 million at 8, half a million at 1.
    assert.deepEqual(answer, {
      lines: '4',
      gpu_hours: '1487.999444',
      gpu_amount: '16368.00',
      million_tokens: '1.500002',
      token_amount: '8.50',
    });
  });

  test('a side that comes to something else ends the run, and the figure is named', () => {
    const planted = { lines: '1', gpu_hours: '1.000000', gpu_amount: '10.00', million_tokens: '0.000000', token_amount: '0.00' };
    assert.throws(() => checkAnswer('Polars', planted, { ...planted, gpu_amount: '10.01' }), /gpu_amount[\s\S]*10\.00[\s\S]*10\.01/);
  });
});
