/** Token counts of a New API or One API row: prompt_tokens means two things, and some counts are the gateway's own (FORMATS A9, 0.1, 0.2). */
import { looseCount, zeroIsAbsent } from './access-log.ts';
import { child, type FieldReader, type JsonObject } from './fields.ts';
import { type TokenColumns, tokenColumns } from './token-counts.ts';

const FIELDS = { input: 'prompt_tokens', output: 'completion_tokens', total: 'other', reasoning: 'other' };
/** New API's remark on a row whose usage never came: it bills the prompt that it estimated before the call. */
const ESTIMATED_REMARK = '可能是请求出错';

/**
 * Disjoint token columns of one row. Cached tokens are inside prompt_tokens, but outside for Claude-format calls (`other.claude`,
 * newer: `other.usage_semantic` anthropic); One API records none. Counts made by the gateway (`admin_info.local_count_tokens`, or the remark of a missing usage) are
 * gateway_estimate; 0 beside 0 is absent. Errors, remembered in the reader: as tokenColumns; cache writes of 5 minutes and 1 hour above their
 * sum → tokens_inconsistent.
 */
export function newApiUsage(record: JsonObject, other: JsonObject | null, reader: FieldReader): TokenColumns {
  const usage = tokenColumns(
    reader,
    (counts) => ({
      input: looseCount(counts, record['prompt_tokens'], FIELDS.input),
      output: looseCount(counts, record['completion_tokens'], FIELDS.output),
      cacheRead: looseCount(counts, other?.['cache_tokens'], 'other.cache_tokens'),
      cacheWrite: cacheWrites(other, counts),
      reasoning: null,
      total: null,
      cacheOutside: other?.['claude'] === true || other?.['usage_semantic'] === 'anthropic',
    }),
    FIELDS,
  );
  const remark = record['content'];
  const estimated =
    child(other, 'admin_info')?.['local_count_tokens'] === true || (typeof remark === 'string' && remark.includes(ESTIMATED_REMARK));
  const counted = zeroIsAbsent(usage);
  return estimated && counted.usage_source === 'provider' ? { ...counted, usage_source: 'gateway_estimate' } : counted;
}

/** The sum as stated, else the sum of its two lifetimes. */
function cacheWrites(other: JsonObject | null, counts: FieldReader): number | null {
  const read = (name: string): number | null => looseCount(counts, other?.[name], `other.${name}`);
  const short = read('cache_creation_tokens_5m');
  const long = read('cache_creation_tokens_1h');
  const sum = short === null && long === null ? null : (short ?? 0) + (long ?? 0);
  const stated = read('cache_write_tokens') ?? read('cache_creation_tokens');
  if (stated === null) return sum;
  if (sum !== null && sum > stated) return counts.fail('tokens_inconsistent', 'other.cache_creation_tokens', `number ${stated}`);
  return stated;
}
