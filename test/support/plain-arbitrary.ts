/** Random centres for the differential tests: months of allocations, requests and prices, with the awkward values drawn often. */
import fc from 'fast-check';
import { nextPeriod, type Period, periodOf } from '../../functions/domain/period.ts';
import type { Meter, PlainAllocation, PlainBook, PlainPrice, PlainTiers, PlainUsage } from './plain-facts.ts';

export interface PlainCentre {
  readonly timeZone: string;
  readonly months: readonly Period[];
  readonly book: PlainBook;
  readonly allocations: readonly PlainAllocation[];
  readonly usages: readonly PlainUsage[];
}

const HOUR_MS = 3_600_000;
const GPU_MODELS = ['h800', 'a100', 'h100'] as const;
/** Known to the catalog, priced by nobody. */
const UNPRICED = 'b200';
const TOKEN_MODELS = ['chat', 'code'] as const;
const TENANTS = ['research', 'sales', 'lab'] as const;
const SITES = ['hq', 'edge-1'] as const;
const DIGESTS = ['', `sha256:${'1'.repeat(64)}`] as const;
const TOKEN_METERS = ['input_uncached', 'input_cache_read', 'output'] as const;
/** As the catalog states them. */
const CEILINGS = { a100: 869_300n, h100: 803_100n, b200: 775_600n } as const;

const often = <T>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const microQuantity = fc.oneof(fc.bigInt(1n, 2_000_000_000n), often(1n, 1_000_000n, 100_000_000n));
const unitPrice = fc.oneof(fc.bigInt(0n, 1_000_000_000_000n), often(0n, 1n, 5_000_000_000n, 100_000_000_000n));

const tiers: fc.Arbitrary<PlainTiers> = fc
  .record({
    mode: often<PlainTiers['mode']>('graduated', 'volume'),
    bounds: fc.uniqueArray(microQuantity, { maxLength: 3 }),
    prices: fc.array(unitPrice, { minLength: 4, maxLength: 4 }),
  })
  .map(({ mode, bounds, prices }) => {
    const upTos = [...bounds].sort((a, b) => (a < b ? -1 : 1));
    return { mode, steps: [...upTos, null].map((upTo, index) => ({ upTo, price: prices[index] ?? 0n })) };
  });

/** Instants between the first month's start and the last one's end, month bounds and their neighbours drawn often. */
function instants(months: readonly Period[]): fc.Arbitrary<number> {
  const first = months[0]?.startMs ?? 0;
  const last = months.at(-1)?.endMs ?? 0;
  const edges = months.flatMap(({ startMs }) => [startMs - 1, startMs, startMs + 1]);
  return fc.oneof({ weight: 4, arbitrary: fc.integer({ min: first, max: last - 1 }) }, { weight: 1, arbitrary: often(...edges) });
}

/** Entries of one selector: the first usually holds from the beginning, so that most usage is priced. */
function entries(
  months: readonly Period[],
  prefix: string,
  scope: Omit<PlainPrice, 'id' | 'fromMs' | 'meters'>,
  meters: readonly Meter[],
  always: boolean,
): fc.Arbitrary<PlainPrice[]> {
  const start = fc.oneof(
    { weight: always ? 5 : 1, arbitrary: fc.constant((months[0]?.startMs ?? 0) - 40 * 24 * HOUR_MS) },
    { weight: 1, arbitrary: instants(months) },
  );
  const priced = fc.record(
    Object.fromEntries(meters.map((meter) => [meter, fc.option(tiers, { nil: undefined, freq: 8 })])) as Record<
      Meter,
      fc.Arbitrary<PlainTiers | undefined>
    >,
  );
  return fc
    .tuple(start, fc.uniqueArray(instants(months), { maxLength: 2 }), fc.array(priced, { minLength: 3, maxLength: 3 }), tiers)
    .map(([from, later, tables, spare]) =>
      [...new Set([from, ...later])].map((fromMs, index) => {
        const stated = Object.entries(tables[index] ?? {}).filter(([, table]) => table !== undefined) as [Meter, PlainTiers][];
        return {
          ...scope,
          id: `${prefix}-${index}`,
          fromMs,
          meters: stated.length > 0 ? Object.fromEntries(stated) : { [meters[0] as Meter]: spare },
        };
      }),
    );
}

function prices(months: readonly Period[]): fc.Arbitrary<PlainPrice[]> {
  const any = { tenant: '', site: '', digest: '' };
  const products = [
    ...GPU_MODELS.map((product) => ({ product, meters: ['gpu_hours'] as const })),
    ...TOKEN_MODELS.map((product) => ({ product, meters: TOKEN_METERS })),
  ];
  const lists = products.flatMap(({ product, meters }) => {
    const special = (name: string, scope: Partial<typeof any>): fc.Arbitrary<PlainPrice[]> =>
      fc.option(entries(months, `${product}-${name}`, { ...any, ...scope, product }, meters, false), { nil: [], freq: 2 });
    const own = [
      entries(months, product, { ...any, product }, meters, true),
      special('card', { tenant: 'research' }),
      special('site', { site: 'edge-1' }),
      special('both', { tenant: 'sales', site: 'edge-1' }),
    ];
    return meters.length === 1 ? own : [...own, special('digest', { digest: DIGESTS[1] })];
  });
  return fc.tuple(...lists).map((all) => all.flat());
}

