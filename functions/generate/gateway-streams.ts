/** Which gateways log what: LiteLLM at both edges, an OpenAI-style request log at one, OTLP traces at the other. */
import type { Centre, Edge } from './centre.ts';
import { type AttemptFormat, litellmFormat, openaiUsageFormat, otlpSpanFormat } from './gateway-formats.ts';
import { jsonSpoilers, type Spoiler } from './poison.ts';

export interface GatewayStream {
  readonly source: 'litellm' | 'openai-usage' | 'otel-genai';
  readonly edge: Edge;
  /** Index of the edge in the centre. */
  readonly site: number;
  readonly tag: string;
  readonly rows: number;
  readonly format: AttemptFormat;
  /** Spans in one line; 1 where a line is a row. */
  readonly rowsPerLine: number;
  readonly spoilers: readonly Spoiler[];
  /** Good rows whose team maps to nobody; the first ones after row 40. */
  readonly unmapped: number;
  /** Good rows that succeed without any usage. */
  readonly absent: number;
}

/** Shares of all requests in percent; LiteLLM in the south takes the rest. */
const EAST_PERCENT = 47;
const OPENAI_PERCENT = 5;
const OTLP_PERCENT = 3;
const SPANS_PER_LINE = 10;

const LITELLM_PLACES = {
  count: /("prompt_tokens":)\d+(,)/,
  required: /"startTime":[^,]+,/,
  missing: 'wrong_shape',
  instant: /("startTime":)[^,]+/,
  text: 'redacted-by-litellm',
};
const OPENAI_PLACES = {
  count: /("prompt_tokens":)\d+(,)/,
  required: /"created":\d+,/,
  missing: 'missing_field',
  instant: /("created":)\d+/,
  text: 'chat.completion',
};
const OTLP_PLACES = {
  count: /("gen_ai.usage.input_tokens","value":\{"intValue":")\d+(")/,
  required: /"startTimeUnixNano":"\d+",/,
  missing: 'missing_field',
  instant: /("startTimeUnixNano":)"\d+"/,
  text: 'gateway-edge',
};

/** The log streams of the centre; their rows add up to the requests. */
export function gatewayStreams(centre: Centre): GatewayStream[] {
  const { requests, unresolved } = centre.options;
  const [east, south] = centre.edges;
  if (east === undefined || south === undefined) throw new RangeError('the plan has two edges');
  const share = (percent: number): number => Math.floor((requests * percent) / 100);
  const [eastRows, openaiRows, otlpRows] = [share(EAST_PERCENT), share(OPENAI_PERCENT), share(OTLP_PERCENT)];
  const litellm = { source: 'litellm', rowsPerLine: 1, spoilers: jsonSpoilers(LITELLM_PLACES), unmapped: 0, absent: 0 } as const;
  return [
    { ...litellm, edge: east, site: 0, tag: 'e', rows: eastRows, format: litellmFormat(centre, east.id), unmapped: unresolved ? 3 : 0 },
    {
      ...litellm,
      edge: south,
      site: 1,
      tag: 's',
      rows: requests - eastRows - openaiRows - otlpRows,
      format: litellmFormat(centre, south.id),
    },
    {
      source: 'openai-usage',
      edge: south,
      site: 1,
      tag: 'q',
      rows: openaiRows,
      format: openaiUsageFormat(centre),
      rowsPerLine: 1,
      spoilers: jsonSpoilers(OPENAI_PLACES),
      unmapped: 0,
      absent: unresolved ? 1 : 0,
    },
    {
      source: 'otel-genai',
      edge: east,
      site: 0,
      tag: 't',
      rows: otlpRows,
      format: otlpSpanFormat(centre),
      rowsPerLine: SPANS_PER_LINE,
      spoilers: jsonSpoilers(OTLP_PLACES),
      unmapped: 0,
      absent: 0,
    },
  ];
}
