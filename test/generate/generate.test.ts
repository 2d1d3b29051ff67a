/** The same options give the same bytes; sizes obey options; what makes no centre is refused before a byte is written. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { LocalFileSink } from '../../functions/adapters/file-sink.ts';
import { KashiError } from '../../functions/domain/errors.ts';
import { generateCentre } from '../../functions/generate/generate.ts';
import { badPerMillion, presetOptions } from '../../functions/generate/options.ts';
import { MemorySink, make } from './memory-sink.ts';

const SMALL = { requests: 1_000, days: 2 } as const;

test('the same seed gives the same bytes, another seed other bytes', async () => {
  const [one, again, other] = await Promise.all([make(SMALL), make(SMALL), make({ ...SMALL, seed: '2' })]);
  assert.equal(one.sink.hash(), again.sink.hash());
  assert.notEqual(one.sink.hash(), other.sink.hash());
  assert.notEqual(one.expected.total, other.expected.total);
});

test('one part alone has the same bytes as within the whole', async () => {
  const whole = await make(SMALL);
  for (const only of ['tokens', 'samples', 'allocations'] as const) {
    const part = await make({ ...SMALL, only });
    assert.ok(part.sink.landed().length > 0, only);
    assert.ok(part.sink.landed().length < whole.sink.landed().length, only);
    for (const path of part.sink.landed()) assert.deepEqual(part.sink.files.get(path), whole.sink.files.get(path), path);
  }
});

test('good token rows do not depend on the share of bad rows', async () => {
  const [clean, dirty] = await Promise.all([make({ ...SMALL, badPerMillion: 0 }), make({ ...SMALL, badPerMillion: 50_000 })]);
  assert.deepEqual(clean.expected.tokens, dirty.expected.tokens);
  assert.equal(clean.expected.total, dirty.expected.total);
  assert.ok(Object.values(clean.expected.sources).every(({ quarantined }) => quarantined === 0));
  assert.ok(Object.values(dirty.expected.sources).every(({ quarantined }) => quarantined > 0));
});

test('sizes obey the options', async () => {
  const { expected, sink } = await make({ requests: 2_000, days: 5, gpus: 48, tenants: 6, only: 'tokens' });
  const attempts = Object.values(expected.requests).reduce((sum, r) => sum + r.charged + r.failure + r.cache_hit + r.absent_usage, 0);
  assert.equal(attempts, 2_000);
  const accelerators = [...sink.text('inventory.yaml').matchAll(/count: (\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
  assert.equal(accelerators, 48);
  assert.equal(new Set(expected.tokens.map(({ tenant_key }) => tenant_key)).size, 7); // six and the unmapped one
  const starts = sink.lines('litellm/').flatMap((line) => /"startTime":(\d+)\.\d+,"endTime"/.exec(line)?.[1] ?? []);
  const days = new Set(starts.map((second) => Math.floor((Number(second) + 8 * 3600) / 86_400)));
  assert.equal(days.size, 5);
});

test('a clean, closable centre has nothing unrated and nothing quarantined', async () => {
  const { expected } = await make({ ...SMALL, badPerMillion: 0, unresolved: false });
  assert.deepEqual(expected.unrated, { unmapped_keys: [], requests_without_usage: 0 });
  assert.ok(expected.tokens.every(({ tenant_id }) => tenant_id !== null));
});

test('a month of 31 days and the fewest accelerators still hold every situation', async () => {
  const { expected } = await make({ requests: 100, days: 31, gpus: 24, tenants: 4, only: 'allocations', period: '2027-01' });
  for (const id of ['research/bert-sweep', 'ads/ranking-gang', 'robotics/sim-nightly', 'hq-batch/10001']) {
    assert.equal(expected.workloads.filter(({ workload_id }) => workload_id === id).length, 1, id);
  }
});

test('options that make no centre are refused before a byte is written', async () => {
  const wrong = [
    { period: '2026-13' },
    { period: 'october' },
    { requests: 99 },
    { requests: 1.5 },
    { days: 0 },
    { days: 32 },
    { gpus: 23 },
    { tenants: 3 },
    { days: 29, period: '2027-02' },
  ];
  for (const options of wrong) {
    const sink = new MemorySink();
    await assert.rejects(
      generateCentre({ ...presetOptions('demo'), ...options }, sink),
      (error) => error instanceof KashiError && error.code === 'usage',
      JSON.stringify(options),
    );
    assert.equal(sink.files.size, 0);
  }
});

test('bad shares are exact decimals from 0 to 0.1', () => {
  assert.equal(badPerMillion('0.002'), 2_000);
  assert.equal(badPerMillion('0'), 0);
  assert.equal(badPerMillion('0.1'), 100_000);
  for (const share of ['0.100001', '1', '-0.1', '0.0000001', 'few', '']) assert.throws(() => badPerMillion(share), KashiError, share);
});

test('files on disk decompress to what was made, and carry their landing instant', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'kashi-generate-'));
  try {
    const plain = await make({ ...SMALL, only: 'tokens' });
    for (const [format, suffix, open] of [
      ['gzip', '.gz', gunzipSync],
      ['zstd', '.zst', zstdDecompressSync],
    ] as const) {
      await generateCentre({ ...presetOptions('demo'), ...SMALL, only: 'tokens', format }, new LocalFileSink(folder));
      for (const path of plain.sink.landed()) {
        const file = join(folder, `${path}${suffix}`);
        assert.deepEqual(open(readFileSync(file)), plain.sink.files.get(path), file);
        assert.equal(Math.round(statSync(file).mtimeMs), plain.sink.modifiedAtMs.get(path), file);
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
