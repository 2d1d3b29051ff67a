/** The price book of a generated centre as data: written as YAML for kashi, and read by the expected bill. */
import { DateTime } from 'luxon';
import { type AcceleratorName, ALLOWANCE_MODEL, type Centre, COMMON_MODEL, TIERED_MODEL } from './centre.ts';
import { costDocuments } from './costs.ts';

export const TOKEN_CLASSES = ['input_uncached', 'input_cache_read', 'input_cache_write', 'output'] as const;
export type TokenClass = (typeof TOKEN_CLASSES)[number];

/** A graduated price: the first `upTo` units cost `price`, those above `above`. */
export interface Graduated {
  readonly upTo: string;
  readonly price: string;
  readonly above: string;
}

/** Segments of the period in which an entry holds: before the price change, from it on, or both. */
type Segments = readonly (0 | 1)[];

export interface GpuPriceEntry {
  readonly id: string;
  readonly accelerator: AcceleratorName;
  /** Per GPU-hour. */
  readonly price: string;
  readonly segments: Segments;
}

export interface TokenPriceEntry {
  readonly id: string;
  readonly model: string;
  /** Empty for everybody. */
  readonly tenantId: string;
  /** Per 1 000 000 tokens. */
  readonly perMillion: Readonly<Record<TokenClass, string | Graduated>>;
  readonly segments: Segments;
}

const ALWAYS: Segments = [0, 1];

/** Prices of a GPU-hour. That of the training accelerators falls on the 15th. All are multiples of 0.10, so that tenths of hours cost whole cents. */
export const GPU_PRICES: readonly GpuPriceEntry[] = [
  { id: 'gpu-h800-1', accelerator: 'h800', price: '12.80', segments: [0] },
  { id: 'gpu-h800-2', accelerator: 'h800', price: '12.00', segments: [1] },
  { id: 'gpu-a100-1', accelerator: 'a100', price: '7.50', segments: ALWAYS },
  { id: 'gpu-l40s-1', accelerator: 'l40s', price: '3.20', segments: ALWAYS },
];

/** Prices of tokens: one that changes on the 15th, one with a rate card for a tenant, one whose output is graduated. */
export const TOKEN_PRICES: readonly TokenPriceEntry[] = [
  tokenPrice('tok-qwen3-1', COMMON_MODEL, '', ['2.00', '0.50', '2.50', '8.00'], [0]),
  tokenPrice('tok-qwen3-2', COMMON_MODEL, '', ['1.80', '0.45', '2.25', '7.20'], [1]),
  tokenPrice('tok-deepseek-1', ALLOWANCE_MODEL, '', ['4.00', '1.00', '5.00', '12.00'], ALWAYS),
  tokenPrice('tok-deepseek-robotics', ALLOWANCE_MODEL, 'robotics', ['3.50', '0.875', '4.375', '10.50'], ALWAYS),
  tokenPrice('tok-glm-1', TIERED_MODEL, '', ['3.00', '0.75', '3.75', { upTo: '0.1', price: '9.00', above: '7.20' }], ALWAYS),
];

/** Free input of one tenant and period, in 1 000 000 tokens. */
export const FREE_ALLOWANCE = {
  id: 'free-ads-deepseek',
  tenantId: 'ads',
  model: ALLOWANCE_MODEL,
  meter: 'input_uncached',
  quantity: '0.2',
} as const;

/** Hours before a lost node that are credited at most. */
export const CREDIT_HOURS = 1;
const CREDIT_RULE_ID = 'credit-node-lost';

function tokenPrice(
  id: string,
  model: string,
  tenantId: string,
  prices: readonly (string | Graduated)[],
  segments: Segments,
): TokenPriceEntry {
  const [uncached = '0', read = '0', write = '0', output = '0'] = prices;
  return {
    id,
    model,
    tenantId,
    segments,
    perMillion: { input_uncached: uncached, input_cache_read: read, input_cache_write: write, output },
  };
}

