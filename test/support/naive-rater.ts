/**
 * A second rater, written from the rules and not from the SQL: plain loops over plain facts, bigints only. It is slow and small on
 * purpose; the pipeline must give the same lines to the last digit (test/differential.test.ts).
 * Units: quantities and counts in millionths, prices in 10⁻¹⁰, factors and ratios in millionths, instants in epoch ms.
 */

export type Meter = 'gpu_hours' | 'input_uncached' | 'input_cache_read' | 'output';

export interface PlainAllocation {
  readonly workload: string;
  readonly tenant: string;
  readonly site: string;
  readonly model: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly countMicro: bigint;
  readonly hfuPpm: bigint | null;
  readonly mfuPpm: bigint | null;
}

export interface PlainUsage {
  readonly key: string;
  readonly tenant: string;
  readonly site: string;
  readonly model: string;
  /** Empty when unknown. */
  readonly digest: string;
  readonly atMs: number;
  readonly status: 'success' | 'failure' | 'cache_hit';
  readonly tokens: Readonly<Record<Exclude<Meter, 'gpu_hours'>, bigint>>;
}

export interface PlainTiers {
  readonly mode: 'graduated' | 'volume';
  /** `upTo` null: open. */
  readonly steps: readonly { readonly upTo: bigint | null; readonly price: bigint }[];
}

/** Holds from `fromMs` until the next entry of the same product, tenant, site and digest. Empty text: any. */
export interface PlainPrice {
  readonly id: string;
  readonly product: string;
  readonly tenant: string;
  readonly site: string;
  readonly digest: string;
  readonly fromMs: number;
  readonly meters: Readonly<Partial<Record<Meter, PlainTiers>>>;
}

export interface PlainBook {
  readonly prices: readonly PlainPrice[];
  readonly allowances: readonly { readonly tenant: string; readonly product: string; readonly meter: Meter; readonly quantity: bigint }[];
  readonly policy: { readonly lowPpm: bigint; readonly lowFactor: bigint; readonly highPpm: bigint; readonly highFactor: bigint; readonly minCoverage: bigint; readonly tolerance: bigint } | null;
  /** Highest MFU ever measured, by accelerator; a model that is absent has none. */
  readonly ceilings: Readonly<Record<string, bigint>>;
}

export interface Month {
  readonly startMs: number;
  readonly endMs: number;
}

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

const MICRO = 1_000_000n;
const HOUR_MS = 3_600_000n;
/** GPU-hours in millionths of gpu_ms: a millionth of an hour is 3.6 ms. */
const microHours = (gpuMs: bigint): bigint => halfUp(gpuMs * MICRO, HOUR_MS);

/** n ÷ d, n ≥ 0, half up. */
function halfUp(n: bigint, d: bigint): bigint {
  const whole = n / d;
  return 2n * (n - whole * d) >= d ? whole + 1n : whole;
}

