/** The token columns of one request: from totals that include their parts to disjoint classes (SPEC 3, FORMATS 0.1). */
import { FieldReader, type JsonObject } from './fields.ts';
import { kindOf } from './source.ts';

/** Counts as a source states them; null where it is silent. */
export interface StatedUsage {
  /** Prompt tokens. `cacheOutside` says whether cache reads and writes are in this number. */
  readonly input: number | null;
  readonly output: number | null;
  readonly cacheRead: number | null;
  readonly cacheWrite: number | null;
  readonly reasoning: number | null;
  readonly total: number | null;
  /** True where input counts only what the cache did not serve (Anthropic, Bedrock). */
  readonly cacheOutside?: boolean;
  /** Embeddings have no completion: a missing output is zero, not a fault. */
  readonly outputOptional?: boolean;
}

/** Names to report a fault under. */
export interface UsageFields {
  readonly input: string;
  readonly output: string;
  readonly total: string;
  readonly reasoning: string;
}

export interface TokenColumns {
  readonly input_uncached_tokens: number | null;
  readonly input_cache_read_tokens: number | null;
  readonly input_cache_write_tokens: number | null;
  readonly output_tokens: number | null;
  readonly reasoning_tokens: number | null;
  readonly usage_source: 'provider' | 'gateway_estimate' | 'absent';
}

/** Nobody counted: every class unknown, which is not zero. */
export const ABSENT_USAGE: TokenColumns = {
  input_uncached_tokens: null,
  input_cache_read_tokens: null,
  input_cache_write_tokens: null,
  output_tokens: null,
  reasoning_tokens: null,
  usage_source: 'absent',
};

/**
 * Disjoint classes of a stated usage. Units: tokens. Cache classes that the source does not state are 0 (all input is then uncached);
 * reasoning, a breakdown of output, stays null. No input, no output and no total above 0 is ABSENT_USAGE.
 * Errors, remembered in the reader: whatever `stated` finds; one of input and output missing → missing_field; more cache than input, more reasoning than output,
 * or a total that is not input + output → tokens_inconsistent.
 * Example: input 9126, cacheRead 4864, output 3197 → uncached 4262, read 4864, write 0, output 3197.
 */
export function tokenColumns(reader: FieldReader, stated: (counts: FieldReader) => StatedUsage, fields: UsageFields): TokenColumns {
  // A reader of its own: a count that is there but wrong must not be reported as missing.
  const counts = new FieldReader();
  const usage = stated(counts);
  if (counts.rejection !== null) {
    const { reason, field, found } = counts.rejection;
    reader.fail(reason, field ?? fields.input, found);
    return ABSENT_USAGE;
  }
  if (usage.input === null && usage.output === null && (usage.total ?? 0) === 0) return ABSENT_USAGE;
  const read = usage.cacheRead ?? 0;
  const write = usage.cacheWrite ?? 0;
  const input = usage.input ?? missing(reader, fields.input);
  const output = usage.output ?? (usage.outputOptional === true ? 0 : missing(reader, fields.output));
  const uncached = usage.cacheOutside === true ? input : input - read - write;
  if (uncached < 0) reader.fail('tokens_inconsistent', fields.input, `number ${uncached}`);
  if (usage.reasoning !== null && usage.reasoning > output)
    reader.fail('tokens_inconsistent', fields.reasoning, `number ${usage.reasoning}`);
  // A producer that keeps the cache outside may state either sum as its total.
  const sums = usage.cacheOutside === true ? [input + output, input + read + write + output] : [input + output];
  if (usage.total !== null && !sums.includes(usage.total)) reader.fail('tokens_inconsistent', fields.total, `number ${usage.total}`);
  return {
    input_uncached_tokens: uncached,
    input_cache_read_tokens: read,
    input_cache_write_tokens: write,
    output_tokens: output,
    reasoning_tokens: usage.reasoning,
    usage_source: 'provider',
  };
}

function missing(reader: FieldReader, field: string): number {
  reader.fail('missing_field', field, 'absent');
  return 0;
}

/**
 * One count that a source may state under several names; all that are stated must agree.
 * Example: cached_tokens 10 beside cache_read_input_tokens 10 → 10; 10 beside 4 → tokens_inconsistent.
 */
export function agreedCount(reader: FieldReader, places: readonly (readonly [JsonObject | null, string])[], path: string): number | null {
  let agreed: number | null = null;
  for (const [object, name] of places) {
    const n = reader.count(object?.[name], `${path}.${name}`);
    if (n === null) continue;
    if (agreed !== null && agreed !== n) return reader.fail('tokens_inconsistent', `${path}.${name}`, kindOf(n));
    agreed = n;
  }
  return agreed;
}

const DIGEST = /(?:^|@)(sha256:[0-9a-f]{64})$/;

/** The digest in `sha256:…` or `repository@sha256:…`; null for anything else, because a tag names no fixed image. */
export function imageDigest(value: unknown): string | null {
  return typeof value === 'string' ? (DIGEST.exec(value)?.[1] ?? null) : null;
}
