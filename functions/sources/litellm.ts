/**
 * LiteLLM proxy logs: StandardLoggingPayload objects (S3, GCS) and spend-log rows (database dump, pub/sub).
 * One record is one attempt. Key: litellm_call_id, else id and start in microseconds (a cache hit repeats the id).
 * LiteLLM writes 0 tokens when it found no usage, and its own count when a stream carried none; nothing marks the latter, so it is `provider`.
 * Source: FORMATS A1, 0.1, 0.2; litellm/types/utils.py StandardLoggingPayload.
 */
import { epochMicros, epochOrIso, isNumeric } from './epoch.ts';
import { child, FieldReader, isObject, type JsonObject } from './fields.ts';
import { DEFAULT_TENANT, LITELLM_OPTIONS, TENANT_NAMES, tenantField } from './litellm-fields.ts';
import { litellmOrdinary } from './litellm-ordinary.ts';
import { litellmUsage } from './litellm-usage.ts';
import { type Options, readOptions } from './options.ts';
import { type Head, kindOf, type Outcome, type Row, reject, type Source, type SourceContext } from './source.ts';
import { imageDigest } from './token-counts.ts';

const NAME = 'litellm';
const TENANT_FIELDS = TENANT_NAMES.map((name) => `metadata.${tenantField(name)}`);

/** Everything that is read below; prompts, responses and prices are not among them. */
const FIELDS_READ: readonly string[] = [
  ...['id', 'request_id', 'litellm_call_id', 'trace_id', 'call_type', 'status', 'cache_hit', 'startTime', 'model', 'model_group'],
  ...['prompt_tokens', 'completion_tokens', 'total_tokens', 'team_id', 'organization_id', 'api_key'],
  ...TENANT_FIELDS,
  ...['metadata.user_api_key', 'metadata.status', 'metadata.usage_object'],
  ...[
    'metadata.model_info.image_digest',
    'metadata.spend_logs_metadata.image_digest',
    'model_map_information.model_map_value.image_digest',
  ],
  ...['hidden_params.usage_object', 'response.usage'],
];

