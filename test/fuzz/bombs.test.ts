/** Bombs are stopped at their caps, in bounded memory: each in a process of its own, whose peak is measured. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { DEFAULT_LIMITS } from '../../functions/ingest/limits.ts';
import { BOMB_NAMES } from './bombs.ts';

/** Of the whole process, Node, the engine and the recipe (up to 64 MiB) included. */
const RSS_CEILING_BYTES = 1024 ** 3;

interface Ended {
  readonly hold: string | null;
  readonly lines: { readonly physical: number; readonly valid: number; readonly quarantined: number; readonly blank: number };
  readonly reasons: Readonly<Record<string, number>>;
  readonly peakRssBytes: number;
}

/** Hold, or the refusals among lines that are otherwise good. */
const EXPECTED: Readonly<Record<string, { readonly hold: string } | { readonly valid: number; readonly reasons: Record<string, number> }>> =
  {
    'gzip, 1,000 to 1': { hold: 'ratio_exceeded' },
    'zstd, more than 10,000 to 1': { hold: 'ratio_exceeded' },
    'good lines, then a gzip member that unfolds': { hold: 'ratio_exceeded' },
    'gzip of gzip': { hold: 'nested_compression' },
    'an endless chain of gzip members': { hold: 'object_too_large' },
    'a line of 64 MiB': { valid: 40, reasons: { line_too_long: 1 } },
    'a line of 64 MiB in JSON': { valid: 40, reasons: { line_too_long: 1 } },
    'a CSV line of 64 MiB in one quote': { valid: 2, reasons: { line_too_long: 1 } },
    'a CSV quote that never closes, over 64 MiB of lines': { valid: 127_999, reasons: { wrong_shape: 1 } },
    'a line a million deep': { valid: 40, reasons: { too_deep: 1 } },
    'a document a million deep': { hold: 'too_many_bad_rows' },
    'a document of more than 64 MiB': { hold: 'document_too_large' },
    'a message of more than 64 MiB': { hold: 'document_too_large' },
    'a snappy message that says it is 4 GiB': { hold: 'too_many_bad_rows' },
  };

test('the caps are those of RELIABILITY 4.4', () => {
  assert.deepEqual(
    [DEFAULT_LIMITS.ratio, DEFAULT_LIMITS.documentBytes, DEFAULT_LIMITS.lineBytes, DEFAULT_LIMITS.depth],
    [200, 64 * 1024 ** 2, 8 * 1024 ** 2, 32],
  );
  assert.deepEqual(Object.keys(EXPECTED), BOMB_NAMES);
});

for (const [name, expected] of Object.entries(EXPECTED)) {
  test(name, (context) => {
    // The chain stays below the ratio, so the bound on all bytes stops it; 16 GiB would take minutes.
    const limits = name.startsWith('an endless chain') ? { ratio: 1000, objectBytes: 64 * 1024 ** 2 } : {};
    const child = [join(import.meta.dirname, 'capped.ts'), name, JSON.stringify(limits)];
    const ended = JSON.parse(execFileSync(process.execPath, child, { encoding: 'utf8' })) as Ended;
    context.diagnostic(`peak ${Math.round(ended.peakRssBytes / 1024 ** 2)} MiB`);
    assert.ok(ended.peakRssBytes < RSS_CEILING_BYTES, `peak ${ended.peakRssBytes}`);
    const { physical, valid, quarantined, blank } = ended.lines;
    assert.equal(valid + quarantined + blank, physical);
    if ('hold' in expected) assert.equal(ended.hold, expected.hold);
    else assert.deepEqual({ hold: ended.hold, valid, reasons: ended.reasons }, { hold: null, ...expected });
  });
}