const allowances: fc.Arbitrary<PlainBook['allowances']> = fc
  .uniqueArray(fc.record({ tenant: often('', 'research', 'sales'), product: often<string>('h800', 'chat'), quantity: microQuantity }), {
    maxLength: 4,
    selector: ({ tenant, product }) => `${tenant}/${product}`,
  })
  .map((all) => all.map((one) => ({ ...one, meter: one.product === 'chat' ? ('output' as const) : ('gpu_hours' as const) })));

const policy: fc.Arbitrary<PlainBook['policy']> = fc.option(
  fc.constant({
    lowPpm: 200_000n,
    lowFactor: 1_200_000n,
    highPpm: 500_000n,
    highFactor: 900_000n,
    minCoverage: 900_000n,
    tolerance: 20_000n,
  }),
  { nil: null, freq: 5 },
);

const hfuPpm = fc.option(fc.oneof(fc.bigInt(0n, 900_000n), often(0n, 199_999n, 200_000n, 520_000n)), { nil: null, freq: 8 });
const mfuPpm = fc.option(fc.oneof(fc.bigInt(0n, 900_000n), often(499_999n, 500_000n, 500_001n, 540_000n, 803_100n)), {
  nil: null,
  freq: 2,
});
const countMicro = fc.oneof(
  fc.bigInt(1n, 16n).map((whole) => whole * 1_000_000n),
  fc.bigInt(1n, 3_000_000n),
  often(142_857n, 333_333n, 460_000n),
);
const durationMs = fc.oneof(
  fc.integer({ min: 0, max: 100 }),
  fc.integer({ min: 0, max: 30 * HOUR_MS }),
  fc.integer({ min: 0, max: 50 * 24 * HOUR_MS }),
);

/** One workload: one tenant, site and model, one to four allocations. */
function workload(index: number, at: fc.Arbitrary<number>): fc.Arbitrary<PlainAllocation[]> {
  const held = fc.record({ startMs: at, durationMs, countMicro, hfuPpm, mfuPpm });
  return fc
    .record({
      tenant: fc.oneof({ weight: 12, arbitrary: often<string>(...TENANTS) }, { weight: 1, arbitrary: fc.constant('') }),
      site: often(...SITES),
      model: fc.oneof({ weight: 9, arbitrary: often<string>(...GPU_MODELS) }, { weight: 1, arbitrary: fc.constant(UNPRICED) }),
      all: fc.array(held, { minLength: 1, maxLength: 4 }),
    })
    .map(({ tenant, site, model, all }) =>
      all.map(({ durationMs: duration, ...rest }) => ({
        ...rest,
        workload: `job-${index}`,
        tenant,
        site,
        model,
        endMs: rest.startMs + duration,
      })),
    );
}

const count = fc.oneof(fc.bigInt(0n, 10_000_000n), often(0n, 1n, 1_000n, 1_000_000n));

function usage(at: fc.Arbitrary<number>): fc.Arbitrary<Omit<PlainUsage, 'key'>> {
  return fc.record({
    tenant: fc.oneof({ weight: 20, arbitrary: often<string>(...TENANTS) }, { weight: 1, arbitrary: fc.constant('') }),
    site: often(...SITES),
    model: fc.oneof({ weight: 20, arbitrary: often<string>(...TOKEN_MODELS) }, { weight: 1, arbitrary: fc.constant('mystery') }),
    digest: often<string>(...DIGESTS),
    atMs: at,
    status: fc.oneof(
      { weight: 6, arbitrary: fc.constant('success' as const) },
      { weight: 1, arbitrary: often('failure' as const, 'cache_hit' as const) },
    ),
    tokens: fc.record({ input_uncached: count, input_cache_read: count, output: count }),
  });
}

const workloadsOf = (months: number): number => Math.max(10, 2 * months);

/** Centres of so many months each, about as busy whatever their number. */
export const plainCentresOf = (length: number): fc.Arbitrary<PlainCentre> =>
  fc
    .record({
      timeZone: often('Asia/Shanghai', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata'),
      year: fc.integer({ min: 2020, max: 2024 }),
      month: fc.integer({ min: 1, max: 12 }),
    })
    .chain(({ timeZone, year, month }) => {
      const months = [periodOf(`${year}-${String(month).padStart(2, '0')}`, timeZone)];
      while (months.length < length) months.push(nextPeriod(months.at(-1) as Period));
      const at = instants(months);
      return fc.record({
        timeZone: fc.constant(timeZone),
        months: fc.constant(months),
        book: fc.record({ prices: prices(months), allowances, policy, ceilings: fc.constant(CEILINGS) }),
        allocations: fc.tuple(...Array.from({ length: workloadsOf(length) }, (_, index) => workload(index, at))).map((all) => all.flat()),
        usages: fc
          .array(usage(at), { minLength: 2 * workloadsOf(length), maxLength: 6 * workloadsOf(length) })
          .map((all) => all.map((one, index) => ({ ...one, key: `r${index}` }))),
      });
    })
    .map((centre) =>
      Object.assign(centre, {
        [fc.toStringMethod]: () =>
          `centre in ${centre.timeZone} from ${centre.months[0]?.period}: ${centre.allocations.length} allocations, ${centre.usages.length} requests`,
      }),
    );

export const plainCentres: fc.Arbitrary<PlainCentre> = plainCentresOf(6);
