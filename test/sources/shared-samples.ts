/** Published samples under KASHI_SHARED, compared in a short form: which source sees them, and what comes out. */
import { SOURCES, sourceNamed } from '../../functions/sources/registry.ts';
import type { Row, SourceContext } from '../../functions/sources/source.ts';
import { headOf } from './frame.ts';
import { parseWith, sharedFile } from './parse-with.ts';

/** uncached, cache read, cache write, output, reasoning, usage_source, status. */
export type Numbers = readonly [number | null, number | null, number | null, number | null, number | null, string, string];

export interface SampleResult {
  readonly detected: readonly string[];
  readonly rows: readonly Row[];
  readonly numbers: readonly Numbers[];
  /** `reason field` of each refused record. */
  readonly refused: readonly string[];
  readonly blank: number;
}

export function numbersOf(row: Row): Numbers {
  const names = ['input_uncached_tokens', 'input_cache_read_tokens', 'input_cache_write_tokens', 'output_tokens', 'reasoning_tokens'];
  return [...names.map((name) => row[name] ?? null), row['usage_source'], row['status']] as unknown as Numbers;
}

/** Text of a shared sample, or null with a printed reason. */
export function sampleText(name: string): string | null {
  const bytes = sharedFile(`formats/${name}`);
  return bytes === null ? null : new TextDecoder().decode(bytes);
}

/** Detection over all sources, and the result of the named source. */
export function readSample(source: string, text: string, changes: Partial<SourceContext> = {}): SampleResult {
  const named = sourceNamed(source);
  if (named === null) throw new Error(`no source is called ${source}`);
  const head = headOf(text);
  const isDocument = !text.trimStart().includes('\n{') && head.json !== undefined;
  const parsed = parseWith(named, text, changes, isDocument);
  return {
    detected: SOURCES.filter((candidate) => candidate.detect(head)).map((candidate) => candidate.name),
    rows: parsed.rows,
    numbers: parsed.rows.map(numbersOf),
    refused: parsed.quarantined.map(({ reason, field }) => `${reason} ${field}`),
    blank: parsed.counts.blank,
  };
}
