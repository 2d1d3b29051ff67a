/** Published OpenAI-style bodies: a whole body with a time is a record; without one it needs the log that wrapped it; a raw stream is no log. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Numbers, readSample, sampleText } from './shared-samples.ts';

const FOLDER = 'openai-usage/apisix-fixtures';
const NO_TIME = ['missing_field created'];
const ok = (input: number, read: number, write: number, output: number, reasoning: number | null = null): Numbers => [
  input,
  read,
  write,
  output,
  reasoning,
  'provider',
  'success',
];
const ABSENT: Numbers = [null, null, null, null, null, 'absent', 'success'];

/** File → refusals as it stands, and the numbers of the body (once its log gave it a time). */
const BODIES: readonly (readonly [string, readonly string[], Numbers])[] = [
  ['chat-basic.json', [], ok(23, 0, 0, 8)],
  ['responses-basic.json', [], ok(10, 0, 0, 5)],
  ['responses-with-cache.json', [], ok(28, 12, 0, 20, 8)],
  ['chat-error.json', NO_TIME, [null, null, null, null, null, 'absent', 'failure']],
  ['chat-with-reasoning.json', NO_TIME, ok(15, 10, 5, 15)],
  ['embeddings-list.json', NO_TIME, ok(8, 0, 0, 0)],
  ['null-details.json', NO_TIME, ok(10, 0, 0, 5)],
  ['null-usage.json', NO_TIME, ABSENT],
];

for (const [file, refused, numbers] of BODIES) {
  test(`${file}: ${refused.length === 0 ? 'accepted' : 'refused without a time'}, and its numbers in a log`, (t) => {
    const text = sampleText(`${FOLDER}/${file}`);
    if (text === null) return t.skip('no KASHI_SHARED');
    const bare = readSample('openai-usage', text);
    assert.deepEqual(bare.refused, refused);
    assert.deepEqual(bare.numbers, refused.length === 0 ? [numbers] : []);
    const logged = { request_id: 'r-1', timestamp: '2026-10-01T00:00:00Z', response: JSON.parse(text) as unknown };
    assert.deepEqual(readSample('openai-usage', JSON.stringify(logged)).numbers, [numbers]);
  });
}

/** Stream → numbers of its usage-bearing chunk, or null when it has none. */
const STREAMS: readonly (readonly [string, Numbers | null])[] = [
  ['chat-streaming-no-usage.sse', null],
  ['chat-streaming-with-cache.sse', ok(15, 10, 5, 15, 7)],
  ['chat-streaming.sse', ok(10, 0, 0, 8)],
  ['deepseek-usage-null.sse', ok(5, 0, 0, 2)],
  ['openrouter-double-finish.sse', ok(8, 0, 0, 2)],
  ['openrouter-first-chunk.sse', ok(8, 0, 0, 2)],
  ['responses-streaming-with-cache.sse', ok(10, 10, 0, 5, 3)],
  ['usage-only-final-chunk.sse', ok(10, 0, 0, 5)],
];

for (const [file, numbers] of STREAMS) {
  test(`${file}: a raw stream is no log and is recognised by nobody; its usage chunk in a log is read`, (t) => {
    const text = sampleText(`${FOLDER}/${file}`);
    if (text === null) return t.skip('no KASHI_SHARED');
    const bare = readSample('openai-usage', text);
    assert.deepEqual([bare.detected, bare.rows.length], [[], 0]);
    const chunks = text
      .split('\n')
      .filter((line) => line.startsWith('data: {'))
      .map((line) => JSON.parse(line.slice(6)) as Record<string, unknown>);
    const results = chunks.map((chunk) =>
      readSample(
        'openai-usage',
        JSON.stringify({ request_id: 'r-1', timestamp: '2026-10-01T00:00:00Z', response: chunk['response'] ?? chunk }),
      ),
    );
    const found = results.flatMap((result) => result.numbers).filter(([, , , , , usage]) => usage !== 'absent');
    assert.deepEqual(found, numbers === null ? [] : [numbers]);
  });
}

test('doc-organization-usage-completions.json: a bucket of five requests is refused', (t) => {
  const text = sampleText('openai-usage/doc-organization-usage-completions.json');
  if (text === null) return t.skip('no KASHI_SHARED');
  const result = readSample('openai-usage', text);
  assert.deepEqual([result.detected, result.rows.length, result.refused], [[], 0, ['wrong_shape object']]);
});
