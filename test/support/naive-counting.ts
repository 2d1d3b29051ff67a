/** What was used in a month, price by price: plain loops over plain facts. */
import { halfUp, MICRO } from './naive-numbers.ts';
import type { Meter, Month, PlainAllocation, PlainBook, PlainPrice, PlainUsage } from './plain-facts.ts';

/** GPU time of an allocation from its start up to an instant: rounded once, so that differences of it add up. */
function heldUntil(allocation: PlainAllocation, atMs: number): bigint {
  return halfUp(allocation.countMicro * BigInt(atMs - allocation.startMs), MICRO);
}

/** The price of one meter at an instant: of the entries in force that match, tenant beats digest beats site. */
function priceAt(
  book: PlainBook,
  who: { product: string; tenant: string; site: string; digest: string },
  meter: Meter,
  atMs: number,
): PlainPrice | null {
  const fits = (own: string, asked: string): boolean => own === '' || own === asked;
  const matching = book.prices.filter(
    (price) =>
      price.product === who.product && fits(price.tenant, who.tenant) && fits(price.site, who.site) && fits(price.digest, who.digest),
  );
  const inForce = matching.filter((price) => {
    const same = matching.filter(
      (other) => other.tenant === price.tenant && other.site === price.site && other.digest === price.digest && other.fromMs <= atMs,
    );
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
export interface Counted {
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

/** Sums by everything that makes a line. */
export class Counts {
  private readonly byKey = new Map<string, Counted>();

  add(counted: Omit<Counted, 'amount' | 'records'>, amount: bigint, record: string): void {
    if (amount === 0n) return;
    const key = [
      counted.tenant,
      counted.site,
      counted.workload,
      counted.digest,
      counted.product,
      counted.meter,
      counted.price?.id ?? '',
    ].join('\n');
    const known = this.byKey.get(key) ?? { ...counted, amount: 0n, records: new Set<string>() };
    known.amount += amount;
    known.records.add(record);
    this.byKey.set(key, known);
  }

  all(): Counted[] {
    return [...this.byKey.values()];
  }
}

/** Allocations cut at the month and at every price change; rounding runs from the start of each, so cutting loses nothing. */
export function countGpu(allocations: readonly PlainAllocation[], book: PlainBook, month: Month, counts: Counts): void {
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
      counts.add(
        { tenant, site, workload, digest: '', product, meter: 'gpu_hours', price },
        heldUntil(held, endMs) - heldUntil(held, startMs),
        String(index),
      );
    }
  }
}

/** Successful requests of the month, by their own instant. */
export function countTokens(usages: readonly PlainUsage[], book: PlainBook, month: Month, counts: Counts): void {
  for (const used of usages) {
    if (used.status !== 'success' || used.atMs < month.startMs || used.atMs >= month.endMs) continue;
    for (const [meter, tokens] of Object.entries(used.tokens) as [Exclude<Meter, 'gpu_hours'>, bigint][]) {
      const { tenant, site, digest, model: product } = used;
      counts.add(
        { tenant, site, workload: '', digest, product, meter, price: priceAt(book, { product, tenant, site, digest }, meter, used.atMs) },
        tokens,
        used.key,
      );
    }
  }
}
