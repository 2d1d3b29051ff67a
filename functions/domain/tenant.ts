/** Who is billed: source keys (namespace, account, gateway team) of tenants, effective-dated (SPEC 1). */
import tenantsSchema from '../../schemas/tenants.schema.json' with { type: 'json' };
import { overlaps, readSpan, type Span } from './effective.ts';
import { below, Faults, type Place } from './faults.ts';
import type { YamlDocument } from './yaml-config.ts';

export interface TenantKey extends Span {
  /** As the source prints it. */
  readonly key: string;
}

export interface Tenant {
  readonly id: string;
  /** For statements. */
  readonly name: string;
  readonly keys: readonly TenantKey[];
}

/** At any instant a key belongs to at most one tenant. */
export interface TenantMap {
  readonly fileName: string;
  readonly tenants: readonly Tenant[];
}

interface RawTenants {
  readonly tenants: readonly {
    readonly id: string;
    readonly name?: string;
    readonly keys: readonly (string | { readonly key: string; readonly from?: string; readonly to?: string })[];
  }[];
}

/**
 * The tenant map of a YAML document; dates are read in the centre's zone.
 * Errors: KashiError config_invalid that lists every fault: unknown keys, repeated ids, wrong dates, one key held twice at one instant.
 */
export function parseTenants(document: YamlDocument, fileName: string, timeZone: string): TenantMap {
  const faults = new Faults(fileName);
  const raw = faults.validated<RawTenants>(document, tenantsSchema);
  const owners = new Map<string, Owner[]>();
  const ids = new Set<string>();
  const tenants = (raw?.tenants ?? []).map((tenant, index): Tenant => {
    const place: Place = { document, pointer: `/tenants/${index}` };
    if (ids.has(tenant.id)) faults.add(below(place, 'id'), 'repeated id', 'one entry per tenant', tenant.id);
    ids.add(tenant.id);
    const keys = tenant.keys.flatMap((key, at): TenantKey[] => {
      const keyPlace = below(place, 'keys', at);
      const dated = typeof key === 'string' ? { key } : key;
      const span = readSpan(faults, keyPlace, dated, timeZone);
      if (span === null) return [];
      claim(faults, owners, { key: dated.key, tenantId: tenant.id, place: keyPlace, ...span });
      return [{ key: dated.key, ...span }];
    });
    return { id: tenant.id, name: tenant.name ?? tenant.id, keys };
  });
  faults.throwIfAny('config_invalid');
  return { fileName, tenants };
}

/** The tenant a key belongs to at an instant, or null. Example: ns-a from 2026-01-01 belongs to nobody in 2025. */
export function tenantOf(map: TenantMap, key: string, atMs: number): string | null {
  const owner = map.tenants.find(({ keys }) => keys.some((one) => one.key === key && one.fromMs <= atMs && atMs < one.toMs));
  return owner?.id ?? null;
}

interface Owner extends TenantKey {
  readonly tenantId: string;
  readonly place: Place;
}

function claim(faults: Faults, owners: Map<string, Owner[]>, claimed: Owner): void {
  const others = owners.get(claimed.key) ?? [];
  const other = others.find((one) => overlaps(one, claimed));
  if (other !== undefined) {
    const line = other.place.document.lineOf(other.place.pointer);
    const found = `${claimed.key} of ${claimed.tenantId}, also of ${other.tenantId} at line ${line}`;
    faults.add(claimed.place, 'overlap: one key, two entries at once', 'from and to that do not overlap', found);
  }
  owners.set(claimed.key, [...others, claimed]);
}
