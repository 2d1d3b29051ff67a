/** One steady load of a load test, and how to read it from a result file. */

export const STATISTICS = ['p50', 'p90', 'p95', 'p99', 'mean', 'median'] as const;
const LATENCIES = ['ttft', 'tpot', 'itl', 'e2el'] as const;
type Statistic = (typeof STATISTICS)[number];
export type LatencyMetric = `${Statistic}_${(typeof LATENCIES)[number]}_ms`;

/** Latency metrics a run may state: time to first token, time per output token, inter-token, end to end. Units: ms. */
export const LATENCY_METRICS: readonly LatencyMetric[] = LATENCIES.flatMap((kind) =>
  STATISTICS.map((statistic): LatencyMetric => `${statistic}_${kind}_ms`),
);

export type Decimal = string | number;

export const RATE_KEYS = [
  'tokens_per_second',
  'prefill_tokens_per_second',
  'decode_tokens_per_second',
  'cached_prefill_tokens_per_second',
  'input_tokens_per_second',
  'input_cache_read_tokens_per_second',
  'output_tokens_per_second',
  'requests',
  'failed_requests',
] as const;
export type RateKey = (typeof RATE_KEYS)[number];

/**
 * One steady load. tokens_per_second is the rate a price is made from. prefill_/decode_: rates measured with the accelerators doing
 * only that. input_/output_: the mix inside one run; input_ excludes tokens read from cache.
 */
export type LoadTestRun = Readonly<Partial<Record<LatencyMetric, Decimal>>> &
  Readonly<Partial<Record<RateKey, Decimal>>> & {
    readonly tokens_per_second: Decimal;
    readonly name?: string;
    readonly cancelled?: boolean;
  };

export const LOAD_TEST_FORMATS = ['vllm', 'locust', 'aiperf', 'genai-perf', 'mapped'] as const;
export type LoadTestFormat = (typeof LOAD_TEST_FORMATS)[number];

/** How to read one result file (`runs_from`). */
export interface LoadTestOptions {
  readonly format: LoadTestFormat;
  /** vllm, aiperf, genai-perf: which rate is priced. Default output. */
  readonly tokens?: 'output' | 'total';
  /** locust: Name of the row whose response times are the time to first token. Default ttft. */
  readonly ttft_row?: string;
  /** locust: Name of the row whose content size is tokens. Default tokens; or tokens_per_request, times the rate of ttft_row. */
  readonly tokens_row?: string;
  readonly tokens_per_request?: Decimal;
  /** mapped: run key → column. */
  readonly columns?: Readonly<Partial<Record<LatencyMetric | RateKey | 'name', string>>>;
}

/** How messages call a run: its name, else its place in the list. */
export function runName(run: LoadTestRun, index: number): string {
  return run.name ?? `runs[${index}]`;
}
