/**
 * OpenTelemetry traces in OTLP/JSON: spans of model calls with `gen_ai.usage.*` (new and old names) or OpenInference `llm.token_count.*`.
 * One unit is one span. Billed are leaf inference spans: agent, tool, chain and retrieval spans repeat or carry no usage and are blank.
 * Input counts include cache reads and writes. Clients re-send, so traceId and spanId are the key.
 * Source: FORMATS A6; semantic-conventions gen-ai registry; opentelemetry-proto docs/specification.md; OpenInference semantic_conventions.md.
 */
import { epochMs } from './epoch.ts';
import { FieldReader, isObject, type JsonObject } from './fields.ts';
import { type Options, readOptions } from './options.ts';
import { type Attributes, attributesOf, spansOf } from './otlp-json.ts';
import { type Head, kindOf, type Outcome, type Row, reject, type Source, type SourceContext } from './source.ts';
import { imageDigest, type StatedUsage, type TokenColumns, tokenColumns } from './token-counts.ts';

const NAME = 'otel-genai';
const DEFAULT_TENANT = ['tenant.id', 'team.id', 'k8s.namespace.name', 'service.namespace'] as const;
/** Operations that may repeat their children's usage or call no model. */
const NOT_INFERENCE = new Set(['invoke_agent', 'create_agent', 'execute_tool', 'invoke_workflow']);
const INFERENCE = new Set(['chat', 'text_completion', 'generate_content', 'embeddings']);
const INFERENCE_KINDS = new Set(['LLM', 'EMBEDDING']);

/** First stated name wins: current convention, its predecessors, OpenInference. */
const COUNTS = {
  input: ['gen_ai.usage.input_tokens', 'gen_ai.usage.prompt_tokens', 'llm.token_count.prompt'],
  output: ['gen_ai.usage.output_tokens', 'gen_ai.usage.completion_tokens', 'llm.token_count.completion'],
  cacheRead: ['gen_ai.usage.cache_read.input_tokens', 'gen_ai.usage.cache_read_input_tokens', 'llm.token_count.prompt_details.cache_read'],
  cacheWrite: [
    'gen_ai.usage.cache_creation.input_tokens',
    'gen_ai.usage.cache_creation_input_tokens',
    'llm.token_count.prompt_details.cache_write',
  ],
  reasoning: ['gen_ai.usage.reasoning.output_tokens', 'llm.token_count.completion_details.reasoning'],
  total: ['llm.token_count.total'],
} as const;
const FIELDS = { input: COUNTS.input[0], output: COUNTS.output[0], total: COUNTS.total[0], reasoning: COUNTS.reasoning[0] };
const DIGESTS = ['oci.manifest.digest', 'container.image.repo_digests', 'container.image.id'] as const;

