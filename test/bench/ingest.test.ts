/** The ingest bench on a small log: it asserts what was stored, never how long it took. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { LitellmPart } from '../../bench/ingest/litellm-log.ts';

const RUN = fileURLToPath(new URL('../../bench/run.ts', import.meta.url));

describe('bench ingest', () => {
  const cache = mkdtempSync(join(tmpdir(), 'kashi-bench-test-'));
  after(() => rmSync(cache, { recursive: true, force: true }));
  const bench = (...args: string[]) => spawnSync(process.execPath, [RUN, 'ingest', '--cache', cache, ...args], { encoding: 'utf8' });

  test('kashi and the peer both store what was planted, and nothing is left behind but the data', () => {
    const ran = bench('--rows', '3000', '--samples', '1000', '--runs', '1', '--only', 'gzip-parts', 'dcgm');
    assert.equal(ran.status, 0, ran.stderr);
    assert.match(ran.stdout, /litellm: 3,000 rows/);
    assert.match(ran.stdout, /dcgm-text: 1,000 samples/);
    assert.equal(ran.stdout.match(/^\|.*(kashi ingest|bare DuckDB).*$/gm)?.length, 4);
    assert.deepEqual(
      readdirSync(cache).filter((name) => !/^(litellm|dcgm)-v\d+-seed-1-/.test(name)),
      [],
    );
  });

  test('an input that does not exist is named', () => {
    const ran = bench('--only', 'zip');
    assert.equal(ran.status, 1);
    assert.match(ran.stderr, /unknown input[\s\S]*found: +zip/);
  });

  test('the same seed gives the same rows, another seed others, and every total counts', () => {
    const text = (seed: string) => new LitellmPart(seed, 2000, 0).lines(0, 2000);
    assert.equal(text('1'), text('1'));
    assert.notEqual(text('1'), text('2'));
    const part = new LitellmPart('1', 2000, 0);
    const rows = part
      .lines(0, 2000)
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { completion_tokens: number; status: string });
    assert.equal(part.totals.output_tokens, BigInt(rows.reduce((sum, row) => sum + row.completion_tokens, 0)));
    assert.equal(part.totals.failure, BigInt(rows.filter(({ status }) => status === 'failure').length));
    for (const [name, value] of Object.entries(part.totals)) assert.ok(value > 0n, name);
  });
});
