/** The bill that the planted facts must give: exact fractions, one rounding where the specification rounds. It shares no code with rating. */
import { Rational } from '../domain/money.ts';
import { type Centre, HOUR_MS, PLATFORM_TENANT } from './centre.ts';
import type { Efficiency } from './evidence.ts';
import type { TokenSum } from './ledger.ts';
import { CREDIT_HOURS, FREE_ALLOWANCE, type GpuPriceEntry, gpuPriceOf, TOKEN_CLASSES, type TokenClass, tokenPriceOf } from './prices.ts';
import type { Member, Workload } from './workload.ts';

/** One charge line. Quantity in GPU-hours or millions of tokens; amounts in the currency of the book. */
export interface ExpectedLine {
  readonly tenant_id: string;
  readonly site_id: string;
  readonly kind: 'gpu_hours' | 'gang_wait' | 'credit' | 'tokens';
  /** Accelerator model, or `model:class`. */
  readonly sku: string;
  readonly meter: 'gpu_hours' | TokenClass;
  readonly workload_id: string | null;
  readonly price_id: string;
  readonly quantity: string;
  readonly list_unit_price: string;
  readonly factor: string;
  readonly unit_price: string;
  readonly amount: string;
}

const HOUR = Rational.of(HOUR_MS);
const MILLION = Rational.of(1_000_000);

/** Quantity to 6 decimals, unit price to 10, amount to 0.01, each half up once. Example: 1.234567 × (12.80 × 1.20) → 18.96. */
function priced(
  place: Pick<ExpectedLine, 'tenant_id' | 'site_id' | 'kind' | 'sku' | 'meter' | 'workload_id' | 'price_id'>,
  quantity: Rational,
  listPrice: string,
  factor: string,
): ExpectedLine {
  const quantityText = quantity.toFixed(6);
  const unitPrice = Rational.of(listPrice).multiply(Rational.of(factor)).toFixed(10);
  return {
    ...place,
    quantity: quantityText,
    list_unit_price: Rational.of(listPrice).toFixed(10),
    factor,
    unit_price: unitPrice,
    amount: Rational.of(quantityText).multiply(Rational.of(unitPrice)).toFixed(2),
  };
}

/** Accelerator-milliseconds of a member inside [fromMs, toMs). */
export function heldMs(member: Member, fromMs: number, toMs: number): Rational {
  const ms = Math.min(member.endMs, toMs) - Math.max(member.startMs, fromMs);
  return ms <= 0 ? Rational.of(0) : Rational.of(member.count).multiply(Rational.of(ms));
}

function heldByAll(members: readonly Member[], fromMs: number, toMs: number): Rational {
  return members.reduce((sum, member) => sum.add(heldMs(member, fromMs, toMs)), Rational.of(0));
}

/** GPU-hour lines of one workload at headquarters: per price segment, the wait of a gang apart from the work, the credit last. */
export function gpuLines(centre: Centre, workload: Workload, efficiency: Efficiency): ExpectedLine[] {
  if (workload.tenantId === PLATFORM_TENANT) return [];
  const { members, accelerator } = workload;
  const place = {
    tenant_id: workload.tenantId,
    site_id: workload.siteId,
    sku: accelerator,
    meter: 'gpu_hours',
    workload_id: workload.id,
  } as const;
  const allRunningMs = workload.gang ? Math.max(...members.map((member) => member.runningMs)) : Number.NEGATIVE_INFINITY;
  // One price is one line, even when another price of the book changes while the workload runs.
  const held = new Map<string, { kind: 'gang_wait' | 'gpu_hours'; entry: GpuPriceEntry; ms: Rational }>();
  for (const segment of [0, 1] as const) {
    const fromMs = segment === 0 ? centre.periodStartMs : centre.priceChangeMs;
    const toMs = segment === 0 ? centre.priceChangeMs : centre.periodEndMs;
    const entry = gpuPriceOf(accelerator, segment);
    const parts = [
      ['gang_wait', heldByAll(members, fromMs, Math.min(toMs, allRunningMs))],
      ['gpu_hours', heldByAll(members, Math.max(fromMs, allRunningMs), toMs)],
    ] as const;
    for (const [kind, ms] of parts) {
      const key = `${kind} ${entry.id}`;
      held.set(key, { kind, entry, ms: ms.add(held.get(key)?.ms ?? Rational.of(0)) });
    }
  }
  const lines = [...held.values()]
    .filter(({ ms }) => ms.n > 0n)
    .map(({ kind, entry, ms }) => priced({ ...place, kind, price_id: entry.id }, ms.divide(HOUR), entry.price, efficiency.factor));
  return [...lines, ...credits(centre, workload, efficiency)];
}