function looksLikeLitellm(head: Head): boolean {
  if (head.json === undefined) {
    // One payload with its prompts can exceed the head; quotes inside prompts are escaped and cannot match.
    return /^\s*[[{]/.test(head.text) && /"call_type"\s*:/.test(head.text) && /"startTime"\s*:/.test(head.text);
  }
  const first = Array.isArray(head.json) ? head.json[0] : head.json;
  return isObject(first) && 'call_type' in first && 'startTime' in first;
}

/** Source `litellm`. Options: `tenant_from` (list, first non-empty wins), `model_from` (model | model_group). */
export const litellm: Source = {
  name: NAME,
  fact: 'token_usage',
  framing: 'json',
  fields: FIELDS_READ,
  independentLines: true,
  ordinary: litellmOrdinary,
  detect: looksLikeLitellm,
  units: (value) => (Array.isArray(value) ? value : null),
  open(context) {
    const options = readOptions(NAME, context, LITELLM_OPTIONS);
    return {
      parse(record, _place, emit): Outcome {
        const row = readRecord(record, context, options);
        if ('reason' in row) return row;
        emit(row.row);
        return 'valid';
      },
    };
  },
};

function readRecord(record: unknown, context: SourceContext, options: Options): { row: Row } | Exclude<Outcome, string> {
  if (!isObject(record)) return reject('wrong_shape', null, kindOf(record));
  if (!('startTime' in record)) return reject('wrong_shape', 'startTime', 'absent');
  const reader = new FieldReader();
  const metadata = metadataOf(record, reader);
  const eventAtMs = epochOrIso(reader, record['startTime'], 'startTime', context.zone);
  const status = statusOf(record, metadata, reader);
  const usage = litellmUsage(record, metadata, status, reader);
  const model = reader.text(record['model'], 'model');
  const group = reader.text(record['model_group'], 'model_group');
  const row: Row = {
    native_id: nativeId(record, eventAtMs, reader),
    event_at_ms: eventAtMs,
    tenant_key: tenantOf(record, metadata, options.names('tenant_from', DEFAULT_TENANT), reader),
    site_id: context.siteId,
    model: options.text('model_from') === 'model_group' ? (group ?? model) : model,
    model_alias: group,
    image_digest: digestOf(record, metadata),
    ...usage,
    status,
    attempt_group: reader.text(record['trace_id'], 'trace_id'),
  };
  return reader.rejection ?? { row };
}

/** An object in payloads, JSON text in spend rows. */
function metadataOf(record: JsonObject, reader: FieldReader): JsonObject | null {
  const value = record['metadata'];
  if (value === undefined || value === null || value === '') return null;
  if (isObject(value)) return value;
  if (typeof value !== 'string') return reader.fail('wrong_type', 'metadata', kindOf(value));
  try {
    const parsed: unknown = JSON.parse(value);
    if (parsed === null) return null;
    return isObject(parsed) ? parsed : reader.fail('wrong_type', 'metadata', kindOf(parsed));
  } catch {
    return reader.fail('invalid_json', 'metadata', kindOf(value));
  }
}

function nativeId(record: JsonObject, eventAtMs: number | null, reader: FieldReader): string | null {
  const callId = reader.text(record['litellm_call_id'], 'litellm_call_id');
  if (callId !== null) return callId;
  const id = reader.text(record['id'], 'id') ?? reader.text(record['request_id'], 'request_id');
  if (id === null) return reader.fail('empty_key', 'id', kindOf(record['id'] ?? record['request_id']));
  return eventAtMs === null ? null : `${id}|${startMicros(record['startTime'], eventAtMs)}`;
}

/** Microseconds, so that the number and the text of one start give one key. */
function startMicros(value: unknown, eventAtMs: number): number {
  if (isNumeric(value)) return epochMicros(value, 's') ?? eventAtMs * 1000;
  const fraction = /[.,](\d+)/.exec(String(value))?.[1] ?? '';
  return eventAtMs * 1000 + Number(fraction.padEnd(6, '0').slice(3, 6));
}

function statusOf(record: JsonObject, metadata: JsonObject | null, reader: FieldReader): 'success' | 'failure' | 'cache_hit' | null {
  // Rows written before the field existed are successes: failures were not logged then.
  const status = record['status'] ?? metadata?.['status'] ?? 'success';
  if (status === 'failure') return 'failure';
  if (status !== 'success') return reader.fail('unknown_state', 'status', kindOf(status));
  const hit = record['cache_hit'];
  return hit === true || (typeof hit === 'string' && hit.toLowerCase() === 'true') ? 'cache_hit' : 'success';
}

function tenantOf(record: JsonObject, metadata: JsonObject | null, names: readonly string[], reader: FieldReader): string | null {
  for (const name of names) {
    const field = tenantField(name);
    const value = metadata?.[field] || spendRowValue(record, metadata, name);
    const text = reader.text(value, `metadata.${field}`);
    // A raw key is a secret: only its hash may be stored.
    if (text !== null && !text.startsWith('sk-')) return text;
  }
  return null;
}

function spendRowValue(record: JsonObject, metadata: JsonObject | null, name: string): unknown {
  if (name === 'team_id') return record['team_id'];
  if (name === 'org_id') return record['organization_id'];
  if (name === 'key_hash') return metadata?.['user_api_key'] || record['api_key'];
  return null;
}

/** Operator-written places first; `requester_metadata` is left out because callers write it. */
function digestOf(record: JsonObject, metadata: JsonObject | null): string | null {
  const places = [
    child(metadata, 'model_info'),
    child(child(record, 'model_map_information'), 'model_map_value'),
    child(metadata, 'spend_logs_metadata'),
  ];
  for (const place of places) {
    const digest = imageDigest(place?.['image_digest']);
    if (digest !== null) return digest;
  }
  return null;
}
