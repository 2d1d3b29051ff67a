/** Token counts of a LiteLLM record: the totals beside the provider's own usage object (FORMATS 0.1; LiteLLM issue 15945). */
import { child, type FieldReader, type JsonObject } from './fields.ts';
import { EMBEDDING_CALL, TOKEN_CALL } from './litellm-fields.ts';
import { kindOf } from './source.ts';
import { ABSENT_USAGE, agreedCount, type StatedUsage, type TokenColumns, tokenColumns } from './token-counts.ts';

const FIELDS = {
  input: 'prompt_tokens',
  output: 'completion_tokens',
  total: 'total_tokens',
  reasoning: 'usage_object.completion_tokens_details.reasoning_tokens',
};
/**
 * Disjoint token columns of one attempt. LiteLLM writes 0 where it found no usage: a successful token call with zero counts and no usage
 * object is absent. Errors, remembered in the reader: as tokenColumns; a usage object that contradicts prompt_tokens → tokens_inconsistent.
 */
export function litellmUsage(record: JsonObject, metadata: JsonObject | null, status: string | null, reader: FieldReader): TokenColumns {
  const object = child(metadata, 'usage_object') ?? child(record['hidden_params'], 'usage_object') ?? child(record['response'], 'usage');
  const callType = typeof record['call_type'] === 'string' ? record['call_type'] : '';
  const usage = tokenColumns(reader, (counts) => statedUsage(record, object, callType, counts), FIELDS);
  const nobodyCounted = object === null && status !== 'failure' && TOKEN_CALL.test(callType);
  return nobodyCounted && (usage.input_uncached_tokens ?? 0) + (usage.output_tokens ?? 0) === 0 ? ABSENT_USAGE : usage;
}

function statedUsage(record: JsonObject, object: JsonObject | null, callType: string, counts: FieldReader): StatedUsage {
  const promptDetails = child(object, 'prompt_tokens_details') ?? child(object, 'input_tokens_details');
  const outputDetails = child(object, 'completion_tokens_details') ?? child(object, 'output_tokens_details');
  const agreed = (...places: [JsonObject | null, string][]): number | null => agreedCount(counts, places, 'usage_object');
  const ownInput = agreed([object, 'prompt_tokens'], [object, 'input_tokens']);
  const ownOutput = agreed([object, 'completion_tokens'], [object, 'output_tokens']);
  const input = counts.count(record['prompt_tokens'], 'prompt_tokens') ?? ownInput;
  const cacheRead = agreed([promptDetails, 'cached_tokens'], [object, 'cache_read_input_tokens']);
  const cacheWrite = agreed(
    [promptDetails, 'cache_creation_tokens'],
    [promptDetails, 'cache_write_tokens'],
    [object, 'cache_creation_input_tokens'],
  );
  return {
    input,
    output: counts.count(record['completion_tokens'], 'completion_tokens') ?? ownOutput,
    cacheRead,
    cacheWrite,
    reasoning: counts.count(outputDetails?.['reasoning_tokens'], FIELDS.reasoning),
    total: counts.count(record['total_tokens'], 'total_tokens'),
    cacheOutside: isCacheOutside(object, input, ownInput, (cacheRead ?? 0) + (cacheWrite ?? 0), counts),
    outputOptional: EMBEDDING_CALL.test(callType),
  };
}

/**
 * Whether `prompt_tokens` leaves the cached tokens out. LiteLLM includes them; a native Anthropic usage object (`input_tokens` beside
 * top-level cache fields) does not, and then the proxy's prompt_tokens tells which of the two it copied.
 */
function isCacheOutside(object: JsonObject | null, input: number | null, own: number | null, cached: number, reader: FieldReader): boolean {
  if (object === null || own === null || input === null || cached === 0) return false;
  const native = 'input_tokens' in object && ('cache_read_input_tokens' in object || 'cache_creation_input_tokens' in object);
  if (input === own) return native;
  if (input !== own + cached) reader.fail('tokens_inconsistent', 'usage_object.prompt_tokens', kindOf(own));
  return false;
}
