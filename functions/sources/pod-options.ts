/** Options of `kubernetes-pods`. */
import { KashiError } from '../domain/errors.ts';
import { ResourceCatalog } from './accelerator-resources.ts';
import { readDeclaredResources } from './declared-resources.ts';
import { readOptions } from './options.ts';
import type { SourceContext } from './source.ts';

export const KUBERNETES_PODS = 'kubernetes-pods';

export interface ModelPlace {
  readonly place: 'label' | 'annotation' | 'node_selector';
  readonly key: string;
}

export interface PodOptions {
  readonly catalog: ResourceCatalog;
  readonly workloadFrom: readonly string[];
  readonly tenantLabel: string | null;
  readonly modelFrom: ModelPlace | null;
  readonly ignoreResourceClaims: boolean;
}

function invalid(source: string, name: string, allowed: string, found: unknown): never {
  throw new KashiError('config_invalid', 'wrong value', {
    where: `options of source ${source}: ${name}`,
    allowed,
    found: JSON.stringify(found),
  });
}

function readModelFrom(source: string, text: string | null): ModelPlace | null {
  if (text === null) return null;
  const match = /^(label|annotation|node_selector):(.+)$/.exec(text);
  if (match === null) return invalid(source, 'model_from', 'label:<key> | annotation:<key> | node_selector:<key>', text);
  return { place: match[1] as ModelPlace['place'], key: match[2]! };
}

function readTenantLabel(source: string, text: string | null): string | null {
  if (text === null || text === 'namespace') return null;
  return text.startsWith('label:') && text.length > 6 ? text.slice(6) : invalid(source, 'tenant_from', 'namespace | label:<key>', text);
}

/** Options of one landing rule of `source`, checked. Errors: KashiError config_invalid. */
export function readPodOptions(context: SourceContext, source: string = KUBERNETES_PODS): PodOptions {
  const { resources, card_memory_mib: cardMemory, ignore_resource_claims: ignoreClaims = false, ...rest } = context.options;
  if (cardMemory !== undefined && !(Number.isSafeInteger(cardMemory) && (cardMemory as number) > 0)) {
    invalid(source, 'card_memory_mib', 'memory of one card in MiB, a whole number', cardMemory);
  }
  if (typeof ignoreClaims !== 'boolean') invalid(source, 'ignore_resource_claims', 'true | false', ignoreClaims);
  const options = readOptions(
    source,
    { ...context, options: rest },
    {
      workload_from: { kind: 'names', of: null },
      tenant_from: { kind: 'text' },
      model_from: { kind: 'text' },
    },
  );
  return {
    catalog: new ResourceCatalog(readDeclaredResources(source, resources), (cardMemory as number | undefined) ?? null),
    workloadFrom: options.names('workload_from', []),
    tenantLabel: readTenantLabel(source, options.text('tenant_from')),
    modelFrom: readModelFrom(source, options.text('model_from')),
    ignoreResourceClaims: ignoreClaims === true,
  };
}
