/** The ai_log blocks of the plugin's README: they show ai_log alone, so a line needs its time and request id before it is a record. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Numbers, readSample, sampleText } from './shared-samples.ts';

const SAMPLE = 'higress/doc-ai_log-samples.jsonl';

test('doc-ai_log-samples.jsonl as printed: recognised, and refused for want of a start time', (t) => {
  const text = sampleText(SAMPLE);
  if (text === null) return t.skip('no KASHI_SHARED');
  const result = readSample('higress', text);
  assert.deepEqual([result.detected, result.rows.length], [['higress'], 0]);
  assert.deepEqual(result.refused, Array(5).fill('missing_field start_time'));
});

test('doc-ai_log-samples.jsonl with the rest of its line: the numbers of the README', (t) => {
  const text = sampleText(SAMPLE);
  if (text === null) return t.skip('no KASHI_SHARED');
  const lines = text.trim().split('\n');
  const whole = lines.map((line, n) =>
    JSON.stringify({ ...(JSON.parse(line) as object), request_id: `r-${n}`, start_time: '2026-10-01T00:00:00.000Z', response_code: '200' }),
  );
  const result = readSample('higress', whole.join('\n'));
  const expected: readonly Numbers[] = [
    [10, 0, 0, 69, null, 'provider', 'success'],
    [10, 0, 0, 69, null, 'provider', 'success'],
    [343, 0, 0, 153, null, 'provider', 'success'],
    [null, null, null, null, null, 'absent', 'success'],
    [20, 80, 0, 50, 25, 'provider', 'success'],
  ];
  assert.deepEqual(result.numbers, expected);
  assert.deepEqual(
    result.rows.map((row) => row['model']),
    ['qwen-turbo', 'qwen-turbo', 'qwen-max', 'deepseek-reasoner', 'gpt-4o'],
  );
  assert.ok(!JSON.stringify(result.rows).includes('北京'), 'the question came out');
});
