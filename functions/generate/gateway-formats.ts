/** An attempt as each gateway writes it. Text is joined, not serialised: millions of rows leave here. */
import { type Centre, MODELS } from './centre.ts';
import { type Attempt, UNMAPPED_TEAM } from './requests.ts';

/** Formats one attempt as one JSON value on one line, without the line end. */
export type AttemptFormat = (attempt: Attempt) => string;

function seconds(ms: number): string {
  return `${Math.floor(ms / 1000)}.${String(ms % 1000).padStart(3, '0')}`;
}

function teams(centre: Centre): (tenant: number) => string {
  const names = centre.tenants.map((tenant) => tenant.team);
  return (tenant) => names[tenant] ?? UNMAPPED_TEAM;
}

/**
 * LiteLLM StandardLoggingPayload. `prompt_tokens` includes cached tokens; a cache hit keeps its counts; a failure is a row of its own.
 * Prompt and answer are in the row, redacted, as a proxy with message redaction writes them: an ingest must drop them.
 */
export function litellmFormat(centre: Centre, siteId: string): AttemptFormat {
  const teamOf = teams(centre);
  const apiBase = `http://vllm.${siteId}.local:8000/v1`;
  return (a) => {
    const prompt = a.uncached + a.cacheRead + a.cacheWrite;
    const team = teamOf(a.tenant);
    const model = MODELS[a.model];
    const failed = a.status === 'failure';
    const usage =
      `{"prompt_tokens":${prompt},"completion_tokens":${a.output},"total_tokens":${prompt + a.output},` +
      `"prompt_tokens_details":{"cached_tokens":${a.cacheRead}},"completion_tokens_details":{"reasoning_tokens":${a.reasoning}}}`;
    return (
      `{"id":"chatcmpl-${a.id}","trace_id":"${a.traceId}","litellm_call_id":"call-${a.id}","call_type":"acompletion",` +
      `"stream":${a.stream},"status":"${failed ? 'failure' : 'success'}","cache_hit":${a.status === 'cache_hit' ? 'true' : 'null'},` +
      `"custom_llm_provider":"hosted_vllm","saved_cache_cost":0.0,"startTime":${seconds(a.atMs)},"endTime":${seconds(a.atMs + a.durationMs)},` +
      `"response_time":${seconds(a.durationMs)},"model":"${model}","model_group":"${model}","api_base":"${apiBase}",` +
      `"metadata":{"user_api_key_hash":null,"user_api_key_alias":"${team}-key","user_api_key_team_id":"${team}","user_api_key_org_id":null,` +
      `"user_api_key_user_id":null,"user_api_key_team_alias":"${team}","usage_object":${usage}},` +
      `"response_cost":0.0,"prompt_tokens":${prompt},"completion_tokens":${a.output},"total_tokens":${prompt + a.output},"request_tags":[],` +
      `"end_user":"","messages":[{"role":"user","content":"redacted-by-litellm"}],` +
      `"response":{"text":"redacted-by-litellm"},"error_str":${failed ? '"APIConnectionError: upstream closed"' : 'null'}}`
    );
  };
}

/** A request log whose rows carry an OpenAI `usage` object; `usage` is null after an error, or when the stream broke before its last chunk. */
export function openaiUsageFormat(centre: Centre): AttemptFormat {
  const teamOf = teams(centre);
  return (a) => {
    const prompt = a.uncached + a.cacheRead + a.cacheWrite;
    const failed = a.status === 'failure';
    const usage =
      a.absent || failed
        ? 'null'
        : `{"prompt_tokens":${prompt},"completion_tokens":${a.output},"total_tokens":${prompt + a.output},` +
          `"prompt_tokens_details":{"cached_tokens":${a.cacheRead}},"completion_tokens_details":{"reasoning_tokens":${a.reasoning}}}`;
    return (
      `{"request_id":"req-${a.id}","trace_id":"${a.traceId}","team":"${teamOf(a.tenant)}",` +
      `"status_code":${failed ? 503 : 200},"error":${failed ? '{"type":"server_error"}' : 'null'},"id":"chatcmpl-${a.id}","object":"chat.completion","created":${Math.floor(a.atMs / 1000)},` +
      `"model":"${MODELS[a.model]}","stream":${a.stream},"duration_ms":${a.durationMs},"usage":${usage}}`
    );
  };
}

function attribute(key: string, value: string | number): string {
  return `{"key":"${key}","value":${typeof value === 'number' ? `{"intValue":"${value}"}` : `{"stringValue":"${value}"}`}}`;
}

/** One OTLP/JSON span of a chat call, by the GenAI conventions: totals include the cache classes; 64-bit integers are strings. */
export function otlpSpanFormat(centre: Centre): AttemptFormat {
  const teamOf = teams(centre);
  return (a) => {
    const model = MODELS[a.model] ?? '';
    const attributes = [
      attribute('gen_ai.operation.name', 'chat'),
      attribute('gen_ai.provider.name', 'openai'),
      attribute('gen_ai.request.model', model),
      attribute('gen_ai.response.model', model),
      attribute('team.id', teamOf(a.tenant)),
    ];
    if (a.status === 'failure') attributes.push(attribute('error.type', '503'));
    else {
      attributes.push(
        attribute('gen_ai.usage.input_tokens', a.uncached + a.cacheRead + a.cacheWrite),
        attribute('gen_ai.usage.output_tokens', a.output),
        attribute('gen_ai.usage.cache_read.input_tokens', a.cacheRead),
        attribute('gen_ai.usage.cache_creation.input_tokens', a.cacheWrite),
        attribute('gen_ai.usage.reasoning.output_tokens', a.reasoning),
      );
    }
    // The attempt's own id, so that spans never collide; a retry shares its trace.
    const spanId = `a${a.id.slice(-9).padStart(15, '0')}`;
    return (
      `{"traceId":"${a.traceId}${a.traceId}","spanId":"${spanId}","name":"chat ${model}","kind":2,"startTimeUnixNano":"${a.atMs}000000",` +
      `"endTimeUnixNano":"${a.atMs + a.durationMs}000000","attributes":[${attributes.join(',')}],"status":{"code":${a.status === 'failure' ? 2 : 0}}}`
    );
  };
}

/** One export request around spans: one line of a collector's file exporter. */
export function otlpEnvelope(spans: readonly string[], siteId: string): string {
  const resource = `{"attributes":[${attribute('service.name', `gateway-${siteId}`)}]}`;
  return `{"resourceSpans":[{"resource":${resource},"scopeSpans":[{"scope":{"name":"gateway","version":"1.4.2"},"spans":[${spans.join(',')}]}]}]}`;
}
