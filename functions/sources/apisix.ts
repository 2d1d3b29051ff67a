/**
 * Apache APISIX ai-proxy and ai-proxy-multi: log entries with `llm_summary` (`logging.summaries`), or access logs with the same values as
 * variables `llm_…`. One entry is one request; instances tried before are inside. Key: request id and start, because the request-id plugin keeps an id
 * that the caller sent, and a repeated one must not hide a request.
 * - Every count starts at '0', also after an upstream error: nothing counted is absent.
 * - prompt_tokens includes cached tokens where clients speak the OpenAI protocol and leaves them out on Anthropic's; the log does not say
 *   which, so `client_protocol` does (default openai). A total or a cache count that contradicts it refuses the row.
 * - `end_user_id` is written by the caller and never names the payer: the APISIX consumer does.
 * - An entry without any llm value is absent; `request_type: traditional_http`, and with `ai_routes` every route not listed, is blank.
 * Source: FORMATS A5, 0.1, 0.2; apisix/plugins/ai-proxy/base.lua, apisix/utils/log-util.lua.
 */
import { accessTime, firstAt, firstRecord, httpStatus, isBlankValue, listItems, looseCount, textAt, zeroIsAbsent } from './access-log.ts';
import { child, FieldReader, isObject, type JsonObject } from './fields.ts';
import { type Options, readOptions } from './options.ts';
import { type Head, kindOf, type Outcome, type Row, reject, type Source, type SourceContext } from './source.ts';
import { imageDigest, type TokenColumns, tokenColumns } from './token-counts.ts';

const NAME = 'apisix';
const DEFAULT_TENANT = ['consumer.username', 'consumer_name'] as const;
/** Written by the caller, or prompt text. */
const NEVER_PAYER = ['user', 'end_user_id', 'llm_end_user_id', 'llm_request', 'llm_response_text', 'messages', 'content', 'body'] as const;
/** Ids made by the gateway first; the header last. */
const KEY_PATHS = [
  'apisix_request_id',
  'request_id',
  'response.headers.x-request-id',
  'request.headers.x-request-id',
  'x_request_id',
] as const;
/** The full entry has the start in ms; a custom format has what its author chose. */
const TIME_PATHS = ['start_time', 'msec', '@timestamp', 'time_iso8601', 'timestamp'] as const;
const STATUS_PATHS = ['response.status', 'status'] as const;

const SUMMARY = /"llm_summary"\s*:\s*\{/;

/** Ordinary requests have no summary, so any entry in the head may show it; inside a prompt its quotes are escaped. */
function looksLikeApisix(head: Head): boolean {
  if (head.json === undefined) return /^\s*[[{]/.test(head.text) && SUMMARY.test(head.text);
  const first = firstRecord(head);
  if (first === null) return false;
  return 'llm_summary' in first || 'llm_prompt_tokens' in first || ('route_id' in first && SUMMARY.test(head.text));
}

/**
 * Source `apisix`. Options: `client_protocol` (openai | anthropic), `tenant_from`, `key_field`, `time_field` (paths),
 * `ai_routes` (route ids), `model_from` (response | request).
 */
export const apisix: Source = {
  name: NAME,
  fact: 'token_usage',
  framing: 'json',
  independentLines: true,
  detect: looksLikeApisix,
  units: listItems,
  open(context) {
    const options = readOptions(NAME, context, {
      client_protocol: { kind: 'one', of: ['openai', 'anthropic'] },
      tenant_from: { kind: 'names', of: null, never: NEVER_PAYER },
      key_field: { kind: 'text' },
      time_field: { kind: 'text' },
      ai_routes: { kind: 'names', of: null },
      model_from: { kind: 'one', of: ['response', 'request'] },
    });
    return {
      parse(record, _place, emit): Outcome {
        if (!isObject(record)) return reject('wrong_shape', null, kindOf(record));
        if (!isModelCall(record, options.names('ai_routes', []))) return 'blank';
        const reader = new FieldReader();
        const row = readRow(record, context, options, reader);
        if (reader.rejection !== null) return reader.rejection;
        emit(row);
        return 'valid';
      },
    };
  },
};

/** A value of the summary, or of the access-log variable with the same meaning. */
function llm(record: JsonObject, name: string): unknown {
  const summary = child(record, 'llm_summary');
  if (!isBlankValue(summary?.[name])) return summary?.[name];
  return record[name === 'request_model' ? 'request_llm_model' : `llm_${name}`];
}

function isModelCall(record: JsonObject, routes: readonly string[]): boolean {
  const type = child(record, 'llm_summary')?.['request_type'] ?? record['request_type'];
  const counted = ['prompt_tokens', 'completion_tokens'].some(
    (name) => !isBlankValue(llm(record, name)) && Number(llm(record, name)) !== 0,
  );
  if (counted) return true;
  if (type === 'traditional_http') return false;
  return routes.length === 0 || child(record, 'llm_summary') !== null || routes.some((id) => id === record['route_id']);
}

function readRow(record: JsonObject, context: SourceContext, options: Options, reader: FieldReader): Row {
  const requested = modelName(reader, record, 'request_model');
  const served = modelName(reader, record, 'model');
  const byRequest = options.text('model_from') === 'request';
  const timeField = options.text('time_field');
  const eventAtMs = accessTime(reader, firstAt(record, timeField === null ? TIME_PATHS : [timeField]), context.zone);
  return {
    native_id: keyOf(record, options.text('key_field'), eventAtMs, reader),
    event_at_ms: eventAtMs,
    tenant_key: textAt(reader, record, options.names('tenant_from', DEFAULT_TENANT)),
    site_id: context.siteId,
    model: byRequest ? (requested ?? served) : (served ?? requested),
    model_alias: requested,
    image_digest: imageDigest(record['image_digest']),
    ...usageOf(record, options.text('client_protocol') === 'anthropic', reader),
    status: httpStatus(reader, firstAt(record, STATUS_PATHS)),
    attempt_group: null,
  };
}

function modelName(reader: FieldReader, record: JsonObject, name: string): string | null {
  const value = llm(record, name);
  return isBlankValue(value) ? null : reader.text(value, `llm_summary.${name}`);
}

/** The operator's own key field is taken as unique; an id of the gateway is made so by the start. */
function keyOf(record: JsonObject, field: string | null, eventAtMs: number | null, reader: FieldReader): string | null {
  if (field !== null) return textAt(reader, record, [field]) ?? reader.fail('empty_key', field, 'absent');
  const id = textAt(reader, record, KEY_PATHS);
  return id === null ? reader.fail('empty_key', 'request_id', 'absent') : `${id}|${eventAtMs}`;
}

const FIELDS = {
  input: 'llm_summary.prompt_tokens',
  output: 'llm_summary.completion_tokens',
  total: 'llm_summary.total_tokens',
  reasoning: 'llm_summary.reasoning_tokens',
};

function usageOf(record: JsonObject, cacheOutside: boolean, reader: FieldReader): TokenColumns {
  const usage = tokenColumns(
    reader,
    (counts) => {
      const count = (name: string): number | null => looseCount(counts, llm(record, name), `llm_summary.${name}`);
      return {
        input: count('prompt_tokens'),
        output: count('completion_tokens'),
        cacheRead: count('cache_read_input_tokens'),
        cacheWrite: count('cache_creation_input_tokens'),
        reasoning: count('reasoning_tokens'),
        // The default 0 of a total that nobody set says nothing.
        total: count('total_tokens') || null,
        cacheOutside,
      };
    },
    FIELDS,
  );
  return zeroIsAbsent(usage);
}
