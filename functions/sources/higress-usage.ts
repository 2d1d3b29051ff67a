/** Token counts of a Higress ai_log: one set of attribute names for providers that mean different things by them (FORMATS 0.1, A4). */
import { isBlankValue, looseCount } from './access-log.ts';
import type { FieldReader, JsonObject } from './fields.ts';
import { parsedObject } from './nested-json.ts';
import { kindOf } from './source.ts';
import { type StatedUsage, type TokenColumns, tokenColumns } from './token-counts.ts';

const FIELDS = {
  input: 'ai_log.input_token',
  output: 'ai_log.output_token',
  total: 'ai_log.total_token',
  reasoning: 'ai_log.reasoning_tokens',
};

/**
 * Disjoint token columns of one ai_log. Errors, remembered in the reader: as tokenColumns; details that are no JSON → invalid_json;
 * two names of one count that disagree → tokens_inconsistent.
 * Example: input 50, output 30, read 200, write 100, total 380 → uncached 50; total 80 with cached 20 → uncached 30.
 */
export function higressUsage(log: JsonObject, reader: FieldReader): TokenColumns {
  return tokenColumns(reader, (counts) => statedUsage(log, counts), FIELDS);
}

function statedUsage(log: JsonObject, counts: FieldReader): StatedUsage {
  const inputDetails = parsedObject(counts, log['input_token_details'], 'ai_log.input_token_details');
  const outputDetails = parsedObject(counts, log['output_token_details'], 'ai_log.output_token_details');
  const stated = (...places: [JsonObject | null, string][]): number | null => agreed(counts, places);
  const input = looseCount(counts, log['input_token'], FIELDS.input);
  const output = looseCount(counts, log['output_token'], FIELDS.output);
  const total = looseCount(counts, log['total_token'], FIELDS.total);
  const cacheRead = stated(
    [log, 'cached_tokens'],
    [inputDetails, 'cached_tokens'],
    [inputDetails, 'cache_read_input_tokens'],
    [inputDetails, 'cached_content_token_count'],
  );
  const cacheWrite = stated([inputDetails, 'cache_creation_input_tokens'], [inputDetails, 'cache_write_tokens']);
  const thoughts = stated([outputDetails, 'thoughts_token_count']);
  const toolPrompt = stated([inputDetails, 'tool_use_prompt_token_count']);
  const reasoning = stated([log, 'reasoning_tokens'], [outputDetails, 'reasoning_tokens']);
  if (input !== null && output !== null && total !== null && total === input + output + (thoughts ?? 0) + (toolPrompt ?? 0)) {
    // Gemini counts thoughts and tool prompts beside the two; zero of both is the plain OpenAI case.
    return {
      input: input + (toolPrompt ?? 0),
      output: output + (thoughts ?? 0),
      cacheRead,
      cacheWrite,
      reasoning: reasoning ?? thoughts,
      total,
    };
  }
  const cacheOutside = total !== null && total !== (input ?? 0) + (output ?? 0);
  return { input, output, cacheRead, cacheWrite, reasoning: reasoning ?? thoughts, total, cacheOutside };
}

/** One count under several names: all that are stated agree. */
function agreed(counts: FieldReader, places: readonly (readonly [JsonObject | null, string])[]): number | null {
  let found: number | null = null;
  for (const [object, name] of places) {
    if (isBlankValue(object?.[name])) continue;
    const n = looseCount(counts, object?.[name], `ai_log.${name}`);
    if (found !== null && n !== null && n !== found) return counts.fail('tokens_inconsistent', `ai_log.${name}`, kindOf(n));
    found = n;
  }
  return found;
}
