/** `kashi price tokens` as JSON and as text. */
import { type LoadTestRun, runName } from '../domain/load-test.ts';
import type { Rational } from '../domain/money.ts';
import { type ClassPrice, PRICED_CLASSES, type TokenPrice, type TokenPriceInputs } from '../domain/token-price.ts';
import { numbersAsText, percent, price10, readable, type Step, stepLines } from './config-file.ts';

/** The file: what the price depends on, and the labels of what is priced. */
export interface TokenPriceFile extends TokenPriceInputs {
  readonly currency: string;
  readonly model?: string;
  readonly accelerator?: string;
  readonly image_digest?: string;
  readonly runs?: readonly LoadTestRun[];
}

/** Prices of a million tokens are read with 4 decimals; the `_exact` fields have the 10 of a price book. */
function price4(value: Rational): string {
  return value.toFixed(4);
}

/** The arithmetic, in order. */
export function tokenPriceSteps(inputs: TokenPriceFile, { run, cost, price }: TokenPrice): Step[] {
  return [
    {
      name: 'cost_per_million',
      formula: 'gpu_hour_cost × gpus ÷ 3600 ÷ tokens_per_second × 1000000',
      numbers: `${inputs.gpu_hour_cost} × ${inputs.gpus} ÷ 3600 ÷ ${run.tokens_per_second} × 1000000`,
      result: price10(cost),
    },
    {
      name: 'price_per_million',
      formula: 'cost_per_million × (1 + markup)',
      numbers: `${price10(cost)} × (1 + ${inputs.markup})`,
      result: price10(price),
    },
  ];
}

/** The contract of SPEC 12 (chosen_run, cost_per_million, price_per_million) and everything else that was computed. */
export function tokenPriceJson(inputs: TokenPriceFile, runs: readonly LoadTestRun[], result: TokenPrice): Record<string, unknown> {
  const { classes } = result;
  return {
    currency: inputs.currency,
    model: inputs.model ?? null,
    accelerator: inputs.accelerator ?? null,
    image_digest: inputs.image_digest ?? null,
    unit: '1000000 tokens',
    sla: numbersAsText(result.sla),
    chosen_run: { index: String(result.index), ...(numbersAsText(result.run) as object) },
    cost_per_million: price4(result.cost),
    price_per_million: price4(result.price),
    cost_per_million_exact: price10(result.cost),
    price_per_million_exact: price10(result.price),
    prices: classes === null ? null : Object.fromEntries(PRICED_CLASSES.map((name) => [name, classJson(classes[name])])),
    break_even: {
      utilization: result.breakEvenUtilization === null ? null : price10(result.breakEvenUtilization),
      tokens_per_second: result.breakEvenTokensPerSecond === null ? null : price10(result.breakEvenTokensPerSecond),
    },
    runs: runs.map((run, index) => ({ run: runName(run, index), chosen: index === result.index, why_not: result.verdicts[index] ?? null })),
    steps: tokenPriceSteps(inputs, result),
    inputs: numbersAsText(inputs),
  };
}

function classJson(priced: ClassPrice | null): Record<string, string> | null {
  if (priced === null) return null;
  const { cost, price, how } = priced;
  return {
    cost_per_million: price4(cost),
    price_per_million: price4(price),
    cost_per_million_exact: price10(cost),
    price_per_million_exact: price10(price),
    how,
  };
}

/** Text that can be followed with a calculator. */
export function tokenPriceText(inputs: TokenPriceFile, runs: readonly LoadTestRun[], result: TokenPrice): string {
  const { sla, run, index, classes } = result;
  const title = `Price of a million tokens${inputs.model === undefined ? '' : ` of ${inputs.model}`}: ${price4(result.price)} ${inputs.currency}`;
  const tests = runs.map((each, at) => {
    const verdict = at === index ? 'chosen: the fastest that meets the SLA' : (result.verdicts[at] ?? '');
    return ` ${at === index ? '*' : ' '} ${runName(each, at)}: ${each.tokens_per_second} tokens/s, ${verdict}`;
  });
  return [
    title,
    '',
    `Load tests, SLA ${sla.metric} below ${sla.below} ms (this run: ${run[sla.metric]} ms)`,
    ...tests,
    '',
    ...stepLines(tokenPriceSteps(inputs, result)),
    ...(classes === null ? [] : ['By class', ...PRICED_CLASSES.map((name) => classLine(name, classes[name], inputs.currency)), '']),
    breakEvenLine(result),
  ].join('\n');
}

function classLine(name: string, priced: ClassPrice | null, currency: string): string {
  if (priced === null) return `   ${name.padEnd(17)} no price: declare ratios, or measure cached_prefill_tokens_per_second`;
  return `   ${name.padEnd(17)} ${price4(priced.price)} ${currency} (cost ${price4(priced.cost)}; ${priced.how})`;
}

function breakEvenLine({ breakEvenTokensPerSecond, breakEvenUtilization }: TokenPrice): string {
  if (breakEvenTokensPerSecond === null || breakEvenUtilization === null) return 'No cost, so no break-even.';
  return `Break-even: ${readable(breakEvenTokensPerSecond)} tokens/s sold around the clock, ${percent(breakEvenUtilization)} of the tested rate.`;
}
