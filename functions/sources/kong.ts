/**
 * Kong AI Gateway: the log serializer's JSON with `ai.<plugin>.{meta,usage,payload,cache}`. One record is one request; its tries are inside.
 * Key: request.id. Time: started_at, epoch ms.
 * - Several plugins may carry a usage of one request: `proxy` (`ai-proxy` before its renaming) counts, the sum would count twice; several
 *   others without it are refused.
 * - Counts start at 0, so 0 beside 0 is absent. A stream without usage has its answer estimated by its length and its prompt left at 0:
 *   that shape is `gateway_estimate`, unless the answer's content type says that it was no stream.
 * - Without `log_statistics`, and after an upstream error, `ai` is missing: the row is absent, visible and unpriced. Where ordinary routes
 *   share the log, `ai_routes` names the routes that call models; records of others are then blank.
 * - Cached tokens are not recorded: all input counts as uncached.
 * Source: FORMATS A3, 0.1, 0.2; kong/llm/plugin/shared-filters/serialize-analytics.lua, kong/llm/plugin/observability.lua.
 */
import { accessTime, firstAt, firstRecord, httpStatus, listItems, looseCount, textAt, zeroIsAbsent } from './access-log.ts';
import { child, FieldReader, isObject, type JsonObject } from './fields.ts';
import { type Options, readOptions } from './options.ts';
import { type Head, kindOf, type Outcome, type Row, reject, type Source, type SourceContext } from './source.ts';
import { ABSENT_USAGE, imageDigest, type TokenColumns, tokenColumns } from './token-counts.ts';

const NAME = 'kong';
const PREFERRED_PLUGINS = ['proxy', 'ai-proxy', 'ai-proxy-advanced'] as const;
const TENANT_PATHS = [
  'consumer.username',
  'consumer.custom_id',
  'consumer.id',
  'authenticated_entity.consumer_id',
  'authenticated_entity.id',
  'workspace_name',
  'service.name',
  'service.id',
  'route.name',
  'route.id',
] as const;
const DEFAULT_TENANT = TENANT_PATHS.slice(0, 4);
/** What Kong writes where no model was named. */
const UNSPECIFIED = 'UNSPECIFIED';
const AI_OBJECT = /"ai"\s*:\s*\{/;
/** Keys come in any order, so one of them may stand before a payload that fills the head. */
const SERIALIZER_KEY = /"(?:started_at|latencies|workspace_name)"\s*:/;

/** Failed and ordinary requests have no `ai`, so any record in the head may show it; inside a payload its quotes are escaped. */
function looksLikeKong(head: Head): boolean {
  if (!AI_OBJECT.test(head.text)) return false;
  if (head.json === undefined) return SERIALIZER_KEY.test(head.text);
  const first = firstRecord(head);
  return first !== null && 'started_at' in first && 'latencies' in first;
}

/** Source `kong`. Options: `tenant_from` (paths of TENANT_PATHS), `ai_routes` (route names or ids), `key_field` (path), `model_from` (response | request). */
export const kong: Source = {
  name: NAME,
  fact: 'token_usage',
  framing: 'json',
  independentLines: true,
  detect: looksLikeKong,
  units: listItems,
  open(context) {
    const options = readOptions(NAME, context, {
      tenant_from: { kind: 'names', of: TENANT_PATHS },
      ai_routes: { kind: 'names', of: null },
      key_field: { kind: 'text' },
      model_from: { kind: 'one', of: ['response', 'request'] },
    });
    return {
      parse(record, _place, emit): Outcome {
        if (!isObject(record) || !('started_at' in record)) return reject('wrong_shape', 'started_at', kindOf(record));
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

function isModelCall(record: JsonObject, routes: readonly string[]): boolean {
  if (child(record, 'ai') !== null || routes.length === 0) return true;
  const route = child(record, 'route');
  return routes.some((name) => name === route?.['name'] || name === route?.['id']);
}

function readRow(record: JsonObject, context: SourceContext, options: Options, reader: FieldReader): Row {
  const statistics = statisticsOf(record, reader);
  const meta = child(statistics, 'meta');
  const requested = modelName(reader, meta, 'request_model');
  const served = modelName(reader, meta, 'response_model');
  const byRequest = options.text('model_from') === 'request';
  const keyField = options.text('key_field') ?? 'request.id';
  const status = httpStatus(reader, firstAt(record, ['response.status']));
  return {
    native_id: textAt(reader, record, [keyField]) ?? reader.fail('empty_key', keyField, 'absent'),
    event_at_ms: accessTime(reader, firstAt(record, ['started_at']), null),
    tenant_key: textAt(reader, record, options.names('tenant_from', DEFAULT_TENANT)),
    site_id: context.siteId,
    model: byRequest ? (requested ?? served) : (served ?? requested),
    model_alias: requested,
    image_digest: imageDigest(record['image_digest']),
    ...usageOf(child(statistics, 'usage'), record, reader),
    status: status === 'success' && isCacheHit(statistics) ? 'cache_hit' : status,
    attempt_group: null,
  };
}

/** The plugin that answers for the request: of those with a usage, else of those with a meta. */
function statisticsOf(record: JsonObject, reader: FieldReader): JsonObject | null {
  const ai = child(record, 'ai');
  if (ai === null) return null;
  const withUsage = Object.keys(ai).filter((name) => child(ai[name], 'usage') !== null);
  const names = withUsage.length > 0 ? withUsage : Object.keys(ai).filter((name) => isObject(ai[name]));
  const preferred = PREFERRED_PLUGINS.find((name) => names.includes(name));
  if (preferred === undefined && withUsage.length > 1) return reader.fail('tokens_inconsistent', 'ai', `${withUsage.length} plugins`);
  return child(ai, preferred ?? names[0] ?? '');
}

function modelName(reader: FieldReader, meta: JsonObject | null, field: string): string | null {
  const name = reader.text(meta?.[field], `ai.meta.${field}`);
  return name === UNSPECIFIED ? null : name;
}

/** The gateway's own semantic cache answered. */
function isCacheHit(statistics: JsonObject | null): boolean {
  const status = child(statistics, 'cache')?.['cache_status'];
  return typeof status === 'string' && status.toLowerCase() === 'hit';
}

const FIELDS = {
  input: 'ai.usage.prompt_tokens',
  output: 'ai.usage.completion_tokens',
  total: 'ai.usage.total_tokens',
  reasoning: 'ai.usage',
};

function usageOf(usage: JsonObject | null, record: JsonObject, reader: FieldReader): TokenColumns {
  if (usage === null) return ABSENT_USAGE;
  const columns = tokenColumns(
    reader,
    (counts) => ({
      input: looseCount(counts, usage['prompt_tokens'], FIELDS.input),
      output: looseCount(counts, usage['completion_tokens'], FIELDS.output),
      cacheRead: null,
      cacheWrite: null,
      reasoning: null,
      // The default 0 of a total that nobody set says nothing.
      total: looseCount(counts, usage['total_tokens'], FIELDS.total) || null,
    }),
    FIELDS,
  );
  const estimated = columns.input_uncached_tokens === 0 && (columns.output_tokens ?? 0) > 0 && mayBeStream(record);
  return estimated ? { ...columns, usage_source: 'gateway_estimate' } : zeroIsAbsent(columns);
}

function mayBeStream(record: JsonObject): boolean {
  const type = firstAt(record, ['response.headers.content-type', 'response.headers.Content-Type']).value;
  return typeof type !== 'string' || !type.startsWith('application/json');
}
