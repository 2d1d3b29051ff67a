/** Names that reviewed files use about one another: the sites and tenants of a price book. */
import type { ReferenceInput } from './build-reference.ts';
import { KashiError } from './errors.ts';
import type { Entry } from './price-entry.ts';

type NamedFiles = Pick<ReferenceInput, 'config' | 'priceBook' | 'tenants' | 'inventory'>;

/**
 * Nothing, when every site and tenant that a price names exists: a rate card with a misspelt name would silently charge the list
 * price. A file that is not configured is not asked; nor is the tenant map when unmapped keys are tenants of their own.
 * Errors: KashiError price_book_invalid that lists every unknown name.
 */
export function requireKnownNames({ config, priceBook, tenants, inventory }: NamedFiles): void {
  if (priceBook === null) return;
  const sites = inventory === null ? null : new Set(inventory.sites.map(({ id }) => id));
  const known = tenants === null || config.tenants.unmapped === 'as_is' ? null : new Set(tenants.tenants.map(({ id }) => id));
  const named: readonly (Entry & { readonly siteId?: string; readonly tenantId?: string })[] = [
    ...priceBook.gpuPrices,
    ...priceBook.tokenPrices,
    ...priceBook.allowances,
    ...priceBook.assetPools,
    ...priceBook.releases,
    ...priceBook.budgets,
  ];
  const faults = named.flatMap((entry) => [
    ...unknownName(entry.id, 'site', entry.siteId ?? '', sites, inventory?.fileName),
    ...unknownName(entry.id, 'tenant', entry.tenantId ?? '', known, tenants?.fileName),
  ]);
  if (faults.length === 0) return;
  const message =
    faults.length === 1 ? (faults[0] as string) : [`${faults.length} faults`, ...faults.map((fault) => `  ${fault}`)].join('\n');
  throw new KashiError('price_book_invalid', message, { where: priceBook.fileName });
}

function unknownName(id: string, key: string, name: string, known: ReadonlySet<string> | null, file: string | undefined): string[] {
  if (name === '' || known === null || known.has(name)) return [];
  return [`entry ${id} ${key}: unknown ${key}, allowed: one of ${file ?? ''} (${[...known].join(', ')}), found: ${name}`];
}
