/** One Pod object, however it was seen → one observation of one allocation. Shared by every source that carries whole pods. */
import type { ResourceCatalog } from './accelerator-resources.ts';
import { child, FieldReader, isObject, type JsonObject } from './fields.ts';
import { hasResourceClaims, podAccelerators } from './pod-accelerators.ts';
import { podIdentity } from './pod-identity.ts';
import { podLifetime, type Sighting } from './pod-lifetime.ts';
import type { ModelPlace, PodOptions } from './pod-options.ts';
import { type Outcome, type Row, reject, type SourceContext } from './source.ts';

/** Longest list of device ids kept: sixteen cards of a large node are 655 characters. */
const MAX_DEVICE_IDS_TEXT = 4096;

/** Ids of the devices that the kubelet reports, sorted; the `::n` of a time-slice replica is not part of the device. */
function deviceIds(pod: JsonObject, catalog: ResourceCatalog): string | null {
  const ids = new Set<string>();
  const containers = child(pod, 'status')?.['containerStatuses'];
  for (const container of Array.isArray(containers) ? containers.filter(isObject) : []) {
    const statuses = container['allocatedResourcesStatus'];
    for (const status of Array.isArray(statuses) ? statuses.filter(isObject) : []) {
      const { name, resources } = status;
      if (typeof name !== 'string' || !catalog.concerns(name) || !Array.isArray(resources)) continue;
      for (const resource of resources.filter(isObject)) {
        const id = resource['resourceID'];
        if (typeof id === 'string' && /^[\w.:/-]{1,128}$/.test(id)) ids.add(id.replace(/::\d+$/, ''));
      }
    }
  }
  const text = [...ids].sort().join(',');
  return text === '' || text.length > MAX_DEVICE_IDS_TEXT ? null : text;
}

function modelOf(pod: JsonObject, from: ModelPlace | null, reader: FieldReader): string | null {
  if (from === null) return null;
  const metadata = child(pod, 'metadata');
  if (from.place === 'node_selector') return reader.text(child(child(pod, 'spec'), 'nodeSelector')?.[from.key], 'spec.nodeSelector');
  const place = from.place === 'label' ? 'labels' : 'annotations';
  return reader.text(child(metadata, place)?.[from.key], `metadata.${place}`);
}

/**
 * Emits the allocation_event row of one pod: 'valid'; 'blank' for a pod without accelerators.
 * `context.receivedAtMs` is the latest instant that the sighting can speak for.
 * Errors: those of podAccelerators, podIdentity and podLifetime; missing_field for a pod whose devices come by claims.
 */
export function parsePod(
  pod: JsonObject,
  sighting: Sighting,
  context: SourceContext,
  options: PodOptions,
  emit: (row: Row) => void,
): Outcome {
  const accelerators = podAccelerators(pod, options.catalog);
  if (accelerators === null) {
    if (!hasResourceClaims(pod) || options.ignoreResourceClaims) return 'blank';
    return reject('missing_field', 'spec.resourceClaims', 'devices are counted in the ResourceClaim');
  }
  if ('reason' in accelerators) return accelerators;
  const reader = new FieldReader();
  const identity = podIdentity(pod, options.workloadFrom, options.tenantLabel, reader);
  const model = modelOf(pod, options.modelFrom, reader);
  const lifetime = podLifetime(pod, sighting, context.receivedAtMs, reader);
  if (reader.rejection !== null || identity === null || lifetime === null) return reader.rejection ?? reject('wrong_shape');
  emit({
    native_id: identity.uid,
    observed_at_ms: lifetime.observedAtMs,
    workload_id: identity.workloadId,
    tenant_key: identity.tenantKey,
    site_id: context.siteId,
    node: identity.node,
    namespace: identity.namespace,
    pod: identity.pod,
    pod_uid: identity.uid,
    ...(identity.slurmJobId === null ? {} : { job_id: identity.slurmJobId }),
    queue: identity.queue,
    gang: identity.gang,
    labels: identity.labels,
    resource_name: accelerators.resourceName,
    accelerator_model: model ?? accelerators.model,
    accelerator_count: accelerators.count,
    device_ids: deviceIds(pod, options.catalog),
    start_at_ms: lifetime.startAtMs,
    running_at_ms: lifetime.runningAtMs,
    end_at_ms: lifetime.endAtMs,
    end_kind: lifetime.endKind,
    state: lifetime.state,
    fault: lifetime.fault,
  });
  return 'valid';
}
