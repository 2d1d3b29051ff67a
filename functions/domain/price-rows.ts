/** Price entries → rows of ref_price and ref_price_tier: one row per entry, meter and band. */
import type { PriceBook } from './price-book.ts';
import type { Entry, TierTable } from './price-entry.ts';
import type { ReferenceRow, ReferenceRows } from './reference.ts';
import type { Meter } from './unit-prices.ts';

/** Above any quantity a line can have; DECIMAL(20,6) holds it. */
const OPEN_QUANTITY = '99999999999999';

interface PricedUnit {
  readonly entry: Entry;
  readonly product: string;
  readonly meter: Meter;
  readonly tenantId: string;
  readonly siteId: string;
  readonly imageDigest: string;
  readonly band: string;
  readonly tiers: TierTable;
}

/**
 * The rows of every price of the book. Key: price_id, meter, band. Of the prices that match a unit at an instant the highest
 * specificity wins: tenant 8 + digest 4 + site 2 + band 1, so no two selectors tie. Example: a rate card for one tenant at one site → 10.
 */
export function priceRows(book: PriceBook | null): Pick<ReferenceRows, 'ref_price' | 'ref_price_tier'> {
  const units = book === null ? [] : pricedUnits(book);
  return { ref_price: units.map(priceRow), ref_price_tier: units.flatMap(tierRows) };
}

function pricedUnits(book: PriceBook): PricedUnit[] {
  const gpu = book.gpuPrices.flatMap((entry): PricedUnit[] => {
    const { accelerator: product, tenantId, siteId } = entry;
    const common = { entry, product, meter: 'gpu_hours' as const, tenantId, siteId, imageDigest: '' };
    const banded = [...entry.bands].map(([band, tiers]) => ({ ...common, band, tiers }));
    return [{ ...common, band: '', tiers: entry.price }, ...banded];
  });
  const tokens = book.tokenPrices.flatMap((entry) => {
    const { model: product, tenantId, siteId, imageDigest } = entry;
    return [...entry.perMillion].map(
      ([meter, tiers]): PricedUnit => ({
        entry,
        product,
        meter,
        tenantId,
        siteId,
        imageDigest,
        band: '',
        tiers,
      }),
    );
  });
  return [...gpu, ...tokens];
}

function priceRow({ entry, product, meter, tenantId, siteId, imageDigest, band, tiers }: PricedUnit): ReferenceRow {
  const specificity = (tenantId === '' ? 0 : 8) + (imageDigest === '' ? 0 : 4) + (siteId === '' ? 0 : 2) + (band === '' ? 0 : 1);
  return {
    price_id: entry.id,
    product,
    meter,
    tenant_id: tenantId,
    site_id: siteId,
    image_digest: imageDigest,
    band,
    specificity,
    tier_mode: tiers.mode,
    approved_by: entry.approvedBy,
    from_ms: entry.fromMs,
    to_ms: entry.toMs,
  };
}

function tierRows({ entry, meter, band, tiers }: PricedUnit): ReferenceRow[] {
  return tiers.tiers.map((tier, index) => ({
    price_id: entry.id,
    meter,
    band,
    tier_no: index,
    from_quantity: tier.fromQuantity,
    to_quantity: tier.toQuantity ?? OPEN_QUANTITY,
    unit_price: tier.unitPrice,
  }));
}
