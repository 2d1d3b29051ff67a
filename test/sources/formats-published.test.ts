/** Every published sample, seen or not seen by exactly the source that published-samples.json names; what becomes of it is in functions/sources/README.md. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { SOURCES } from '../../functions/sources/registry.ts';
import { headOf } from './frame.ts';
import { SHARED, sharedFile } from './parse-with.ts';
import { readSample, sampleText } from './shared-samples.ts';

const FORMATS = join(SHARED, 'formats');
/** File → the one source that sees it, or null. */
const EXPECTED = JSON.parse(readFileSync(new URL('./published-samples.json', import.meta.url), 'utf8')) as Record<string, string | null>;

test('each published sample is seen by the source it is written for, and by no other', (t) => {
  if (sharedFile('formats/MANIFEST.md') === null) return t.skip();
  const samples = readdirSync(FORMATS, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(join(FORMATS, name)).isFile() && !name.endsWith('.md'))
    .sort();
  const seen = samples.map((name) => {
    const head = headOf(new TextDecoder().decode(readFileSync(join(FORMATS, name))));
    return [name, SOURCES.filter((source) => source.detect(head)).map((source) => source.name)];
  });
  assert.deepEqual(
    Object.fromEntries(seen),
    Object.fromEntries(Object.entries(EXPECTED).map(([name, source]) => [name, source === null ? [] : [source]])),
  );
});

test('Anthropic messages are API answers without a time; in a timed log their cache counts are beside the input', (t) => {
  const basic = sampleText('anthropic-usage/messages-basic.json');
  const cached = sampleText('anthropic-usage/messages-with-cache.json');
  if (basic === null || cached === null) return t.skip();
  for (const text of [basic, cached]) assert.deepEqual(readSample('openai-usage', text).refused, ['missing_field created']);
  const inLog = (text: string): string => JSON.stringify({ ...(JSON.parse(text) as object), created: 1_790_813_059 });
  assert.deepEqual(readSample('openai-usage', inLog(basic)).numbers, [[10, 0, 0, 8, null, 'provider', 'success']]);
  assert.deepEqual(readSample('openai-usage', inLog(cached)).numbers, [[50, 200, 100, 30, null, 'provider', 'success']]);
});
