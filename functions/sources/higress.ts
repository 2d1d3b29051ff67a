/**
 * Higress ai-statistics: Envoy access-log lines whose `ai_log` is JSON inside a JSON string; its details are JSON strings again. The line
 * comes from a text template, so every value is a string and `-` means none; bare numbers are read too. Key: request_id.
 * - A record without `ai_log` called no model and is blank; one without token attributes is absent.
 * - Cached tokens are inside input_token on OpenAI protocols. On the Anthropic protocol they are outside, and then total_token is the sum
 *   of all four: a total that is not input + output tells. Gemini's thoughts and tool prompts are outside too, and told by the total as well.
 * - The payer is the `consumer` attribute (header x-mse-consumer), where the operator configured it; `tenant_from` names another.
 * Source: FORMATS A4, 0.1, 0.2; alibaba/higress plugins/wasm-go/extensions/ai-statistics/README.md; higress-group/wasm-go pkg/tokenusage.
 */
import { accessTime, firstAt, firstRecord, httpStatus, isBlankValue, listItems, textAt } from './access-log.ts';
import { FieldReader, isObject, type JsonObject } from './fields.ts';
import { higressUsage } from './higress-usage.ts';
import { parsedObject } from './nested-json.ts';
import { type Options, readOptions } from './options.ts';
import { type Head, kindOf, type Outcome, type Row, reject, type Source, type SourceContext } from './source.ts';
import { imageDigest } from './token-counts.ts';

const NAME = 'higress';
const DEFAULT_TENANT = ['consumer'] as const;
/** Prompt text, and what callers write themselves. */
const NEVER_PAYER = [
  'question',
  'answer',
  'messages',
  'reasoning',
  'tool_calls',
  'session_id',
  'chat_id',
  'user',
  'user_agent',
  'x_forwarded_for',
] as const;
/** What the plugin writes where no model was named. */
const UNKNOWN_MODEL = 'unknown';

function looksLikeHigress(head: Head): boolean {
  if (head.json === undefined) return /^\s*[[{]/.test(head.text) && /"ai_log"\s*:/.test(head.text);
  const first = firstRecord(head);
  return first !== null && 'ai_log' in first;
}

/** Source `higress`. Options: `tenant_from` (attributes of ai_log, then fields of the line), `key_field`, `time_field` (field of the line). */
export const higress: Source = {
  name: NAME,
  fact: 'token_usage',
  framing: 'json',
  independentLines: true,
  detect: looksLikeHigress,
  units: listItems,
  open(context) {
    const options = readOptions(NAME, context, {
      tenant_from: { kind: 'names', of: null, never: NEVER_PAYER },
      key_field: { kind: 'text' },
      time_field: { kind: 'text' },
    });
    return {
      parse(record, _place, emit): Outcome {
        if (!isObject(record)) return reject('wrong_shape', null, kindOf(record));
        if (isBlankValue(record['ai_log'])) return 'blank';
        const reader = new FieldReader();
        const log = parsedObject(reader, record['ai_log'], 'ai_log');
        if (log === null) return reader.rejection ?? 'blank';
        if (Object.keys(log).length === 0) return 'blank';
        const row = readRow(record, log, context, options, reader);
        if (reader.rejection !== null) return reader.rejection;
        emit(row);
        return 'valid';
      },
    };
  },
};

function readRow(record: JsonObject, log: JsonObject, context: SourceContext, options: Options, reader: FieldReader): Row {
  const keyField = options.text('key_field') ?? 'request_id';
  const timeField = options.text('time_field') ?? 'start_time';
  const model = textAt(reader, log, ['model']);
  const requested = textAt(reader, log, ['request_model']);
  const payers = options.names('tenant_from', DEFAULT_TENANT);
  const status = httpStatus(reader, firstAt(record, ['response_code']));
  return {
    native_id: textAt(reader, record, [keyField]) ?? reader.fail('empty_key', keyField, 'absent'),
    event_at_ms: accessTime(reader, firstAt(record, [timeField]), context.zone),
    tenant_key: textAt(reader, log, payers) ?? textAt(reader, record, payers),
    site_id: context.siteId,
    model: model === UNKNOWN_MODEL ? requested : (model ?? requested),
    model_alias: requested,
    image_digest: imageDigest(log['image_digest']) ?? imageDigest(record['image_digest']),
    ...higressUsage(log, reader),
    status: status === 'success' && log['cache_status'] === 'hit' ? 'cache_hit' : status,
    attempt_group: textAt(reader, record, ['trace_id']),
  };
}
