/**
 * A second rater, written from the rules and not from the SQL: plain loops over plain facts, bigints only. It is slow and small on
 * purpose; the pipeline must give the same lines to the last digit (test/differential.test.ts).
 */
import { type Counted, Counts, countGpu, countTokens } from './naive-counting.ts';
import { decimal, halfUp, least, MICRO, microHours } from './naive-numbers.ts';
import type { Month, PlainAllocation, PlainBook, PlainUsage } from './plain-facts.ts';

export interface NaiveLine {
  readonly tenant: string;
  readonly kind: 'gpu_hours' | 'tokens';
  readonly site: string;
  readonly sku: string;
  readonly workload: string;
  readonly digest: string;
  readonly price: string;
  readonly tier: number;
  readonly quantity: string;
  readonly list: string;
  readonly factor: string;
  readonly unit: string;
  readonly exact: string;
  readonly amount: string;
  readonly adjustment: string | null;
  readonly hfu: string | null;
  readonly mfu: string | null;
  readonly coverage: string | null;
  readonly records: number;
}

export interface NaiveUnrated {
  readonly reason: 'tenant_missing' | 'price_missing';
  readonly tenant: string | null;
  readonly site: string;
  readonly sku: string;
  readonly workload: string;
  readonly quantity: string;
  readonly records: number;
}

const ratio = (ppm: bigint | null): string | null => (ppm === null ? null : decimal(ppm, 6));

interface Judged {
  readonly adjustment: string;
  readonly factor: bigint;
  readonly hfu: bigint | null;
  readonly mfu: bigint | null;
  readonly coverage: bigint;
}

/** The step policy on the time-weighted averages that the source states. */
function judge(allocations: readonly PlainAllocation[], book: PlainBook, month: Month, site: string, workload: string): Judged | null {
  const { policy } = book;
  if (policy === null) return null;
  const own = allocations
    .filter((held) => held.site === site && held.workload === workload && held.startMs < month.endMs && held.endMs > month.startMs)
    .map((held) => ({
      ...held,
      weight: held.countMicro * BigInt(Math.min(held.endMs, month.endMs) - Math.max(held.startMs, month.startMs)),
    }));
  const sum = (values: readonly bigint[]): bigint => values.reduce((total, value) => total + value, 0n);
  const mean = (name: 'hfuPpm' | 'mfuPpm'): { value: bigint | null; weight: bigint } => {
    const stated = own.filter((held) => held[name] !== null);
    const weight = sum(stated.map((held) => held.weight));
    return { value: weight === 0n ? null : halfUp(sum(stated.map((held) => (held[name] ?? 0n) * held.weight)), weight), weight };
  };
  const hfu = mean('hfuPpm');
  const declared = mean('mfuPpm');
  const all = sum(own.map((held) => held.weight));
  const sampled = hfu.value !== null ? hfu.weight : declared.weight;
  const coverage = all === 0n ? 0n : halfUp(sampled * MICRO, all);
  const ceiling = book.ceilings[own[0]?.model ?? ''];
  const refused =
    declared.value !== null &&
    ((ceiling !== undefined && declared.value > ceiling) || (hfu.value !== null && declared.value > hfu.value + policy.tolerance));
  const mfu = refused ? null : declared.value;
  const common = { hfu: hfu.value, mfu, coverage };
  if (coverage < policy.minCoverage || (hfu.value === null && mfu === null)) return { ...common, adjustment: 'unrated', factor: MICRO };
  if (hfu.value !== null && hfu.value < policy.lowPpm) return { ...common, adjustment: 'penalty', factor: policy.lowFactor };
  if (mfu !== null && mfu > policy.highPpm) return { ...common, adjustment: 'reward', factor: policy.highFactor };
  return { ...common, adjustment: 'none', factor: MICRO };
}

/** A part of a counted quantity at one price. Tier −1 is the free allowance. */
interface Part {
  readonly counted: Counted;
  readonly tier: number;
  readonly quantity: bigint;
  readonly list: bigint;
}

const quantityOf = (counted: Counted): bigint => (counted.meter === 'gpu_hours' ? microHours(counted.amount) : counted.amount);