function looksLikeTraces(head: Head): boolean {
  if (head.json === undefined) return /^\s*\{\s*"resourceSpans"\s*:\s*\[/.test(head.text);
  return isObject(head.json) && Array.isArray(head.json['resourceSpans']);
}

/** Source `otel-genai`. Options: `tenant_from` (attribute names, span before resource), `model_from` (response | request). */
export const otelGenai: Source = {
  name: NAME,
  fact: 'token_usage',
  framing: 'json',
  independentLines: true,
  detect: looksLikeTraces,
  units: spansOf,
  open(context) {
    const options = readOptions(NAME, context, {
      tenant_from: { kind: 'names', of: null, never: ['user.id', 'enduser.id', 'session.id', 'gen_ai.conversation.id'] },
      model_from: { kind: 'one', of: ['response', 'request'] },
    });
    return {
      parse(record, _place, emit): Outcome {
        if (!isObject(record) || !('span' in record)) return reject('wrong_shape', 'resourceSpans', kindOf(record));
        if (!isObject(record['span'])) return reject('wrong_shape', 'scopeSpans.spans', kindOf(record['span']));
        const span = record['span'];
        const attributes = attributesOf(span);
        if (!isInference(attributes)) return 'blank';
        const resource = attributesOf(record['resource']);
        const reader = new FieldReader();
        const row = readRow(span, attributes, resource, context, options, reader);
        if (reader.rejection !== null) return reader.rejection;
        emit(row);
        return 'valid';
      },
    };
  },
};

function isInference(attributes: Attributes): boolean {
  const operation = attributes.get('gen_ai.operation.name');
  const kind = attributes.get('openinference.span.kind');
  if (typeof operation === 'string' && NOT_INFERENCE.has(operation)) return false;
  if (typeof kind === 'string' && !INFERENCE_KINDS.has(kind)) return false;
  const called = (typeof operation === 'string' && INFERENCE.has(operation)) || typeof kind === 'string';
  return called || [...COUNTS.input, ...COUNTS.output].some((name) => attributes.has(name));
}

function readRow(
  span: JsonObject,
  attributes: Attributes,
  resource: Attributes,
  context: SourceContext,
  options: Options,
  reader: FieldReader,
): Row {
  const requested = reader.text(attributes.get('gen_ai.request.model'), 'gen_ai.request.model');
  const responded =
    reader.text(attributes.get('gen_ai.response.model'), 'gen_ai.response.model') ??
    reader.text(attributes.get('llm.model_name') ?? attributes.get('embedding.model_name'), 'llm.model_name');
  const byRequest = options.text('model_from') === 'request';
  return {
    native_id: keyOf(span, reader),
    event_at_ms: startOf(span['startTimeUnixNano'], reader),
    tenant_key: tenantOf(attributes, resource, options.names('tenant_from', DEFAULT_TENANT), reader),
    site_id: context.siteId,
    model: byRequest ? (requested ?? responded) : (responded ?? requested),
    model_alias: requested,
    image_digest: digestOf(span, attributes, resource),
    ...usageOf(attributes, reader),
    status: statusOf(span, attributes, reader),
    attempt_group: hexId(reader.text(span['traceId'], 'traceId')),
  };
}

/** Hex ids are case-insensitive. */
function hexId(text: string | null): string | null {
  return text !== null && /^[0-9a-fA-F]+$/.test(text) ? text.toLowerCase() : text;
}

function keyOf(span: JsonObject, reader: FieldReader): string | null {
  const ids: string[] = [];
  for (const name of ['traceId', 'spanId'] as const) {
    const id = hexId(reader.text(span[name], name));
    // All zeros is the invalid id of the specification.
    if (id === null || /^0+$/.test(id)) return reader.fail('empty_key', name, kindOf(span[name]));
    ids.push(id);
  }
  return ids.join('|');
}

function startOf(value: unknown, reader: FieldReader): number | null {
  if (value === undefined || value === null || value === '') return reader.fail('missing_field', 'startTimeUnixNano', kindOf(value));
  const ms = epochMs(value, 'ns');
  return ms === null ? reader.fail('bad_timestamp', 'startTimeUnixNano', kindOf(value)) : reader.instantMs(ms, 'startTimeUnixNano');
}

function usageOf(attributes: Attributes, reader: FieldReader): TokenColumns {
  const outputOptional =
    attributes.get('gen_ai.operation.name') === 'embeddings' || attributes.get('openinference.span.kind') === 'EMBEDDING';
  const stated = (counts: FieldReader): StatedUsage => {
    const count = (names: readonly string[]): number | null => {
      const name = names.find((candidate) => (attributes.get(candidate) ?? null) !== null);
      return name === undefined ? null : counts.count(attributes.get(name), name, { text: true });
    };
    return {
      input: count(COUNTS.input),
      output: count(COUNTS.output),
      cacheRead: count(COUNTS.cacheRead),
      cacheWrite: count(COUNTS.cacheWrite),
      reasoning: count(COUNTS.reasoning),
      total: count(COUNTS.total),
      outputOptional,
    };
  };
  return tokenColumns(reader, stated, FIELDS);
}

function statusOf(span: JsonObject, attributes: Attributes, reader: FieldReader): 'success' | 'failure' | null {
  const code = isObject(span['status']) ? (span['status']['code'] ?? 0) : 0;
  if (code === 2 || code === 'STATUS_CODE_ERROR' || attributes.has('error.type')) return 'failure';
  const known = code === 0 || code === 1 || code === 'STATUS_CODE_UNSET' || code === 'STATUS_CODE_OK';
  return known ? 'success' : reader.fail('unknown_state', 'status.code', kindOf(code));
}

function tenantOf(span: Attributes, resource: Attributes, names: readonly string[], reader: FieldReader): string | null {
  for (const name of names) {
    const text = reader.text(span.get(name) ?? resource.get(name), name);
    if (text !== null) return text;
  }
  return null;
}

/** The serving image. The resource of a client span is the caller's own container, so its image is not the model's. */
function digestOf(span: JsonObject, attributes: Attributes, resource: Attributes): string | null {
  const client = span['kind'] === 3 || span['kind'] === 'SPAN_KIND_CLIENT';
  for (const holder of client ? [attributes] : [attributes, resource]) {
    for (const name of DIGESTS) {
      const value = holder.get(name);
      for (const item of Array.isArray(value) ? value : [value]) {
        const digest = imageDigest(item);
        if (digest !== null) return digest;
      }
    }
  }
  return null;
}
