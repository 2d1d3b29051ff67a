/** Resources and allocation keys as YuniKorn writes them. */
import { Rational } from '../domain/money.ts';
import { type ResourceCatalog, resourceField } from './accelerator-resources.ts';
import { isObject, type JsonObject } from './fields.ts';
import type { PodAccelerators } from './pod-accelerators.ts';
import { kindOf, type Rejection, reject } from './source.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/i;

/** The pod uid of an allocation key. Example: '…-ebfadce9aa20-0' → '…-ebfadce9aa20'; a key that is no uid stays as it is. */
export function allocationUid(key: string): string {
  return UUID.exec(key)?.[0] ?? key;
}

/** Values by resource name: `{"nvidia.com/gpu": {"value": 8}}` in events (a missing value is 0), `{"nvidia.com/gpu": 8}` in the REST answers. */
export function resourceValues(resources: JsonObject | null): ReadonlyMap<string, unknown> {
  return new Map(Object.entries(resources ?? {}).map(([name, value]) => [name, isObject(value) ? (value['value'] ?? 0) : value]));
}

/** What the values hold, or null when that is no accelerator. Errors: those of ResourceCatalog.held; not_an_integer, out_of_range. */
export function resourceAccelerators(values: ReadonlyMap<string, unknown>, catalog: ResourceCatalog): PodAccelerators | Rejection | null {
  const quantities = new Map<string, number>();
  for (const [name, value] of values) {
    if (!catalog.concerns(name)) continue;
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
      return reject('not_an_integer', resourceField('resource', name), kindOf(value));
    quantities.set(name, value);
  }
  const held = catalog.held(quantities);
  if ('reason' in held) return held;
  if (held.length === 0) return null;
  const total = held.reduce((sum, { accelerators }) => sum.add(accelerators), Rational.of(0));
  if (total.compare(Rational.of(1_000_000)) >= 0) return reject('out_of_range', 'resource');
  const models = new Set(held.map(({ model }) => model));
  return {
    count: total.toFixed(6),
    resourceName: held.map(({ resource }) => resource).join(','),
    model: models.size === 1 ? ([...models][0] ?? null) : null,
  };
}
