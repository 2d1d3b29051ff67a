import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { Rational } from '../../functions/domain/money.ts';
import { FieldReader } from '../../functions/sources/fields.ts';
import { litellm } from '../../functions/sources/litellm.ts';
import { isHold, type Row } from '../../functions/sources/source.ts';
import { imageDigest, type StatedUsage, tokenColumns } from '../../functions/sources/token-counts.ts';

const FIELDS = { input: 'input', output: 'output', total: 'total', reasoning: 'reasoning' };
const NONE: StatedUsage = { input: null, output: null, cacheRead: null, cacheWrite: null, reasoning: null, total: null };
const tokens = fc.integer({ min: 0, max: 2 ** 40 });

test('inclusive counts split into classes that sum to the input, or are refused as inconsistent', () => {
  fc.assert(
    fc.property(tokens, tokens, tokens, tokens, (input, cacheRead, cacheWrite, output) => {
      const reader = new FieldReader();
      const row = tokenColumns(reader, () => ({ ...NONE, input, cacheRead, cacheWrite, output, total: input + output }), FIELDS);
      if (cacheRead + cacheWrite > input) return assert.equal(reader.rejection?.reason, 'tokens_inconsistent');
      assert.equal(reader.rejection, null);
      const classes = [row.input_uncached_tokens, row.input_cache_read_tokens, row.input_cache_write_tokens].map((n) => n ?? Number.NaN);
      assert.ok(classes.every((n) => n >= 0));
      assert.equal(
        classes.reduce((sum, n) => sum + n, 0),
        input,
      );
      assert.equal(row.output_tokens, output);
    }),
  );
});

test('a cache outside the input leaves the input as it is, and either total is accepted', () => {
  for (const [total, ok] of [
    [80, true],
    [380, true],
    [81, false],
  ] as const) {
    const reader = new FieldReader();
    const row = tokenColumns(
      reader,
      () => ({ ...NONE, input: 50, cacheRead: 200, cacheWrite: 100, output: 30, total, cacheOutside: true }),
      FIELDS,
    );
    assert.equal(row.input_uncached_tokens, 50);
    assert.equal(reader.rejection === null, ok);
  }
});

test('nothing stated is absent, zero stated is zero', () => {
  assert.equal(tokenColumns(new FieldReader(), () => NONE, FIELDS).usage_source, 'absent');
  const zero = tokenColumns(new FieldReader(), () => ({ ...NONE, input: 0, output: 0 }), FIELDS);
  assert.deepEqual([zero.usage_source, zero.output_tokens], ['provider', 0]);
});

test('a digest is read from a reference and from nothing else', () => {
  const digest = `sha256:${'ab'.repeat(32)}`;
  assert.equal(imageDigest(digest), digest);
  assert.equal(imageDigest(`registry.example/a@${digest}`), digest);
  assert.equal(imageDigest('registry.example/a:latest'), null);
  assert.equal(imageDigest(`${digest}0`), null);
});

const SHARED = process.env['KASHI_SHARED'] ?? resolve(dirname(fileURLToPath(import.meta.url)), '../../../shared');
const ORACLES = join(SHARED, 'oracles', 'token_bill_oracles.csv');

test('published token bills come out of LiteLLM records', { skip: existsSync(ORACLES) ? false : `no ${ORACLES}` }, () => {
  const [header = '', ...lines] = readFileSync(ORACLES, 'utf8').trim().split('\n');
  for (const line of lines) {
    const cells = line.split(',');
    const at = (name: string): string => cells[header.split(',').indexOf(name)] ?? '';
    const counts = {
      prompt: Number(at('prompt_tokens_incl_cached')),
      cached: Number(at('cached_read_tokens')),
      output: Number(at('output_tokens')),
    };
    const row = litellmRow(counts);
    const millionths = (column: string, price: string): Rational => Rational.of(row[column] as number).multiply(Rational.of(at(price)));
    const cost = millionths('input_uncached_tokens', 'input_per_M')
      .add(millionths('input_cache_read_tokens', 'cache_read_per_M'))
      .add(millionths('output_tokens', 'output_per_M'))
      .divide(Rational.of(1_000_000));
    assert.equal(cost.compare(Rational.of(at('exact_cost'))), 0, at('id'));
  }
});

function litellmRow({ prompt, cached, output }: { prompt: number; cached: number; output: number }): Row {
  const parser = litellm.open({ siteId: 'hq', zone: null, receivedAtMs: 0, contentId: '', options: {} });
  assert.ok(!isHold(parser));
  const rows: Row[] = [];
  const usage_object = { prompt_tokens: prompt, prompt_tokens_details: { cached_tokens: cached } };
  const record = {
    call_type: 'acompletion',
    id: 'a',
    startTime: 1767225600,
    metadata: { usage_object },
    prompt_tokens: prompt,
    completion_tokens: output,
  };
  assert.equal(
    parser.parse(record, { line: 1, byteStart: 0, byteEnd: 0 }, (row) => rows.push(row)),
    'valid',
  );
  return rows[0] as Row;
}