/** Fills the allowance, then the tiers, in the order in which the book says a tenant's consumption of one product and meter counts. */
function partsOf(tenantUse: readonly Counted[], book: PlainBook): Part[] {
  const [one] = tenantUse;
  if (one === undefined) return [];
  const allowances = book.allowances.filter((free) => free.product === one.product && free.meter === one.meter);
  let free = (allowances.find(({ tenant }) => tenant === one.tenant) ?? allowances.find(({ tenant }) => tenant === ''))?.quantity ?? 0n;
  const total = tenantUse.reduce((sum, counted) => sum + quantityOf(counted), 0n);
  const paidTotal = total > free ? total - free : 0n;
  const orderOf = ({ price, site, workload, digest }: Counted): string[] => [
    String(price?.fromMs).padStart(15, '0'),
    price?.id ?? '',
    site,
    workload,
    digest,
  ];
  const ordered = [...tenantUse].sort((a, b) => compareTexts(orderOf(a), orderOf(b)));
  const parts: Part[] = [];
  let paid = 0n;
  for (const counted of ordered) {
    let left = quantityOf(counted);
    const given = least(left, free);
    if (given > 0n) parts.push({ counted, tier: -1, quantity: given, list: 0n });
    free -= given;
    left -= given;
    const table = counted.price?.meters[counted.meter];
    if (table === undefined) throw new Error('only what is priced is split');
    while (left > 0n) {
      const position = table.mode === 'volume' ? paidTotal - 1n : paid;
      const tier = table.steps.findIndex(({ upTo }) => upTo === null || position < upTo);
      const step = table.steps[tier];
      if (step === undefined) throw new Error('the last tier is open');
      const room = table.mode === 'volume' || step.upTo === null ? left : step.upTo - paid;
      const quantity = least(left, room);
      parts.push({ counted, tier, quantity, list: step.price });
      paid += quantity;
      left -= quantity;
    }
  }
  return parts;
}

function compareTexts(a: readonly string[], b: readonly string[]): number {
  for (const [index, text] of a.entries()) {
    const other = b[index] ?? '';
    if (text !== other) return text < other ? -1 : 1;
  }
  return 0;
}

function skuOf({ product, meter }: Counted): string {
  return meter === 'gpu_hours' ? product : `${product}:${meter}`;
}

function lineOf({ counted, tier, quantity, list }: Part, judged: Judged | null): NaiveLine {
  const factor = judged?.factor ?? MICRO;
  const unit = halfUp(list * factor, MICRO);
  const exact = quantity * unit;
  return {
    tenant: counted.tenant,
    kind: counted.meter === 'gpu_hours' ? 'gpu_hours' : 'tokens',
    site: counted.site,
    sku: skuOf(counted),
    workload: counted.workload,
    digest: counted.digest,
    price: counted.price?.id ?? '',
    tier,
    quantity: decimal(quantity, 6),
    list: decimal(list, 10),
    factor: decimal(factor, 6),
    unit: decimal(unit, 10),
    exact: decimal(exact, 16),
    amount: decimal(halfUp(exact, 10n ** 14n), 2),
    adjustment: judged?.adjustment ?? null,
    hfu: ratio(judged?.hfu ?? null),
    mfu: ratio(judged?.mfu ?? null),
    coverage: ratio(judged?.coverage ?? null),
    records: counted.records.size,
  };
}

/** The lines and the unrated usage of a month, in no particular order. */
export function rateMonth(
  allocations: readonly PlainAllocation[],
  usages: readonly PlainUsage[],
  book: PlainBook,
  month: Month,
): { lines: NaiveLine[]; unrated: NaiveUnrated[] } {
  const counts = new Counts();
  countGpu(allocations, book, month, counts);
  countTokens(usages, book, month, counts);
  const lines: NaiveLine[] = [];
  const unrated: NaiveUnrated[] = [];
  const byTenant = new Map<string, Counted[]>();
  for (const counted of counts.all()) {
    if (counted.tenant === '' || counted.price === null) {
      const { site, workload, records } = counted;
      unrated.push({
        reason: counted.tenant === '' ? 'tenant_missing' : 'price_missing',
        tenant: counted.tenant || null,
        site,
        sku: skuOf(counted),
        workload,
        quantity: decimal(quantityOf(counted), 6),
        records: records.size,
      });
      continue;
    }
    const key = [counted.tenant, counted.product, counted.meter].join('\n');
    byTenant.set(key, [...(byTenant.get(key) ?? []), counted]);
  }
  for (const use of byTenant.values()) {
    for (const part of partsOf(use, book)) {
      const { meter, site, workload } = part.counted;
      lines.push(lineOf(part, meter === 'gpu_hours' ? judge(allocations, book, month, site, workload) : null));
    }
  }
  return { lines, unrated };
}
