/** The published Bedrock sample is a Converse answer, not a log entry: no request id, no time, no caller. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSample, sampleText } from './shared-samples.ts';

const SAMPLE = 'bedrock-usage/converse-basic.json';

test('converse-basic.json: no source takes it, and bedrock refuses it', (t) => {
  const text = sampleText(SAMPLE);
  if (text === null) return t.skip('no KASHI_SHARED');
  const result = readSample('bedrock', text);
  assert.deepEqual([result.detected, result.rows.length, result.refused], [[], 0, ['wrong_shape schemaType']]);
});

test('converse-basic.json as the body of a log entry: 13 input, 5 output', (t) => {
  const text = sampleText(SAMPLE);
  if (text === null) return t.skip('no KASHI_SHARED');
  const body = JSON.parse(text) as { usage: { inputTokens: number; outputTokens: number } };
  const entry = {
    schemaType: 'ModelInvocationLog',
    timestamp: '2026-10-01T00:00:00Z',
    requestId: 'r-1',
    operation: 'Converse',
    modelId: 'amazon.nova-lite-v1:0',
    input: { inputTokenCount: body.usage.inputTokens },
    output: { outputBodyJson: body, outputTokenCount: body.usage.outputTokens },
  };
  const result = readSample('bedrock', JSON.stringify(entry));
  assert.deepEqual([result.detected, result.numbers], [['bedrock'], [[13, 0, 0, 5, null, 'provider', 'success']]]);
});
