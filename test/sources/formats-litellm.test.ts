/** LiteLLM's own expected payloads; its test rewrote the times to text without a zone. And the OTLP trace example, which is no model call. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSample, sampleText } from './shared-samples.ts';

for (const name of ['standard_logging_payload', 'spend_logs_payload']) {
  test(`${name}: accepted with a zone, refused without one`, (t) => {
    const text = sampleText(`litellm/${name}.json`);
    if (text === null) return t.skip('no KASHI_SHARED');
    const accepted = readSample('litellm', text, { zone: 'UTC' });
    assert.deepEqual([accepted.detected, accepted.numbers], [['litellm'], [[10, 0, 0, 20, null, 'provider', 'success']]]);
    assert.equal(accepted.rows[0]?.['event_at_ms'], Date.UTC(2025, 0, 24, 9, 20, 46, 847));
    const refused = readSample('litellm', text, { zone: null });
    assert.deepEqual([refused.rows.length, refused.refused], [0, ['bad_timestamp startTime']]);
  });
}

test('otlp trace.json: a span of no model call is blank', (t) => {
  const text = sampleText('otlp-json/trace.json');
  if (text === null) return t.skip('no KASHI_SHARED');
  const result = readSample('otel-genai', text);
  assert.deepEqual([result.detected, result.rows.length, result.refused, result.blank], [['otel-genai'], 0, [], 1]);
});
