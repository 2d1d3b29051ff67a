/** What the centre owns: sites, their nodes and accelerators, and what was out of service, effective-dated. */
import inventorySchema from '../../schemas/inventory.schema.json' with { type: 'json' };
import { type AcceleratorCatalog, resolveModel } from './accelerator.ts';
import { overlaps, readSpan, type Span } from './effective.ts';
import { below, Faults, type Place } from './faults.ts';
import type { YamlDocument } from './yaml-config.ts';

export type Bills = 'gpu_hours' | 'tokens';

export interface InventoryNode extends Span {
  readonly name: string;
  /** Catalog model. */
  readonly accelerator: string;
  readonly count: number;
}

export interface Outage extends Span {
  readonly node: string;
  /** Accelerators out of service. */
  readonly count: number;
  readonly kind: 'maintenance' | 'lost';
}

export interface Site {
  readonly id: string;
  readonly tier: 'hq' | 'edge';
  /** Empty when the file does not say. */
  readonly region: string;
  /** What tenants are charged for here; the rest is the platform's own cost. */
  readonly bills: ReadonlySet<Bills>;
  readonly nodes: readonly InventoryNode[];
  readonly outages: readonly Outage[];
}

export interface Inventory {
  readonly fileName: string;
  readonly sites: readonly Site[];
}

interface RawDates {
  readonly from?: string;
  readonly to?: string;
}

interface RawSite {
  readonly id: string;
  readonly tier: 'hq' | 'edge';
  readonly region?: string;
  readonly bills?: readonly Bills[];
  readonly nodes?: readonly (RawDates & { readonly name: string; readonly accelerator: string; readonly count: number })[];
  readonly outages?: readonly (RawDates & { readonly node: string; readonly count?: number; readonly kind: Outage['kind'] })[];
}

/** SPEC 8: headquarters sells GPU-hours; an edge sells tokens, and its GPU-hours are the platform's own cost. */
const DEFAULT_BILLS: Readonly<Record<Site['tier'], readonly Bills[]>> = { hq: ['gpu_hours'], edge: ['tokens'] };

export interface InventoryContext {
  readonly timeZone: string;
  readonly catalog: AcceleratorCatalog;
}

/**
 * The inventory of a YAML document; dates are read in the centre's zone.
 * Errors: KashiError config_invalid that lists every fault: unknown accelerators, repeated sites, one node twice at once,
 * outages of unknown nodes or of more accelerators than the node has then.
 */
export function parseInventory(document: YamlDocument, fileName: string, context: InventoryContext): Inventory {
  const faults = new Faults(fileName);
  const raw = faults.validated<{ readonly sites: readonly RawSite[] }>(document, inventorySchema);
  const ids = new Set<string>();
  const sites = (raw?.sites ?? []).map((site, index): Site => {
    const place: Place = { document, pointer: `/sites/${index}` };
    if (ids.has(site.id)) faults.add(below(place, 'id'), 'repeated id', 'one entry per site', site.id);
    ids.add(site.id);
    const nodes = readNodes(faults, place, site, context);
    return {
      id: site.id,
      tier: site.tier,
      region: site.region ?? '',
      bills: new Set(site.bills ?? DEFAULT_BILLS[site.tier]),
      nodes,
      outages: readOutages(faults, place, site, nodes, context.timeZone),
    };
  });
  faults.throwIfAny('config_invalid');
  return { fileName, sites };
}

function readNodes(faults: Faults, place: Place, site: RawSite, { timeZone, catalog }: InventoryContext): InventoryNode[] {
  const nodes: InventoryNode[] = [];
  (site.nodes ?? []).forEach((node, index) => {
    const at = below(place, 'nodes', index);
    const model = resolveModel(catalog, node.accelerator);
    if (model === null) {
      faults.add(below(at, 'accelerator'), 'unknown accelerator', 'a model or alias of the accelerator catalog', node.accelerator);
    }
    const span = readSpan(faults, at, node, timeZone);
    if (span === null) return;
    if (nodes.some((other) => other.name === node.name && overlaps(other, span))) {
      faults.add(below(at, 'name'), 'overlap: one node, two entries at once', 'from and to that do not overlap', node.name);
    }
    nodes.push({ name: node.name, accelerator: model ?? node.accelerator, count: node.count, ...span });
  });
  return nodes;
}

function readOutages(faults: Faults, place: Place, site: RawSite, nodes: readonly InventoryNode[], timeZone: string): Outage[] {
  const outages: Outage[] = [];
  (site.outages ?? []).forEach((raw, index) => {
    const at = below(place, 'outages', index);
    const span = readSpan(faults, at, raw, timeZone);
    if (span === null) return;
    const node = nodes.find((one) => one.name === raw.node && one.fromMs <= span.fromMs && span.fromMs < one.toMs);
    if (node === undefined) {
      faults.add(below(at, 'node'), 'no such node then', 'a node of this site, in service when the outage starts', raw.node);
      return;
    }
    if (span.toMs > node.toMs) {
      const allowed = 'an end while the node is in service';
      faults.add(below(at, raw.to === undefined ? 'from' : 'to'), 'outage outlives its node', allowed, raw.to ?? 'no end');
    }
    const outage: Outage = { node: raw.node, count: raw.count ?? node.count, kind: raw.kind, ...span };
    outages.push(outage);
    const together = mostAtOnce(
      outages.filter((one) => one.node === raw.node && overlaps(one, outage)),
      outage,
    );
    if (together > node.count) {
      faults.add(at, 'more accelerators out of service than the node has', `at most ${node.count} at any instant`, String(together));
    }
  });
  return outages;
}

/** Highest sum of counts at an instant inside `span`: it is reached where one of them starts. */
function mostAtOnce(outages: readonly Outage[], span: Span): number {
  const starts = [span.fromMs, ...outages.map(({ fromMs }) => fromMs).filter((ms) => ms > span.fromMs && ms < span.toMs)];
  const sums = starts.map((ms) => outages.reduce((sum, one) => sum + (one.fromMs <= ms && ms < one.toMs ? one.count : 0), 0));
  return Math.max(...sums);
}