/** Example: (12345n, 2) → '123.45'. */
function decimal(scaled: bigint, scale: number): string {
  const digits = scaled.toString().padStart(scale + 1, '0');
  return `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

const ratio = (ppm: bigint | null): string | null => (ppm === null ? null : decimal(ppm, 6));

/** GPU time of an allocation from its start up to an instant: rounded once, so that differences of it add up. */
function heldUntil(allocation: PlainAllocation, atMs: number): bigint {
  return halfUp(allocation.countMicro * BigInt(atMs - allocation.startMs), MICRO);
}

/** The price of one meter at an instant: of the entries in force that match, tenant beats digest beats site. */
function priceAt(book: PlainBook, who: { product: string; tenant: string; site: string; digest: string }, meter: Meter, atMs: number): PlainPrice | null {
  const fits = (own: string, asked: string): boolean => own === '' || own === asked;
  const matching = book.prices.filter((price) => price.product === who.product && fits(price.tenant, who.tenant) && fits(price.site, who.site) && fits(price.digest, who.digest));
  const inForce = matching.filter((price) => {
    const same = matching.filter((other) => other.tenant === price.tenant && other.site === price.site && other.digest === price.digest && other.fromMs <= atMs);
    return price.fromMs <= atMs && same.every((other) => other.fromMs <= price.fromMs);
  });
  const priced = inForce.filter((price) => price.meters[meter] !== undefined);
  for (const own of ['tenant', 'digest', 'site'] as const) {
    const special = priced.filter((price) => price[own] !== '');
    if (special.length > 0) priced.splice(0, priced.length, ...special);
  }
  return priced[0] ?? null;
}

/** What one line counts, before tiers. */
interface Counted {
  readonly tenant: string;
  readonly site: string;
  readonly workload: string;
  readonly digest: string;
  readonly product: string;
  readonly meter: Meter;
  readonly price: PlainPrice | null;
  amount: bigint;
  readonly records: Set<string>;
}

class Counts {
  private readonly byKey = new Map<string, Counted>();

  add(counted: Omit<Counted, 'amount' | 'records'>, amount: bigint, record: string): void {
    const key = [counted.tenant, counted.site, counted.workload, counted.digest, counted.product, counted.meter, counted.price?.id ?? ''].join('\n');
    const known = this.byKey.get(key) ?? { ...counted, amount: 0n, records: new Set<string>() };
    known.amount += amount;
    known.records.add(record);
    this.byKey.set(key, known);
  }

  all(): Counted[] {
    return [...this.byKey.values()].filter(({ amount }) => amount > 0n);
  }
}

function countGpu(allocations: readonly PlainAllocation[], book: PlainBook, month: Month, counts: Counts): void {
  for (const [index, held] of allocations.entries()) {
    const from = Math.max(held.startMs, month.startMs);
    const to = Math.min(held.endMs, month.endMs);
    if (from >= to) continue;
    const inside = book.prices.map(({ fromMs }) => fromMs).filter((ms) => from < ms && ms < to);
    const edges = [...new Set([from, ...inside, to])].sort((a, b) => a - b);
    for (const [place, startMs] of edges.entries()) {
      const endMs = edges[place + 1];
      if (endMs === undefined) continue;
      const { tenant, site, workload, model: product } = held;
      const price = priceAt(book, { product, tenant, site, digest: '' }, 'gpu_hours', startMs);
      counts.add({ tenant, site, workload, digest: '', product, meter: 'gpu_hours', price }, heldUntil(held, endMs) - heldUntil(held, startMs), String(index));
    }
  }
}

function countTokens(usages: readonly PlainUsage[], book: PlainBook, month: Month, counts: Counts): void {
  for (const used of usages) {
    if (used.status !== 'success' || used.atMs < month.startMs || used.atMs >= month.endMs) continue;
    for (const [meter, tokens] of Object.entries(used.tokens) as [Exclude<Meter, 'gpu_hours'>, bigint][]) {
      if (tokens === 0n) continue;
      const { tenant, site, digest, model: product } = used;
      counts.add({ tenant, site, workload: '', digest, product, meter, price: priceAt(book, { product, tenant, site, digest }, meter, used.atMs) }, tokens, used.key);
    }
  }
}

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
    .map((held) => ({ ...held, weight: held.countMicro * BigInt(Math.min(held.endMs, month.endMs) - Math.max(held.startMs, month.startMs)) }));
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
  const refused = declared.value !== null && ((ceiling !== undefined && declared.value > ceiling) || (hfu.value !== null && declared.value > hfu.value + policy.tolerance));
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
  const orderOf = ({ price, site, workload, digest }: Counted): string[] => [String(price?.fromMs).padStart(15, '0'), price?.id ?? '', site, workload, digest];
  const ordered = [...tenantUse].sort((a, b) => compareTexts(orderOf(a), orderOf(b)));
  const parts: Part[] = [];
  let paid = 0n;
  for (const counted of ordered) {
    let left = quantityOf(counted);
    const given = left < free ? left : free;
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
      const quantity = left < room ? left : room;
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
export function rateMonth(allocations: readonly PlainAllocation[], usages: readonly PlainUsage[], book: PlainBook, month: Month): { lines: NaiveLine[]; unrated: NaiveUnrated[] } {
  const counts = new Counts();
  countGpu(allocations, book, month, counts);
  countTokens(usages, book, month, counts);
  const lines: NaiveLine[] = [];
  const unrated: NaiveUnrated[] = [];
  const byTenant = new Map<string, Counted[]>();
  for (const counted of counts.all()) {
    if (counted.tenant === '' || counted.price === null) {
      const { site, workload, records } = counted;
      unrated.push({ reason: counted.tenant === '' ? 'tenant_missing' : 'price_missing', tenant: counted.tenant || null, site, sku: skuOf(counted), workload, quantity: decimal(quantityOf(counted), 6), records: records.size });
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
