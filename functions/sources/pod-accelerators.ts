/** Accelerators that a Pod object asks for: the count of SPEC 4, exact. */
import { Rational } from '../domain/money.ts';
import { type ResourceCatalog, resourceField } from './accelerator-resources.ts';
import { child, FieldReader, type JsonObject } from './fields.ts';
import { objects } from './pod-status.ts';
import { type Rejection, reject } from './source.ts';

export interface PodAccelerators {
  /** Decimal with 6 places. */
  readonly count: string;
  /** Resource names that hold accelerators, sorted, joined by ','. */
  readonly resourceName: string;
  /** Model, when every resource name says the same one. */
  readonly model: string | null;
}

interface Held {
  readonly model: string | null;
  accelerators: Rational;
}
type HeldByResource = Map<string, Held>;

const ZERO = Rational.of(0);

/** Quantities of one container that concern accelerators; a request that is missing equals its limit. Extended resources are integers. */
function quantitiesOf(container: JsonObject, catalog: ResourceCatalog): ReadonlyMap<string, number> | Rejection {
  const resources = child(container, 'resources');
  const merged = { ...child(resources, 'limits'), ...child(resources, 'requests') };
  const quantities = new Map<string, number>();
  const reader = new FieldReader();
  for (const [name, quantity] of Object.entries(merged)) {
    if (!catalog.concerns(name)) continue;
    const count = reader.count(quantity, resourceField('spec.containers[].resources', name), { text: true });
    if (count !== null) quantities.set(name, count);
  }
  return reader.rejection ?? quantities;
}

function heldBy(container: JsonObject, catalog: ResourceCatalog): HeldByResource | Rejection {
  const quantities = quantitiesOf(container, catalog);
  if ('reason' in quantities) return quantities;
  const held = catalog.held(quantities);
  if ('reason' in held) return held;
  return new Map(held.map(({ resource, accelerators, model }) => [resource, { accelerators, model }]));
}

function add(into: HeldByResource, from: HeldByResource): void {
  for (const [resource, held] of from) {
    const sum = into.get(resource)?.accelerators.add(held.accelerators) ?? held.accelerators;
    into.set(resource, { model: held.model, accelerators: sum });
  }
}

function keepLarger(into: HeldByResource, from: HeldByResource): void {
  for (const [resource, held] of from) {
    const known = into.get(resource)?.accelerators ?? ZERO;
    if (known.compare(held.accelerators) < 0) into.set(resource, held);
  }
}

/** max(Σ containers, largest init container) + Σ sidecars, per resource name. */
function heldByPod(spec: JsonObject, catalog: ResourceCatalog): HeldByResource | Rejection {
  const together: HeldByResource = new Map();
  const sidecars: HeldByResource = new Map();
  const inits: HeldByResource[] = [];
  for (const container of objects(spec['containers'])) {
    const held = heldBy(container, catalog);
    if ('reason' in held) return held;
    add(together, held);
  }
  for (const container of objects(spec['initContainers'])) {
    const held = heldBy(container, catalog);
    if ('reason' in held) return held;
    // A restartable init container runs beside the others until the pod ends.
    if (container['restartPolicy'] === 'Always') add(sidecars, held);
    else inits.push(held);
  }
  for (const init of inits) keepLarger(together, init);
  add(together, sidecars);
  return together;
}

/**
 * What the pod holds, or null when it asks for no accelerator.
 * Errors: those of ResourceCatalog.held; not_an_integer or negative for a quantity ("1k" is refused, not read as 1000).
 * Example: containers 4 + 4, init container 1 → '8.000000' of nvidia.com/gpu; one container with nvidia.com/mig-3g.40gb: 2 → '0.857143'.
 */
export function podAccelerators(pod: JsonObject, catalog: ResourceCatalog): PodAccelerators | Rejection | null {
  const spec = child(pod, 'spec');
  if (spec === null) return reject('missing_field', 'spec');
  const held = heldByPod(spec, catalog);
  if ('reason' in held) return held;
  if (held.size === 0) return null;
  const names = [...held.keys()].sort();
  const models = new Set([...held.values()].map(({ model }) => model));
  const total = [...held.values()].reduce((sum, { accelerators }) => sum.add(accelerators), ZERO);
  if (total.compare(Rational.of(1_000_000)) >= 0) return reject('out_of_range', 'spec.containers[].resources');
  return { count: total.toFixed(6), resourceName: names.join(','), model: models.size === 1 ? ([...models][0] ?? null) : null };
}

/** True when devices come by resource claims (DRA): their number is in the ResourceClaim, not in the pod. */
export function hasResourceClaims(pod: JsonObject): boolean {
  return objects(child(pod, 'spec')?.['resourceClaims']).length > 0;
}