/** The entry that prices a model for a tenant in a segment: a rate card wins over the common price. */
export function tokenPriceOf(model: string, tenantId: string, segment: 0 | 1): TokenPriceEntry {
  const holds = (entry: TokenPriceEntry): boolean => entry.model === model && entry.segments.includes(segment);
  const entry =
    TOKEN_PRICES.find((one) => holds(one) && one.tenantId === tenantId) ?? TOKEN_PRICES.find((one) => holds(one) && one.tenantId === '');
  if (entry === undefined) throw new RangeError(`no price for ${model}`);
  return entry;
}

/** The entry that prices an accelerator in a segment. */
export function gpuPriceOf(accelerator: AcceleratorName, segment: 0 | 1): GpuPriceEntry {
  const entry = GPU_PRICES.find((one) => one.accelerator === accelerator && one.segments.includes(segment));
  if (entry === undefined) throw new RangeError(`no price for ${accelerator}`);
  return entry;
}

/** First day of validity of an entry: long before the period, or the day of the price change. Example: '2026-10-15'. */
function effectiveFrom(centre: Centre, segments: Segments): string {
  const change = DateTime.fromMillis(centre.priceChangeMs, { zone: centre.options.timeZone });
  return segments.includes(0) ? `${change.year - 1}-01-01` : change.toFormat('yyyy-MM-dd');
}

function meterPrice(price: string | Graduated): string {
  return typeof price === 'string'
    ? `"${price}"`
    : `{mode: graduated, steps: [{up_to: "${price.upTo}", price: "${price.price}"}, {price: "${price.above}"}]}`;
}

/** price-book.yaml: one document per kind. */
export function priceBookYaml(centre: Centre): string {
  const head = (id: string, segments: Segments): string =>
    `id: ${id}, effective_from: "${effectiveFrom(centre, segments)}", approved_by: finance`;
  const gpu = GPU_PRICES.map((one) => `  - {${head(one.id, one.segments)}, accelerator: ${one.accelerator}, price: "${one.price}"}`);
  const tokens = TOKEN_PRICES.map(
    (one) =>
      `  - {${head(one.id, one.segments)}, model: ${one.model}${one.tenantId === '' ? '' : `, tenant: ${one.tenantId}`},\n     per_million: {` +
      `${TOKEN_CLASSES.map((name) => `${name}: ${meterPrice(one.perMillion[name])}`).join(', ')}}}`,
  );
  const free = FREE_ALLOWANCE;
  return `# yaml-language-server: $schema=./schemas/price-book.schema.json
# Prices of the generated centre. Every entry says since when, and who approved it.
kind: book
currency: CNY
version: "1"
note: The price of an h800 hour and of ${COMMON_MODEL} falls on the 15th.
---
kind: gpu_price
entries:
${gpu.join('\n')}
---
kind: token_price
entries:
${tokens.join('\n')}
---
kind: free_allowance
entries:
  - {${head(free.id, ALWAYS)}, tenant: ${free.tenantId}, model: ${free.model}, meter: ${free.meter}, quantity: "${free.quantity}"}
---
# Below 20 % HFU a GPU-hour costs a fifth more; above 50 % MFU a tenth less; without evidence neither.
kind: adjustment
entries:
  - {${head('adjust-step', ALWAYS)}, rule: step, enforcement: enforce, penalty: {hfu_below: "0.20", factor: "1.20"}, reward: {mfu_above: "0.50", factor: "0.90"}, min_coverage: "0.9"}
---
kind: token_policy
entries:
  - {${head('charge-success', ALWAYS)}, charged: [success]}
---
# The last hour before a node was lost is given back.
kind: credit_rule
entries:
  - {${head(CREDIT_RULE_ID, ALWAYS)}, fault: node_lost, credited_hours: "${CREDIT_HOURS}"}
${costDocuments(centre, effectiveFrom(centre, ALWAYS))}`;
}
