/** The response body of an OpenAI-style API inside a log record, and its token counts (FORMATS A8, 0.1). */
import { child, type FieldReader, isObject, type JsonObject } from './fields.ts';
import { kindOf, type Rejection, reject } from './source.ts';
import { ABSENT_USAGE, agreedCount, type TokenColumns, tokenColumns } from './token-counts.ts';

const BODY_OBJECTS = /^(?:chat\.completion(?:\.chunk)?|text_completion|response|list)$/;
const FIELDS = {
  input: 'usage.prompt_tokens',
  output: 'usage.completion_tokens',
  total: 'usage.total_tokens',
  reasoning: 'usage.completion_tokens_details.reasoning_tokens',
};

/** The response body inside a record: the first place that holds a usage, an error or a known object name. */
export function bodyOf(record: JsonObject): JsonObject {
  const response = child(record, 'response');
  for (const place of [record, child(response, 'body'), response, child(record, 'body')]) {
    if (place !== null && (isObject(place['usage']) || isBodyObject(place))) return place;
  }
  return child(response, 'body') ?? response ?? child(record, 'body') ?? record;
}

/** True for an OpenAI object name or an Anthropic message. */
export function isBodyObject(value: JsonObject): boolean {
  return (typeof value['object'] === 'string' && BODY_OBJECTS.test(value['object'])) || value['type'] === 'message';
}

/** Buckets and unfinished stream chunks; null for a body that can be a request. */
export function refusedShape(body: JsonObject): Rejection | null {
  const object = body['object'];
  if (object === undefined || object === null) return null;
  if (typeof object !== 'string') return reject('wrong_type', 'object', kindOf(object));
  if (!BODY_OBJECTS.test(object)) return reject('wrong_shape', 'object', kindOf(object));
  if (object !== 'chat.completion.chunk') return null;
  const choices = Array.isArray(body['choices']) ? body['choices'] : [];
  const finished = choices.every((choice) => isObject(choice) && typeof choice['finish_reason'] === 'string');
  return isObject(body['usage']) && finished ? null : reject('wrong_shape', 'object', 'unfinished stream chunk');
}

/** Disjoint token columns of a body; a null or missing `usage` is absent. Errors, remembered in the reader: as tokenColumns. */
export function bodyUsage(body: JsonObject, reader: FieldReader): TokenColumns {
  const usage = body['usage'];
  if (usage === undefined || usage === null) return ABSENT_USAGE;
  if (!isObject(usage)) {
    reader.fail('wrong_type', 'usage', kindOf(usage));
    return ABSENT_USAGE;
  }
  const inputDetails = child(usage, 'prompt_tokens_details') ?? child(usage, 'input_tokens_details');
  const outputDetails = child(usage, 'completion_tokens_details') ?? child(usage, 'output_tokens_details');
  return tokenColumns(
    reader,
    (counts) => ({
      input: agreedCount(
        counts,
        [
          [usage, 'prompt_tokens'],
          [usage, 'input_tokens'],
        ],
        'usage',
      ),
      output: agreedCount(
        counts,
        [
          [usage, 'completion_tokens'],
          [usage, 'output_tokens'],
        ],
        'usage',
      ),
      cacheRead: agreedCount(
        counts,
        [
          [inputDetails, 'cached_tokens'],
          [usage, 'prompt_cache_hit_tokens'],
          [usage, 'cache_read_input_tokens'],
        ],
        'usage',
      ),
      cacheWrite: agreedCount(
        counts,
        [
          [inputDetails, 'cache_write_tokens'],
          [inputDetails, 'cache_creation_input_tokens'],
          [usage, 'cache_creation_input_tokens'],
        ],
        'usage',
      ),
      reasoning: agreedCount(counts, [[outputDetails, 'reasoning_tokens']], 'usage.completion_tokens_details'),
      total: counts.count(usage['total_tokens'], 'usage.total_tokens'),
      cacheOutside: body['type'] === 'message',
      outputOptional: body['object'] === 'list',
    }),
    FIELDS,
  );
}
