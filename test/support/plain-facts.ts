/**
 * Plain facts and a plain price book: what the naive rater rates and what plain-centre.ts writes as files.
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
  readonly policy: {
    readonly lowPpm: bigint;
    readonly lowFactor: bigint;
    readonly highPpm: bigint;
    readonly highFactor: bigint;
    readonly minCoverage: bigint;
    readonly tolerance: bigint;
  } | null;
  /** Highest MFU ever measured, by accelerator; a model that is absent has none. */
  readonly ceilings: Readonly<Record<string, bigint>>;
}

export interface Month {
  readonly startMs: number;
  readonly endMs: number;
}