/** The last hours before a lost node, given back at the price they were charged: a positive quantity at a negative price. */
function credits(centre: Centre, workload: Workload, efficiency: Efficiency): ExpectedLine[] {
  if (workload.state !== 'NODE_FAIL') return [];
  return workload.members.flatMap((member) => {
    const entry = gpuPriceOf(workload.accelerator, 1);
    const fromMs = Math.max(member.endMs - CREDIT_HOURS * HOUR_MS, centre.periodStartMs);
    const back = heldMs(member, fromMs, centre.periodEndMs).divide(HOUR);
    const place = { tenant_id: workload.tenantId, site_id: workload.siteId, kind: 'credit', sku: workload.accelerator } as const;
    const line = { ...place, meter: 'gpu_hours', workload_id: workload.id, price_id: entry.id } as const;
    return back.n === 0n ? [] : [priced(line, back, `-${entry.price}`, efficiency.factor)];
  });
}

/** Token lines: per tenant, site, model, class and price. Sums of the unmapped team are left out: nobody can be billed. */
export function tokenLines(centre: Centre, sums: readonly TokenSum[]): ExpectedLine[] {
  const groups = new Map<string, { sum: TokenSum; tenantId: string; priceId: string; tokens: Record<TokenClass, number> }>();
  for (const sum of sums) {
    const tenantId = centre.tenants[sum.tenant]?.id;
    if (tenantId === undefined) continue;
    const priceId = tokenPriceOf(sum.model, tenantId, sum.segment).id;
    const key = `${tenantId} ${sum.siteId} ${priceId}`;
    const none = { input_uncached: 0, input_cache_read: 0, input_cache_write: 0, output: 0 };
    const group = groups.get(key) ?? { sum, tenantId, priceId, tokens: none };
    groups.set(key, group);
    for (const name of TOKEN_CLASSES) group.tokens[name] += sum[name];
  }
  return [...groups.values()].flatMap(({ sum, tenantId, priceId, tokens }) =>
    TOKEN_CLASSES.flatMap((name) => {
      if (tokens[name] === 0) return [];
      const quantity = Rational.of(tokens[name]).divide(MILLION);
      const place = {
        tenant_id: tenantId,
        site_id: sum.siteId,
        kind: 'tokens',
        sku: `${sum.model}:${name}`,
        meter: name,
        workload_id: null,
        price_id: priceId,
      } as const;
      return slices(place, quantity, tokenPriceOf(sum.model, tenantId, sum.segment).perMillion[name]);
    }),
  );
}

/** One line per tier reached, and one at 0 for what an allowance leaves free. */
function slices(
  place: Parameters<typeof priced>[0],
  quantity: Rational,
  price: ReturnType<typeof tokenPriceOf>['perMillion'][TokenClass],
): ExpectedLine[] {
  if (typeof price === 'string') {
    const free = place.tenant_id === FREE_ALLOWANCE.tenantId && place.sku === `${FREE_ALLOWANCE.model}:${FREE_ALLOWANCE.meter}`;
    if (!free) return [priced(place, quantity, price, '1')];
    return split(quantity, FREE_ALLOWANCE.quantity).map(([part, above]) => priced(place, part, above ? price : '0', '1'));
  }
  return split(quantity, price.upTo).map(([part, above]) => priced(place, part, above ? price.above : price.price, '1'));
}

/** The part up to a bound and the part above it, without empty parts. */
function split(quantity: Rational, bound: string): (readonly [Rational, boolean])[] {
  const at = Rational.of(bound);
  if (quantity.compare(at) <= 0) return [[quantity, false]];
  return [
    [at, false],
    [quantity.subtract(at), true],
  ];
}
