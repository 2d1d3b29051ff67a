/** JSON results of load tests: vLLM bench, AIPerf, GenAI-Perf. Numbers keep every digit of the file. */
import { KashiError } from './errors.ts';
import { LATENCY_METRICS, type LoadTestOptions, type LoadTestRun, STATISTICS } from './load-test-run.ts';
import { isDecimalText, Rational } from './money.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The objects of a JSON text: one document, a list of documents, or JSON Lines (vLLM's --append-result). Every number arrives as its source text. Errors: KashiError config_invalid. */
export function jsonObjects(text: string, fileName: string): JsonObject[] {
  const values =
    parseJson(text) ??
    text
      .split(/\r?\n/)
      .filter((line) => line.trim() !== '')
      .map(parseJson);
  const objects = [values].flat().filter(isObject);
  if (objects.length > 0 && objects.length === [values].flat().length) return objects;
  throw new KashiError('config_invalid', 'not a load-test result', {
    where: fileName,
    allowed: 'a JSON object, a list of them, or JSON Lines',
    found: `${text.length} characters of something else`,
  });
}

type SourceReviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;
const numberText: SourceReviver = (_key, value, context) => (typeof value === 'number' ? (context.source ?? String(value)) : value);

/** undefined when the text is not JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text, numberText as (key: string, value: unknown) => unknown);
  } catch (cause) {
    if (cause instanceof SyntaxError) return undefined;
    throw cause;
  }
}

/** A decimal at a key, or undefined when the key is absent or null. Errors: config_invalid for anything else. */
export function decimal(value: unknown, where: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string' && isDecimalText(value)) return value;
  throw new KashiError('config_invalid', 'wrong value', { where, allowed: 'a decimal', found: JSON.stringify(value) });
}

export function required(value: unknown, where: string): string {
  const found = decimal(value, where);
  if (found !== undefined) return found;
  throw new KashiError('config_invalid', 'missing field', { where, allowed: 'a decimal', found: 'nothing' });
}

/** A latency of 0 is what these tools print when nothing was measured (no streaming): it is left out, so it meets no SLA. */
function measured(value: string | undefined): string | undefined {
  return value === undefined || Rational.of(value).n === 0n ? undefined : value;
}

export function defined<T extends object>(entries: T): T {
  return Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined)) as T;
}

/** vLLM `bench serve` / `benchmark_serving.py --save-result` (vllm/benchmarks/serve.py). */
export function vllmRun(result: JsonObject, where: string, options: LoadTestOptions): LoadTestRun {
  const output = required(result.output_throughput, `${where} output_throughput`);
  const total = decimal(result.total_token_throughput, `${where} total_token_throughput`);
  const latencies = LATENCY_METRICS.map((metric) => [metric, measured(decimal(result[metric], `${where} ${metric}`))]);
  const failed = decimal(result.failed, `${where} failed`);
  const completed = decimal(result.completed, `${where} completed`);
  return defined({
    name: where,
    tokens_per_second: options.tokens === 'total' ? required(total, `${where} total_token_throughput`) : output,
    input_tokens_per_second: difference(total, output),
    output_tokens_per_second: output,
    requests: sum(completed, failed),
    failed_requests: failed,
    ...Object.fromEntries(latencies),
  }) as LoadTestRun;
}

/** AIPerf profile_export_aiperf.json and GenAI-Perf *_genai_perf.json: metric → {unit, avg, p50, …}. */
export function aiperfRun(result: JsonObject, where: string, options: LoadTestOptions): LoadTestRun {
  const metric = (name: string): JsonObject => (isObject(result[name]) ? result[name] : {});
  const average = (name: string): string | undefined => decimal(metric(name).avg, `${where} ${name}.avg`);
  const output = required(average('output_token_throughput'), `${where} output_token_throughput.avg`);
  const total = average('total_token_throughput');
  const names = { ttft: 'time_to_first_token', itl: 'inter_token_latency', e2el: 'request_latency' } as const;
  const latencies = Object.entries(names).flatMap(([kind, name]) => {
    const unit = metric(name).unit;
    if (unit !== undefined && unit !== 'ms') {
      throw new KashiError('config_invalid', 'unexpected unit', {
        where: `${where} ${name}.unit`,
        allowed: 'ms',
        found: JSON.stringify(unit),
      });
    }
    const key = { mean: 'avg', median: 'p50' } as const;
    return STATISTICS.map((statistic) => {
      const field = statistic === 'mean' || statistic === 'median' ? key[statistic] : statistic;
      return [`${statistic}_${kind}_ms`, measured(decimal(metric(name)[field], `${where} ${name}.${field}`))];
    });
  });
  const failed = average('error_request_count');
  return defined({
    name: where,
    tokens_per_second: options.tokens === 'total' ? required(total, `${where} total_token_throughput.avg`) : output,
    input_tokens_per_second: difference(total, output),
    output_tokens_per_second: output,
    requests: sum(average('request_count'), failed),
    failed_requests: failed,
    cancelled: result.was_cancelled === true ? true : undefined,
    ...Object.fromEntries(latencies),
  }) as LoadTestRun;
}

function sum(a: string | undefined, b: string | undefined): string | undefined {
  return a === undefined
    ? undefined
    : Rational.of(a)
        .add(Rational.of(b ?? 0))
        .toFixed(0);
}

function difference(total: string | undefined, part: string): string | undefined {
  if (total === undefined) return undefined;
  const rest = Rational.of(total).subtract(Rational.of(part));
  return rest.n < 0n ? undefined : rest.toFixed(10);
}
