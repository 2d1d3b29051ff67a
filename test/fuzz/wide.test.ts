/** Every array of every JSON source, made so long that spreading it into a call would overflow the stack: no source may assume that lists are short. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LIMITS } from '../../functions/ingest/limits.ts';
import { ingestInMemory, landed } from './ingested.ts';
import { type Sample, TARGET_NAMES, targetNamed } from './samples.ts';

/** Calls take some 120,000 arguments. */
const ELEMENTS = 130_000;
const MOST_BYTES = 6 * 1024 ** 2;

type Path = readonly (string | number)[];

/** Paths of all arrays in a value; those of one list's elements are taken from its first. */
function arraysIn(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [];
  const below = Array.isArray(value) ? value.slice(0, 1).map((inner, index) => [index, inner] as const) : Object.entries(value);
  return [...(Array.isArray(value) ? [path] : []), ...below.flatMap(([key, inner]) => arraysIn(inner, [...path, key]))];
}

/** The text of the value with the array at `path` made of copies of its first element, or of empty objects when that would be too much. */
function widened(value: unknown, path: Path): string {
  if (path.length === 0) {
    const first = JSON.stringify((value as unknown[])[0] ?? {});
    const element = (first.length + 1) * ELEMENTS > MOST_BYTES ? '{}' : first;
    return `[${Array.from({ length: ELEMENTS }, () => element).join(',')}]`;
  }
  const [key, ...rest] = path;
  const inner = Object.entries(value as object).map(([name, own]) => {
    const text = name === String(key) ? widened(own, rest) : JSON.stringify(own);
    return Array.isArray(value) ? text : `${JSON.stringify(name)}:${text}`;
  });
  return Array.isArray(value) ? `[${inner.join(',')}]` : `{${inner.join(',')}}`;
}

/** The first JSON value of a fixture's lines, or of the whole; null when it has none. */
function valuesOf({ bytes }: Sample): unknown[] {
  const text = bytes.toString();
  for (const part of [text, ...text.split('\n')]) {
    try {
      return [JSON.parse(part)];
    } catch {
      // The next line may be one.
    }
  }
  return [];
}

for (const target of TARGET_NAMES.map(targetNamed)) {
  const json = target.samples.filter(({ reading }) => reading.source?.framing === 'json');
  if (json.length === 0) continue;
  test(`${target.name}: long lists`, async () => {
    const seen = new Set<string>();
    for (const sample of json) {
      for (const value of valuesOf(sample)) {
        for (const path of arraysIn(value)) {
          const name = path.filter((step) => typeof step === 'string').join('.');
          if (seen.has(name)) continue;
          seen.add(name);
          const bytes = Buffer.from(`${widened(value, path)}\n`);
          const { outcome } = await ingestInMemory(landed(name, bytes, [1 << 20]), sample.reading, {
            ...DEFAULT_LIMITS,
            lineBytes: 4 * MOST_BYTES,
          });
          const { physical, valid, quarantined, blank } = outcome.record.lines;
          assert.equal(valid + quarantined + blank, physical, name);
        }
      }
    }
  });
}
