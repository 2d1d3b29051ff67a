/**
 * Envoy AI Gateway: the JSON access log. Its field names are the operator's own; the defaults here are those of the project's example,
 * and options rename each. One line is one request: Envoy's retries are inside it. Key: x-request-id.
 * - Token fields are null without metadata (an error, or no model call) and 0 when a 2xx answer carried no usage, so input 0 beside
 *   output 0 is absent. Numbers are written as doubles.
 * - Input includes cache reads and writes for every provider; the cached counts are logged only where the operator maps them.
 * - MCP records, and records that name neither a model nor a backend (GET /v1/models), use no model and are blank.
 * - `gen_ai.provider.name` is a backend reference, never a payer. Without a mapped header there is no payer: name it by `tenant_from`.
 * OpenInference spans of the same gateway come as OTLP and belong to `otel-genai`. Renamed fields are not detectable: name the source in the
 * landing rule. Source: FORMATS A2, 0.1, 0.2; envoyproxy/ai-gateway site/docs/capabilities/observability/accesslogs.md.
 */
import { accessTime, countAt, firstAt, firstRecord, httpStatus, isBlankValue, listItems, textAt, zeroIsAbsent } from './access-log.ts';
import { FieldReader, isObject, type JsonObject } from './fields.ts';
import { atPath, type OptionRule, type Options, readOptions } from './options.ts';
import { type Head, kindOf, type Outcome, type Row, reject, type Source, type SourceContext } from './source.ts';
import { imageDigest, type TokenColumns, tokenColumns } from './token-counts.ts';

const NAME = 'envoy-ai-gateway';

/** Option → names tried in order; the option replaces them all. The cache names are what OTel calls them. */
const FIELDS = {
  time_field: ['start_time'],
  key_field: ['x-request-id'],
  status_field: ['response_code'],
  model_field: ['gen_ai.response.model', 'gen_ai.request.model_override'],
  requested_model_field: ['gen_ai.request.model'],
  backend_field: ['gen_ai.provider.name'],
  path_field: ['x-envoy-origin-path', 'path'],
  input_field: ['gen_ai.usage.input_tokens'],
  output_field: ['gen_ai.usage.output_tokens'],
  total_field: ['gen_ai.usage.total_tokens'],
  reasoning_field: ['gen_ai.usage.reasoning_tokens', 'gen_ai.usage.reasoning.output_tokens'],
  cache_read_field: ['gen_ai.usage.cache_read.input_tokens', 'gen_ai.usage.cached_input_tokens', 'gen_ai.usage.cache_read_input_tokens'],
  cache_write_field: ['gen_ai.usage.cache_creation.input_tokens', 'gen_ai.usage.cache_creation_input_tokens'],
} as const;
type FieldName = keyof typeof FIELDS;
type Paths = Readonly<Record<FieldName, readonly string[]>>;

const DEFAULT_TENANT = ['tenant_id', 'tenant', 'team'] as const;
const MCP_FIELDS = ['mcp.method.name', 'mcp.provider.name', 'jsonrpc.request.id'] as const;
/** Written by the caller, or naming no one. */
const NEVER_PAYER = ['user', 'end_user', 'user-agent', 'x-forwarded-for', 'session.id', 'gen_ai.provider.name'] as const;
const OUTPUT_OPTIONAL = /embeddings|rerank/;

function looksLikeEnvoy(head: Head): boolean {
  const first = firstRecord(head);
  if (first === null || !('start_time' in first) || !('response_code' in first)) return false;
  return 'gen_ai.usage.input_tokens' in first || 'gen_ai.provider.name' in first;
}

/**
 * Source `envoy-ai-gateway`. Options: one field path for each of FIELDS, `tenant_from` (field paths, first with a value wins),
 * `model_from` (response | request).
 */
export const envoyAiGateway: Source = {
  name: NAME,
  fact: 'token_usage',
  framing: 'json',
  independentLines: true,
  detect: looksLikeEnvoy,
  units: listItems,
  open(context) {
    const rules: Record<string, OptionRule> = {
      tenant_from: { kind: 'names', of: null, never: NEVER_PAYER },
      model_from: { kind: 'one', of: ['response', 'request'] },
    };
    for (const name of Object.keys(FIELDS)) rules[name] = { kind: 'text' };
    const options = readOptions(NAME, context, rules);
    const paths = pathsOf(options);
    return {
      parse(record, _place, emit): Outcome {
        if (!isObject(record)) return reject('wrong_shape', null, kindOf(record));
        // A null token field is a record of this log; no such field at all, and no time, is another log.
        const known = [...paths.time_field, ...paths.input_field].some((path) => atPath(record, path) !== undefined);
        if (!known) return reject('wrong_shape', paths.input_field[0] ?? null, 'absent');
        if (!isModelCall(record, paths)) return 'blank';
        const reader = new FieldReader();
        const row = readRow(record, paths, context, options, reader);
        if (reader.rejection !== null) return reader.rejection;
        emit(row);
        return 'valid';
      },
    };
  },
};

function pathsOf(options: Options): Paths {
  const paths: Record<string, readonly string[]> = { ...FIELDS };
  for (const name of Object.keys(FIELDS)) {
    const given = options.text(name);
    if (given !== null) paths[name] = [given];
  }
  return paths as Paths;
}

/** Any count makes a model call; without one, a model or a backend that is named, unless it is MCP. */
function isModelCall(record: JsonObject, paths: Paths): boolean {
  const has = (names: readonly string[]): boolean => !isBlankValue(firstAt(record, names).value);
  if (has(paths.input_field) || has(paths.output_field) || has(paths.total_field)) return true;
  return !has(MCP_FIELDS) && (has(paths.model_field) || has(paths.requested_model_field) || has(paths.backend_field));
}

function readRow(record: JsonObject, paths: Paths, context: SourceContext, options: Options, reader: FieldReader): Row {
  const requested = textAt(reader, record, paths.requested_model_field);
  const served = textAt(reader, record, paths.model_field);
  const byRequest = options.text('model_from') === 'request';
  const key = textAt(reader, record, paths.key_field);
  return {
    native_id: key ?? reader.fail('empty_key', paths.key_field[0] ?? '', 'absent'),
    event_at_ms: accessTime(reader, firstAt(record, paths.time_field), context.zone),
    tenant_key: textAt(reader, record, options.names('tenant_from', DEFAULT_TENANT)),
    site_id: context.siteId,
    model: byRequest ? (requested ?? served) : (served ?? requested),
    model_alias: requested,
    image_digest: imageDigest(record['image_digest']),
    ...usageOf(record, paths, reader),
    status: httpStatus(reader, firstAt(record, paths.status_field)),
    attempt_group: null,
  };
}

function usageOf(record: JsonObject, paths: Paths, reader: FieldReader): TokenColumns {
  const path = firstAt(record, paths.path_field).value;
  const names = {
    input: paths.input_field[0] ?? '',
    output: paths.output_field[0] ?? '',
    total: paths.total_field[0] ?? '',
    reasoning: paths.reasoning_field[0] ?? '',
  };
  const usage = tokenColumns(
    reader,
    (counts) => ({
      input: countAt(counts, record, paths.input_field),
      output: countAt(counts, record, paths.output_field),
      cacheRead: countAt(counts, record, paths.cache_read_field),
      cacheWrite: countAt(counts, record, paths.cache_write_field),
      reasoning: countAt(counts, record, paths.reasoning_field),
      total: countAt(counts, record, paths.total_field),
      outputOptional: typeof path === 'string' && OUTPUT_OPTIONAL.test(path),
    }),
    names,
  );
  return zeroIsAbsent(usage);
}
