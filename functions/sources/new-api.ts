/**
 * New API and One API: rows of the `logs` table, as JSON lines or as answers of /api/log/ ({data: […]}, {data: {items: […]}}).
 * One row is one settled request, timed at its settlement. Key: (instance, id): `instance` names the installation, by default the site; two
 * installations on one site need a name each, or their ids meet.
 * - Types: 2 consumes. 1 top-up, 3 manage, 4 system and 6 refund use no model and are blank. 5 is an error in New API (a failure), but a channel
 *   test in One API (not billable): `dialect` says which.
 * - A consume row with quota and no tokens is a call priced as a whole or a re-settlement of one, up or down: no tokens, not billable.
 *   Without quota either, nobody counted: absent.
 * - Usage: functions/sources/new-api-usage.ts. Quota is the gateway's own price and is not stored.
 * - /api/log/self and /api/log/token give ids modulo 1024 (New API) or 0 (One API), which are no keys. They also leave
 *   `other.admin_info` out, so in New API an id below 1024 without it is refused, and so is 0.
 * Source: FORMATS A9, 0.1, 0.2; one-api model/log.go; new-api model/log.go, service/log_info_generate.go.
 */
import { accessTime, firstAt, looseCount, textAt } from './access-log.ts';
import { child, FieldReader, isObject, type JsonObject } from './fields.ts';
import { parsedObject } from './nested-json.ts';
import { newApiUsage } from './new-api-usage.ts';
import { type Options, readOptions } from './options.ts';
import { type Head, kindOf, type Outcome, type Row, reject, type Source, type SourceContext } from './source.ts';

const NAME = 'new-api';
const TENANT_NAMES = ['username', 'user_id', 'group', 'token_name', 'token_id'] as const;
const DEFAULT_TENANT = ['username', 'user_id'] as const;
const CONSUME = 2;
const ERROR_OR_TEST = 5;
const NO_USAGE = new Set([1, 3, 4, 6]);
/** Ids of a user's own view are cut to this modulus. */
const SELF_MODULUS = 1024;
const ROW_KEYS = ['id', 'created_at', 'type', 'quota', 'model_name', 'prompt_tokens', 'completion_tokens'] as const;

function looksLikeNewApi(head: Head): boolean {
  const first = rowsOf(head.json)?.[0] ?? head.json;
  return isObject(first) && ROW_KEYS.every((key) => key in first);
}

/** Rows of a list or of an API answer; null when the value is no such wrapper. */
function rowsOf(value: unknown): readonly unknown[] | null {
  if (Array.isArray(value)) return value;
  if (!isObject(value)) return null;
  const data = value['data'];
  const rows = isObject(data) ? data['items'] : data;
  // An answer without rows may say null for its empty list.
  if (rows === null && 'success' in value) return [];
  return Array.isArray(rows) ? rows : null;
}

/**
 * Source `new-api`. Options: `dialect` (new-api | one-api), `instance` (text), `tenant_from` (of TENANT_NAMES),
 * `model_from` (response: the model a channel maps to | request).
 */
export const newApi: Source = {
  name: NAME,
  fact: 'token_usage',
  framing: 'json',
  independentLines: true,
  detect: looksLikeNewApi,
  units: rowsOf,
  open(context) {
    const options = readOptions(NAME, context, {
      dialect: { kind: 'one', of: ['new-api', 'one-api'] },
      instance: { kind: 'text' },
      tenant_from: { kind: 'names', of: TENANT_NAMES },
      model_from: { kind: 'one', of: ['response', 'request'] },
    });
    return {
      parse(record, _place, emit): Outcome {
        if (!isObject(record)) return reject('wrong_shape', null, kindOf(record));
        const reader = new FieldReader();
        const type = reader.count(record['type'], 'type', { required: true, text: true });
        if (type !== null && NO_USAGE.has(type)) return 'blank';
        if (type !== null && type !== CONSUME && type !== ERROR_OR_TEST) return reject('unknown_state', 'type', `number ${type}`);
        const row = readRow(record, type === CONSUME, context, options, reader);
        if (reader.rejection !== null) return reader.rejection;
        emit(row);
        return 'valid';
      },
    };
  },
};

function readRow(record: JsonObject, consume: boolean, context: SourceContext, options: Options, reader: FieldReader): Row {
  const oneApi = options.text('dialect') === 'one-api';
  const other = parsedObject(reader, record['other'], 'other');
  const requested = textAt(reader, record, ['model_name']);
  const mapped = other?.['is_model_mapped'] === true ? reader.text(other['upstream_model_name'], 'other.upstream_model_name') : null;
  const usage = newApiUsage(record, other, reader);
  const wholePrice = usage.usage_source === 'absent' && hasQuota(record, reader);
  const used = wholePrice ? 'not_billable' : 'success';
  return {
    native_id: keyOf(record, other, options.text('instance') ?? context.siteId, oneApi, reader),
    event_at_ms: accessTime(reader, firstAt(record, ['created_at']), null),
    tenant_key: payerOf(record, options.names('tenant_from', DEFAULT_TENANT), reader),
    site_id: context.siteId,
    model: options.text('model_from') === 'request' ? requested : (mapped ?? requested),
    model_alias: mapped === null ? null : requested,
    image_digest: null,
    ...usage,
    status: consume ? used : oneApi ? 'not_billable' : 'failure',
    attempt_group: textAt(reader, record, ['request_id']),
  };
}

/** Quota may be negative, so it is no count; only whether there is any matters. */
function hasQuota(record: JsonObject, reader: FieldReader): boolean {
  const quota = record['quota'];
  const text = typeof quota === 'number' ? String(quota) : quota;
  if (typeof text === 'string' && /^-?\d+$/.test(text)) return BigInt(text) !== 0n;
  if (text !== undefined && text !== null && text !== '') reader.fail('wrong_type', 'quota', kindOf(quota));
  return false;
}

function keyOf(record: JsonObject, other: JsonObject | null, instance: string, oneApi: boolean, reader: FieldReader): string | null {
  const id = reader.count(record['id'], 'id', { text: true });
  const cut = !oneApi && id !== null && id < SELF_MODULUS && child(other, 'admin_info') === null;
  return id === null || id === 0 || cut ? reader.fail('empty_key', 'id', kindOf(record['id'])) : `${instance}|${id}`;
}

/** Numeric ids of the database are whole and far below 2^53, so their digits are text enough. */
function payerOf(record: JsonObject, names: readonly string[], reader: FieldReader): string | null {
  for (const name of names) {
    const isId = name.endsWith('_id');
    const id = isId ? looseCount(reader, record[name], name) : null;
    const payer = isId ? (id === null || id === 0 ? null : String(id)) : reader.text(record[name], name);
    if (payer !== null) return payer;
  }
  return null;
}
