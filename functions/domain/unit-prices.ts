/** Entries that say what a unit costs its buyer: GPU-hours, tokens, and the free part of either. */
import type { Dated } from './effective.ts';
import { below, type Place } from './faults.ts';
import {
  datedEntry,
  type Entry,
  fixed,
  flatTiers,
  type Provenance,
  provenanceOf,
  type RawDecimal,
  type RawEntry,
  type RawTiers,
  type Reading,
  readAccelerator,
  readTiers,
  requireModel,
  requireWholeMonths,
  type TierTable,
} from './price-entry.ts';

/** Token classes that are priced, as stored columns without `_tokens` (SPEC 1). */
export const TOKEN_METERS = ['input_uncached', 'input_cache_read', 'input_cache_write', 'output'] as const;
export type TokenMeter = (typeof TOKEN_METERS)[number];
export type Meter = 'gpu_hours' | TokenMeter;

export interface GpuPriceTerms extends Provenance {
  readonly accelerator: string;
  /** Empty for every site. */
  readonly siteId: string;
  /** Empty for everybody. */
  readonly tenantId: string;
  /** Per GPU-hour. */
  readonly price: TierTable;
  /** Tariff band → price per GPU-hour; used instead of `price` inside that band. */
  readonly bands: ReadonlyMap<string, TierTable>;
}
export type GpuPrice = GpuPriceTerms & Entry;

export interface TokenPriceTerms extends Provenance {
  readonly model: string;
  /** Empty for every release. */
  readonly imageDigest: string;
  readonly siteId: string;
  readonly tenantId: string;
  /** Per 1 000 000 tokens. A class that is absent has no price: its tokens are unrated, never free. */
  readonly perMillion: ReadonlyMap<TokenMeter, TierTable>;
}
export type TokenPrice = TokenPriceTerms & Entry;

export interface AllowanceTerms extends Provenance {
  /** Empty for each tenant. */
  readonly tenantId: string;
  /** Accelerator model or model name. */
  readonly product: string;
  readonly meter: Meter;
  /** GPU-hours, or millions of tokens; 6 decimals. */
  readonly quantity: string;
}
export type Allowance = AllowanceTerms & Entry;

export interface RawGpuPrice extends RawEntry {
  readonly accelerator: string;
  readonly site?: string;
  readonly tenant?: string;
  readonly price?: RawDecimal;
  readonly tiers?: RawTiers;
  readonly bands?: Readonly<Record<string, RawDecimal>>;
}

export interface RawTokenPrice extends RawEntry {
  readonly model: string;
  readonly image_digest?: string;
  readonly site?: string;
  readonly tenant?: string;
  readonly per_million: Readonly<Partial<Record<TokenMeter, RawDecimal | RawTiers>>>;
}

export interface RawAllowance extends RawEntry {
  readonly tenant?: string;
  readonly accelerator?: string;
  readonly model?: string;
  readonly meter?: TokenMeter;
  readonly quantity: RawDecimal;
}

/** Price of a GPU-hour; its selector is accelerator, site and tenant. Faults: unknown accelerator, both or neither of price and tiers. */
export function readGpuPrice(reading: Reading, place: Place, raw: RawGpuPrice): Dated<GpuPriceTerms> | null {
  const { faults } = reading;
  const { site = '', tenant = '' } = raw;
  const accelerator = readAccelerator(reading, place, raw.accelerator);
  if ((raw.price === undefined) === (raw.tiers === undefined)) {
    faults.add(below(place, 'price'), 'an entry has one price', 'either price or tiers', raw.price === undefined ? 'neither' : 'both');
  }
  const price = raw.tiers === undefined ? flatTiers(raw.price ?? 0) : readTiers(faults, below(place, 'tiers'), raw.tiers);
  const bands = new Map(Object.entries(raw.bands ?? {}).map(([band, bandPrice]) => [band, flatTiers(bandPrice)] as const));
  const terms: GpuPriceTerms = { ...provenanceOf(raw), accelerator, siteId: site, tenantId: tenant, price, bands };
  return datedEntry(reading, place, raw, [accelerator, site, tenant], scopeText(accelerator, site, tenant), terms);
}

/** Prices of tokens; the selector is model, image digest, site and tenant. Faults: unknown model, tiers that do not grow. */
export function readTokenPrice(reading: Reading, place: Place, raw: RawTokenPrice): Dated<TokenPriceTerms> | null {
  const { image_digest: imageDigest = '', site = '', tenant = '' } = raw;
  requireModel(reading, place, raw.model);
  const perMillion = new Map<TokenMeter, TierTable>();
  for (const meter of TOKEN_METERS) {
    const price = raw.per_million[meter];
    if (price === undefined) continue;
    const tiers = typeof price === 'object' ? readTiers(reading.faults, below(place, 'per_million', meter), price) : flatTiers(price);
    perMillion.set(meter, tiers);
  }
  const terms: TokenPriceTerms = { ...provenanceOf(raw), model: raw.model, imageDigest, siteId: site, tenantId: tenant, perMillion };
  const label = scopeText(imageDigest === '' ? raw.model : `${raw.model} ${imageDigest.slice(0, 19)}`, site, tenant);
  return datedEntry(reading, place, raw, [raw.model, imageDigest, site, tenant], label, terms);
}

/** A free quantity; the selector is tenant, product and meter. Faults: not exactly one product, a meter with an accelerator or none with a model,
 * a start or end inside a month (the quantity is free a period, not a part of one). */
export function readAllowance(reading: Reading, place: Place, raw: RawAllowance): Dated<AllowanceTerms> | null {
  const { faults } = reading;
  const { tenant = '', accelerator, model, meter } = raw;
  if ((accelerator === undefined) === (model === undefined)) {
    faults.add(place, 'an allowance is for one product', 'either accelerator or model', model === undefined ? 'neither' : 'both');
    return null;
  }
  if (model !== undefined && meter === undefined) {
    faults.add(below(place, 'meter'), 'missing key', TOKEN_METERS.join(', '), 'nothing');
    return null;
  }
  if (accelerator !== undefined && meter !== undefined) {
    faults.add(below(place, 'meter'), 'an accelerator is metered in GPU-hours', 'no meter', meter);
  }
  if (model !== undefined) requireModel(reading, place, model);
  const product = accelerator === undefined ? (model ?? '') : readAccelerator(reading, place, accelerator);
  const resolved: Meter = accelerator === undefined ? (meter ?? 'output') : 'gpu_hours';
  const terms: AllowanceTerms = { ...provenanceOf(raw), tenantId: tenant, product, meter: resolved, quantity: fixed(raw.quantity, 6) };
  const dated = datedEntry(reading, place, raw, [tenant, product, resolved], scopeText(`${product} ${resolved}`, '', tenant), terms);
  if (dated !== null) requireWholeMonths(reading, dated, 'an allowance');
  return dated;
}

function scopeText(product: string, site: string, tenant: string): string {
  return `${product}${site === '' ? '' : ` at ${site}`}${tenant === '' ? '' : ` for ${tenant}`}`;
}
