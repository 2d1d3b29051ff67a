import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { accessTime, httpStatus, looseCount } from '../../functions/sources/access-log.ts';
import { FieldReader } from '../../functions/sources/fields.ts';
import { higressUsage } from '../../functions/sources/higress-usage.ts';
import { newApiUsage } from '../../functions/sources/new-api-usage.ts';
import { SOURCES } from '../../functions/sources/registry.ts';

const tokens = fc.integer({ min: 0, max: 2 ** 40 });

test('a count reads the same as a number, a double, text or text of a double; a dash is none', () => {
  fc.assert(
    fc.property(tokens, (n) => {
      for (const value of [n, String(n), `${n}.0`, `${n}.000`]) {
        const reader = new FieldReader();
        assert.equal(looseCount(reader, value, 'n'), n);
        assert.equal(reader.rejection, null);
      }
    }),
  );
  for (const value of [null, undefined, '', '-']) assert.equal(looseCount(new FieldReader(), value, 'n'), null);
  for (const [value, reason] of [
    ['1.5', 'not_an_integer'],
    ['1e3', 'not_an_integer'],
    ['-3', 'negative'],
    ['-3.0', 'not_an_integer'],
    [true, 'wrong_type'],
    ['9007199254740992.0', 'integer_out_of_range'],
  ] as const) {
    const reader = new FieldReader();
    looseCount(reader, value, 'n');
    assert.equal(reader.rejection?.reason, reason, String(value));
  }
});

test('seconds, milliseconds and text of one instant agree over all accepted years', () => {
  fc.assert(
    fc.property(fc.integer({ min: 946_684_800, max: 4_102_444_799 }), (seconds) => {
      const at = (value: unknown): number | null => accessTime(new FieldReader(), { value, field: 't' }, null);
      const ms = seconds * 1000;
      assert.deepEqual([at(seconds), at(ms), at(String(seconds)), at(new Date(ms).toISOString())], [ms, ms, ms, ms]);
    }),
  );
});

test('HTTP status: 399 is success, 400 and 0 are failures, none says nothing', () => {
  const of = (value: unknown): string => httpStatus(new FieldReader(), { value, field: 's' });
  assert.deepEqual(
    [of(200), of('399'), of(400), of(0), of('-'), of(99)],
    ['success', 'success', 'failure', 'failure', 'success', 'failure'],
  );
});

test('Higress: inside or outside, the classes sum to what the provider counted', () => {
  fc.assert(
    fc.property(tokens, fc.integer({ min: 1, max: 2 ** 40 }), tokens, tokens, (uncached, read, write, output) => {
      const details = JSON.stringify({ cache_read_input_tokens: read, cache_creation_input_tokens: write });
      const log = (input: number): Record<string, unknown> => ({
        input_token: String(input),
        output_token: String(output),
        total_token: String(uncached + read + write + output),
        input_token_details: details,
      });
      for (const input of [uncached, uncached + read + write]) {
        const reader = new FieldReader();
        const usage = higressUsage(log(input), reader);
        assert.equal(reader.rejection, null);
        assert.deepEqual(
          [usage.input_uncached_tokens, usage.input_cache_read_tokens, usage.input_cache_write_tokens, usage.output_tokens],
          [uncached, read, write, output],
        );
      }
    }),
  );
});

test('New API: the claude flag moves the cache out of prompt_tokens', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 40 }), tokens, tokens, tokens, (uncached, read, write, output) => {
      for (const claude of [true, false]) {
        const prompt = claude ? uncached : uncached + read + write;
        const reader = new FieldReader();
        const usage = newApiUsage(
          { prompt_tokens: prompt, completion_tokens: output },
          { claude, cache_tokens: read, cache_creation_tokens: write },
          reader,
        );
        assert.equal(reader.rejection, null);
        assert.deepEqual(
          [usage.input_uncached_tokens, usage.input_cache_read_tokens, usage.input_cache_write_tokens],
          [uncached, read, write],
        );
      }
    }),
  );
});

test('a first record longer than the head is still recognised, by one source', () => {
  const prompt = JSON.stringify('say "ai":{"llm_summary":{"ai_log":1}} '.repeat(4000));
  const heads = {
    kong: `{"workspace_name":"default","ai":{"proxy":{"payload":{"request":${prompt}`,
    apisix: `{"llm_summary":{"model":"m"},"llm_request":{"messages":[{"content":${prompt}`,
    higress: `{"ai_log":${prompt}`,
    bedrock: `{"schemaType":"ModelInvocationLog","schemaVersion":"1.0","input":{"inputBodyJson":{"prompt":${prompt}`,
  };
  for (const [name, text] of Object.entries(heads)) {
    const head = { text: text.slice(0, 65_536), json: undefined, bytes: new TextEncoder().encode(text.slice(0, 65_536)) };
    assert.deepEqual(
      SOURCES.filter((source) => source.detect(head)).map((source) => source.name),
      [name],
    );
  }
});
