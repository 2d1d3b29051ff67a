/**
 * `kubernetes-pods`: Pod objects, Pod lists and watch events → one observation of one allocation each.
 * Pods without accelerators are blank: they hold nothing that is billed by the card-hour.
 */
import type { ResourceCatalog } from './accelerator-resources.ts';
import { child, FieldReader, isObject, type JsonObject } from './fields.ts';
import { hasResourceClaims, podAccelerators } from './pod-accelerators.ts';
import { podIdentity } from './pod-identity.ts';
import { podLifetime, type Sighting } from './pod-lifetime.ts';
import { KUBERNETES_PODS, type ModelPlace, type PodOptions, readPodOptions } from './pod-options.ts';
import { kindOf, type Outcome, type RecordParser, type Row, reject, type Source, type SourceContext } from './source.ts';

const WATCH_TYPES: readonly string[] = ['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR'];
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

function parsePod(pod: JsonObject, sighting: Sighting, context: SourceContext, options: PodOptions, emit: (row: Row) => void): Outcome {
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

function isEnvelope(value: JsonObject): boolean {
  return typeof value['type'] === 'string' && isObject(value['object']) && value['spec'] === undefined;
}

function openParser(context: SourceContext): RecordParser {
  const options = readPodOptions(context);
  return {
    parse(record, _place, emit): Outcome {
      if (!isObject(record)) return reject('wrong_shape', null, kindOf(record));
      let pod = record;
      let sighting: Sighting = 'list';
      if (isEnvelope(record)) {
        const type = record['type'] as string;
        if (type === 'BOOKMARK') return 'blank';
        // An ERROR (410 Gone) says that events were lost: it must be seen, and a list must follow.
        if (type === 'ERROR') return reject('unknown_state', 'type', 'watch ERROR');
        if (!WATCH_TYPES.includes(type)) return reject('unknown_state', 'type', kindOf(type));
        pod = record['object'] as JsonObject;
        sighting = type === 'DELETED' ? 'deleted' : 'watch';
      }
      const kind = pod['kind'];
      if (kind === undefined ? !isObject(pod['metadata']) || !isObject(pod['spec']) : typeof kind !== 'string') {
        return reject('wrong_shape', 'kind', kindOf(kind));
      }
      // `kubectl get pods,services -o json` mixes kinds in one list; a list as a record is one without items.
      if (kind !== undefined && kind !== 'Pod')
        return /List$|^Status$|^Table$/.test(String(kind)) ? reject('wrong_shape', 'kind') : 'blank';
      return parsePod(pod, sighting, context, options, emit);
    },
  };
}

/** The pods of a list. Items of a PodList carry no kind of their own. */
function units(value: unknown): readonly unknown[] | null {
  if (!isObject(value) || (value['kind'] !== 'List' && value['kind'] !== 'PodList')) return null;
  return Array.isArray(value['items']) ? value['items'] : null;
}

function isPod(value: unknown): boolean {
  return isObject(value) && value['kind'] === 'Pod';
}

/**
 * Errors (rows): wrong_shape, missing_field, not_an_integer, negative, out_of_range, bad_timestamp, unknown_state (a phase; a watch
 * ERROR). Options: `resources` (accelerators per unit of more resource names), `card_memory_mib` (for shares in MiB), `workload_from`
 * (labels that name the workload, before the built-in list), `tenant_from` (namespace | label:<key>), `model_from`
 * (label | annotation | node_selector:<key>), `ignore_resource_claims` (pods whose only devices come by claims are then blank).
 * Source: Kubernetes API reference, core/v1 Pod and meta/v1 WatchEvent.
 */
export const kubernetesPods: Source = {
  name: KUBERNETES_PODS,
  fact: 'allocation_event',
  framing: 'json',
  detect: ({ json }) => {
    if (isPod(json)) return true;
    const items = units(json);
    if (items !== null) return (json as JsonObject)['kind'] === 'PodList' || isPod(items[0]);
    return isObject(json) && isEnvelope(json) && WATCH_TYPES.includes(json['type'] as string) && isPod(json['object']);
  },
  units,
  open: openParser,
};
