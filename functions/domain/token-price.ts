/** From load tests to the price of a million tokens: the fastest run that still meets the SLA decides. Exact fractions inside. */
import { KashiError } from './errors.ts';
import { type LatencyMetric, type LoadTestRun, runName } from './load-test.ts';
import { Rational } from './money.ts';

export interface Sla {
  readonly metric: LatencyMetric;
  /** Milliseconds; the metric must be strictly below. */
  readonly below: string | number;
  /** Failed ÷ all requests, at most; a run that states no failures passes. */
  readonly max_failed_share?: string | number;
}

export const DEFAULT_SLA: Sla = { metric: 'p99_ttft_ms', below: 500 };
export const DEFAULT_MAX_FAILED_SHARE = '0.01';

export const PRICED_CLASSES = ['input', 'input_cache_read', 'output'] as const;
export type PricedClass = (typeof PRICED_CLASSES)[number];

/** The keys of a `kashi price tokens` file that the price depends on; runs are already read (schemas/price-tokens.schema.json). */
export interface TokenPriceInputs {
  readonly gpu_hour_cost: string | number;
  readonly gpus: string | number;
  readonly markup: string | number;
  readonly sla?: Sla;
  /** Price of each class relative to the others. */
  readonly ratios?: Readonly<Record<PricedClass, string | number>>;
}

export interface ClassPrice {
  readonly cost: Rational;
  readonly price: Rational;
  /** How the price was found, for people. */
  readonly how: string;
}

export interface TokenPrice {
  readonly sla: Required<Sla>;
  readonly run: LoadTestRun;
  /** Position in the list of runs, from 0. */
  readonly index: number;
  /** Why each other run was not chosen, by position; null for the chosen one. */
  readonly verdicts: readonly (string | null)[];
  /** Currency per million tokens of the measured rate. */
  readonly cost: Rational;
  readonly price: Rational;
  /** Null where the test measured nothing and no ratio is declared: that class has no price, which is not a price of zero. */
  readonly classes: Readonly<Record<PricedClass, ClassPrice | null>> | null;
  /** Tokens per second, sold all the time at `price`, that pay for the accelerators; and that ÷ the tested rate. */
  readonly breakEvenTokensPerSecond: Rational | null;
  readonly breakEvenUtilization: Rational | null;
}

const MILLION = Rational.of(1_000_000n);
const ZERO = Rational.of(0n);
const ONE = Rational.of(1n);

/**
 * Price per million tokens: gpu_hour_cost × gpus ÷ 3600 ÷ tokens_per_second × 10⁶ × (1 + markup), at the highest rate whose run
 * meets the SLA. Classes: by prefill and decode rates when the run has both, else by ratios (see classPrices), else none.
 * Errors: KashiError config_invalid when there is no run, or none meets the SLA (says the best run and its latency).
 * Example: 10 per GPU-hour, 1 GPU, 500 tokens/s, markup 0.20 → 20/3 = 6.6667.
 */
export function priceTokens(inputs: TokenPriceInputs, runs: readonly LoadTestRun[]): TokenPrice {
  const sla = { ...DEFAULT_SLA, max_failed_share: DEFAULT_MAX_FAILED_SHARE, ...inputs.sla };
  const { index, verdicts } = chooseRun(runs, sla);
  const run = runs[index] as LoadTestRun;
  const perSecond = Rational.of(inputs.gpu_hour_cost).multiply(Rational.of(inputs.gpus)).divide(Rational.of(3600n));
  const factor = ONE.add(Rational.of(inputs.markup));
  const rate = Rational.of(run.tokens_per_second);
  const cost = perMillion(perSecond, rate);
  const utilization = cost.n === 0n || factor.n === 0n ? null : ONE.divide(factor);
  return {
    sla,
    run,
    index,
    verdicts,
    cost,
    price: cost.multiply(factor),
    classes: classPrices(inputs, run, perSecond, cost, factor),
    breakEvenUtilization: utilization,
    breakEvenTokensPerSecond: utilization === null ? null : rate.multiply(utilization),
  };
}

function perMillion(costPerSecond: Rational, tokensPerSecond: Rational): Rational {
  return costPerSecond.divide(tokensPerSecond).multiply(MILLION);
}

/** The fastest run that meets the SLA (the first among equals), and a verdict on every run. Errors: as priceTokens. */
export function chooseRun(runs: readonly LoadTestRun[], sla: Required<Sla>): { index: number; verdicts: (string | null)[] } {
  const faults = runs.map((run) => slaFault(run, sla));
  let best = -1;
  runs.forEach((run, index) => {
    if (faults[index] !== null) return;
    if (best < 0 || Rational.of(run.tokens_per_second).compare(Rational.of(runs[best]?.tokens_per_second ?? 0)) > 0) best = index;
  });
  if (best < 0) throw noRun(runs, faults, sla);
  const chosen = runs[best]?.tokens_per_second;
  const verdicts = faults.map((fault, index) =>
    index === best ? null : (fault ?? `meets the SLA, but not faster than ${chosen} tokens/s`),
  );
  return { index: best, verdicts };
}

