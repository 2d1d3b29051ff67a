/** Published samples of Envoy AI Gateway: two access-log records, and OpenInference spans without ids or times. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Numbers, readSample, sampleText } from './shared-samples.ts';

test('doc-accesslog-llm.json: 15 input, 7 output, no payer', (t) => {
  const text = sampleText('envoy-ai-gateway/doc-accesslog-llm.json');
  if (text === null) return t.skip('no KASHI_SHARED');
  const result = readSample('envoy-ai-gateway', text);
  assert.deepEqual(result.detected, ['envoy-ai-gateway']);
  assert.deepEqual(result.numbers, [[15, 0, 0, 7, null, 'provider', 'success']]);
  const { native_id, event_at_ms, tenant_key, model, model_alias } = result.rows[0] ?? {};
  assert.deepEqual(
    [native_id, event_at_ms, tenant_key, model, model_alias],
    ['83b63da3-45a9-4196-98b8-1a7f697d6d8d', Date.parse('2025-08-30T16:51:37.894Z'), null, 'gpt-4o-mini', 'gpt-4o-mini'],
  );
});

test('doc-accesslog-mcp.json: no model call, blank', (t) => {
  const text = sampleText('envoy-ai-gateway/doc-accesslog-mcp.json');
  if (text === null) return t.skip('no KASHI_SHARED');
  const result = readSample('envoy-ai-gateway', text);
  assert.deepEqual([result.detected, result.rows.length, result.refused, result.blank], [['envoy-ai-gateway'], 0, [], 1]);
});

const ABSENT_FAILURE: Numbers = [null, null, null, null, null, 'absent', 'failure'];
const ABSENT_SUCCESS: Numbers = [null, null, null, null, null, 'absent', 'success'];
const SPANS: readonly (readonly [string, Numbers])[] = [
  ['chat-bad-request.json', ABSENT_FAILURE],
  ['chat-basic.json', [8, 0, 0, 377, 320, 'provider', 'success']],
  ['chat-detailed-usage.json', [12, 0, 0, 100, 100, 'provider', 'success']],
  ['chat-reasoning.json', [27, 0, 0, 267, 192, 'provider', 'success']],
  ['chat-streaming-detailed-usage.json', [12, 0, 0, 100, 100, 'provider', 'success']],
  ['chat-streaming.json', ABSENT_SUCCESS],
  ['completion-streaming-usage.json', [31, 0, 0, 25, null, 'provider', 'success']],
  ['completion-streaming.json', ABSENT_SUCCESS],
];

for (const [file, numbers] of SPANS) {
  test(`${file}: a bare span is no log record; inside an OTLP envelope otel-genai reads it`, (t) => {
    const text = sampleText(`envoy-ai-gateway/${file}`);
    if (text === null) return t.skip('no KASHI_SHARED');
    const bare = readSample('envoy-ai-gateway', text);
    assert.deepEqual([bare.detected, bare.rows.length, bare.refused], [[], 0, ['wrong_shape gen_ai.usage.input_tokens']]);
    const enveloped = (ids: object): string =>
      JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [{ ...(JSON.parse(text) as object), ...ids }] }] }] });
    // The samples had their ids and times cleared: without them there is no key.
    assert.match(readSample('otel-genai', enveloped({})).refused[0] ?? '', /^missing_field startTimeUnixNano$/);
    const whole = readSample(
      'otel-genai',
      enveloped({ traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8), startTimeUnixNano: '1790812800000000000' }),
    );
    assert.deepEqual([whole.detected, whole.numbers], [['otel-genai'], [numbers]]);
  });
}
