/**
 * `kubernetes-pods`: Pod objects, Pod lists and watch events → one observation of one allocation each.
 * Pods without accelerators are blank: they hold nothing that is billed by the card-hour.
 */
import { isObject, type JsonObject } from './fields.ts';
import type { Sighting } from './pod-lifetime.ts';
import { parsePod } from './pod-observation.ts';
import { KUBERNETES_PODS, readPodOptions } from './pod-options.ts';
import { kindOf, type Outcome, type RecordParser, reject, type Source, type SourceContext } from './source.ts';

const WATCH_TYPES: readonly string[] = ['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR'];
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