/** Why a run does not count, or null. A latency that was not measured does not meet an SLA. */
function slaFault(run: LoadTestRun, sla: Required<Sla>): string | null {
  if (run.cancelled === true) return 'the test was cancelled';
  if (Rational.of(run.tokens_per_second).n <= 0n) return 'no tokens';
  const latency = run[sla.metric];
  if (latency === undefined) return `${sla.metric} not measured`;
  if (Rational.of(latency).compare(Rational.of(sla.below)) >= 0) return `${sla.metric} ${latency}, not below ${sla.below}`;
  const failed = Rational.of(run.failed_requests ?? 0);
  const all = Rational.of(run.requests ?? 0);
  if (failed.n > 0n && (all.n === 0n || failed.divide(all).compare(Rational.of(sla.max_failed_share)) > 0)) {
    return `${run.failed_requests} of ${run.requests ?? 'an unknown number of'} requests failed`;
  }
  return null;
}

function noRun(runs: readonly LoadTestRun[], faults: readonly (string | null)[], sla: Required<Sla>): KashiError {
  const allowed = `${sla.metric} below ${sla.below} in at least one run`;
  if (runs.length === 0)
    return new KashiError('config_invalid', 'no load-test runs', {
      where: 'runs',
      allowed: 'runs, or runs_from with a result file',
      found: 'none',
    });
  const measured = runs.map((run, index) => ({ run, index, latency: run[sla.metric] })).filter(({ latency }) => latency !== undefined);
  measured.sort((a, b) => Rational.of(a.latency ?? 0).compare(Rational.of(b.latency ?? 0)) || a.index - b.index);
  const [best] = measured;
  const found =
    best === undefined
      ? `${sla.metric} in none of ${runs.length} runs`
      : `best run ${runName(best.run, best.index)}: ${sla.metric} ${best.latency} at ${best.run.tokens_per_second} tokens/s (${faults[best.index]})`;
  return new KashiError('config_invalid', 'no run meets the SLA', { where: 'runs', allowed, found });
}

/**
 * Prices per class, or null when neither rates nor ratios tell them apart.
 * Prefill and decode rates: input costs the prefill time, output the decode time, cached input the cached prefill rate, else the
 * input price × ratio cache_read ÷ ratio input.
 * Ratios with the run's mix (input_ and output_tokens_per_second): scaled so that the tested mix pays exactly the cost.
 * Ratios alone: price × ratio, because nobody said what mix the rate stands for.
 */
function classPrices(
  inputs: TokenPriceInputs,
  run: LoadTestRun,
  perSecond: Rational,
  cost: Rational,
  factor: Rational,
): TokenPrice['classes'] {
  const priced = (classCost: Rational, how: string): ClassPrice => ({ cost: classCost, price: classCost.multiply(factor), how });
  const { ratios } = inputs;
  if (run.prefill_tokens_per_second !== undefined && run.decode_tokens_per_second !== undefined) {
    const byRate = (name: string, rate: string | number): ClassPrice =>
      priced(perMillion(perSecond, Rational.of(rate)), `${name} ${rate} tokens/s`);
    const input = byRate('prefill', run.prefill_tokens_per_second);
    const cached = run.cached_prefill_tokens_per_second;
    const share = ratios === undefined ? null : Rational.of(ratios.input_cache_read).divide(Rational.of(ratios.input));
    const byRatio = share === null ? null : priced(input.cost.multiply(share), `input × ${ratios?.input_cache_read} ÷ ${ratios?.input}`);
    return {
      input,
      input_cache_read: cached === undefined ? byRatio : byRate('cached prefill', cached),
      output: byRate('decode', run.decode_tokens_per_second),
    };
  }
  if (ratios === undefined) return null;
  const mix = mixOf(run);
  const weight = mix === null ? null : mixWeight(mix, ratios);
  const unit = weight === null ? cost : perMillion(perSecond, weight);
  const of = (name: PricedClass): ClassPrice => {
    const how = mix === null ? `ratio ${ratios[name]} × the price of a token` : `ratio ${ratios[name]}, scaled to the tested mix`;
    return priced(unit.multiply(Rational.of(ratios[name])), how);
  };
  return { input: of('input'), input_cache_read: of('input_cache_read'), output: of('output') };
}

type Mix = Readonly<Record<PricedClass, Rational>>;

function mixOf(run: LoadTestRun): Mix | null {
  if (run.input_tokens_per_second === undefined || run.output_tokens_per_second === undefined) return null;
  const cached = Rational.of(run.input_cache_read_tokens_per_second ?? 0);
  return { input: Rational.of(run.input_tokens_per_second), input_cache_read: cached, output: Rational.of(run.output_tokens_per_second) };
}

/** Σ rate × ratio, tokens per second in units of ratio 1; null when nothing of the mix is priced. */
function mixWeight(mix: Mix, ratios: NonNullable<TokenPriceInputs['ratios']>): Rational | null {
  const weight = PRICED_CLASSES.reduce((sum, name) => sum.add(mix[name].multiply(Rational.of(ratios[name]))), ZERO);
  return weight.n > 0n ? weight : null;
}
