/**
 * A request log whose records hold an OpenAI-style response body with `usage`: Chat Completions, Completions, Responses, Embeddings and
 * their compatible servers (vLLM, SGLang, DeepSeek). The body is the record itself or its child `response` / `body` / `response.body`.
 * Cached tokens are inside prompt_tokens; an Anthropic Messages body (`type: message`) is read with its own meaning: outside.
 * Of a stream only the assembled response or its last, usage-bearing chunk is a record: earlier chunks are refused, because servers that repeat
 * a running usage in each chunk would bill the first. Organisation usage buckets are sums without a request id and are refused.
 * Source: FORMATS A8, 0.1; openai-node src/resources/completions.ts.
 */
import { epochOrIso } from './epoch.ts';
import { child, FieldReader, isObject, type JsonObject } from './fields.ts';
import { bodyOf, bodyUsage, isBodyObject, refusedShape } from './openai-body.ts';
import { atPath, type Options, readOptions } from './options.ts';
import { type Head, kindOf, type Outcome, type Row, reject, type Source, type SourceContext } from './source.ts';
import { imageDigest } from './token-counts.ts';

const NAME = 'openai-usage';
/** What gateways and servers call the payer; `user` and `safety_identifier` are written by the caller. */
const DEFAULT_TENANT = ['tenant', 'tenant_id', 'team', 'team_id', 'project_id', 'api_key_id'] as const;
/** Wrapper fields that hold the time when the body has none (embeddings). */
const WRAPPER_TIMES = ['timestamp', 'time', 'start_time'] as const;
const BODY_START = /"object"\s*:\s*"(?:chat\.completion|text_completion|response)"/;
function looksLikeOpenai(head: Head): boolean {
  if (head.json === undefined) {
    return /^\s*[[{]/.test(head.text) && BODY_START.test(head.text) && !/"call_type"\s*:/.test(head.text);
  }
  const first = Array.isArray(head.json) ? head.json[0] : head.json;
  if (!isObject(first) || 'call_type' in first) return false;
  const body = bodyOf(first);
  const usage = child(body, 'usage');
  const counts = usage !== null && ['prompt_tokens', 'input_tokens'].some((name) => typeof usage[name] === 'number');
  return isBodyObject(body) ? 'model' in body && ('usage' in body || 'choices' in body || 'output' in body) : counts && 'model' in body;
}

/** Source `openai-usage`. Options: `tenant_from` (paths in the record), `time_field` and `key_field` (path), `model_from` (response | request). */
export const openaiUsage: Source = {
  name: NAME,
  fact: 'token_usage',
  framing: 'json',
  independentLines: true,
  detect: looksLikeOpenai,
  units: (value) => (Array.isArray(value) ? value : null),
  open(context) {
    const options = readOptions(NAME, context, {
      tenant_from: { kind: 'names', of: null, never: ['user', 'end_user', 'safety_identifier'] },
      time_field: { kind: 'text' },
      key_field: { kind: 'text' },
      model_from: { kind: 'one', of: ['response', 'request'] },
    });
    return {
      parse(record, _place, emit): Outcome {
        if (!isObject(record)) return reject('wrong_shape', null, kindOf(record));
        const body = bodyOf(record);
        const unreadable = refusedShape(body);
        if (unreadable !== null) return unreadable;
        const reader = new FieldReader();
        const row = readRow(record, body, context, options, reader);
        if (reader.rejection !== null) return reader.rejection;
        emit(row);
        return 'valid';
      },
    };
  },
};

function readRow(record: JsonObject, body: JsonObject, context: SourceContext, options: Options, reader: FieldReader): Row {
  const requested = reader.text(child(record, 'request')?.['model'], 'request.model');
  const responded = reader.text(body['model'], 'model');
  const byRequest = options.text('model_from') === 'request';
  return {
    native_id: keyOf(record, body, options, reader),
    event_at_ms: timeOf(record, body, options, context, reader),
    tenant_key: tenantOf(record, options.names('tenant_from', DEFAULT_TENANT), reader),
    site_id: context.siteId,
    model: byRequest ? (requested ?? responded) : (responded ?? requested),
    model_alias: requested,
    image_digest: imageDigest(record['image_digest']),
    ...bodyUsage(body, reader),
    status: statusOf(record, body, reader),
    attempt_group: null,
  };
}

function keyOf(record: JsonObject, body: JsonObject, options: Options, reader: FieldReader): string | null {
  const field = options.text('key_field');
  const values = field === null ? [body['id'], record['request_id'], child(record, 'response')?.['request_id']] : [atPath(record, field)];
  for (const value of values) {
    const text = reader.text(value, field ?? 'id');
    if (text !== null) return text;
  }
  return reader.fail('empty_key', field ?? 'id', kindOf(values[0]));
}

function timeOf(record: JsonObject, body: JsonObject, options: Options, context: SourceContext, reader: FieldReader): number | null {
  const field = options.text('time_field');
  if (field !== null) return epochOrIso(reader, atPath(record, field), field, context.zone);
  for (const name of ['created', 'created_at'] as const) {
    if (body[name] !== undefined && body[name] !== null) return epochOrIso(reader, body[name], name, context.zone);
  }
  for (const name of WRAPPER_TIMES) {
    if (record[name] !== undefined && record[name] !== null) return epochOrIso(reader, record[name], name, context.zone);
  }
  return reader.fail('missing_field', 'created', 'absent');
}

function tenantOf(record: JsonObject, names: readonly string[], reader: FieldReader): string | null {
  for (const name of names) {
    const text = reader.text(atPath(record, name), name);
    if (text !== null) return text;
  }
  return null;
}

function statusOf(record: JsonObject, body: JsonObject, reader: FieldReader): 'success' | 'failure' | null {
  const code = child(record, 'response')?.['status_code'] ?? record['status_code'];
  if (typeof code === 'number' && code >= 400) return 'failure';
  if ((body['error'] ?? null) !== null || (record['error'] ?? null) !== null) return 'failure';
  const status = body['object'] === 'response' ? (body['status'] ?? 'completed') : 'completed';
  if (status === 'completed' || status === 'incomplete') return 'success';
  if (status === 'failed' || status === 'cancelled') return 'failure';
  // queued and in_progress have no usage yet; the finished response comes under the same id.
  return reader.fail('unknown_state', 'status', kindOf(status));
}
