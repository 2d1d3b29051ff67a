/**
 * Labels of a DCGM series → which device, on which node, for which workload. One place for every regime in which the
 * same exporter's labels arrive: scraped directly, through Prometheus with or without honorLabels, with the old namespace.
 */
import { FieldReader } from './fields.ts';
import type { Rejection } from './source.ts';

export type Labels = ReadonlyMap<string, string>;

/** The parts of a gpu_sample row that labels decide. `key` is equal exactly when all parts of the sample's identity are. */
export interface SampleIdentity {
  readonly key: string;
  readonly node: string;
  readonly deviceId: string;
  readonly deviceIndex: string | null;
  readonly acceleratorModel: string | null;
  readonly namespace: string | null;
  readonly pod: string | null;
  readonly jobId: string | null;
}

/** First label of the list that is present and not empty (an idle device carries '' in older exporters). */
function first(labels: Labels, names: readonly string[]): string | null {
  for (const name of names) {
    const value = labels.get(name);
    if (value !== undefined && value !== '') return value;
  }
  return null;
}

/** '100.65.85.64:9400' → '100.65.85.64'; '[fd00::1]:9400' → 'fd00::1'; 'gpu-7' → 'gpu-7'. */
export function hostOfInstance(instance: string): string {
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(instance);
  if (bracketed !== null) return bracketed[1]!;
  const colon = instance.lastIndexOf(':');
  // More than one colon without brackets is an IPv6 address without a port.
  return colon > 0 && instance.indexOf(':') === colon ? instance.slice(0, colon) : instance;
}

const EXPORTER = /^(?:nvidia-)?dcgm-exporter(?:$|-)/;
const RELEASED_EXPORTER = /-dcgm-exporter-/;

/**
 * With honorLabels false Prometheus puts the exporter's own pod into namespace/pod; with honorLabels true an idle GPU carries it too.
 * The Helm chart calls the container `exporter` and prefixes the pod with the release name.
 */
function namesExporter(pod: string | null, container: string | null): boolean {
  if (container !== null && EXPORTER.test(container)) return true;
  if (pod === null) return false;
  return EXPORTER.test(pod) || (container === 'exporter' && RELEASED_EXPORTER.test(pod));
}

interface Workload {
  readonly namespace: string | null;
  readonly pod: string | null;
}

/** The workload's namespace and pod, never the exporter's. exported_* labels, where present, are the exporter's original ones and win. */
function workloadOf(labels: Labels): Workload {
  if (labels.has('exported_pod') || labels.has('exported_namespace')) {
    return { namespace: first(labels, ['exported_namespace']), pod: first(labels, ['exported_pod']) };
  }
  const pod = first(labels, ['pod', 'pod_name']);
  if (namesExporter(pod, first(labels, ['container', 'container_name']))) return { namespace: null, pod: null };
  // Without a pod a bare `namespace` is a target label of the scrape, not a workload.
  return { namespace: pod === null ? null : first(labels, ['namespace', 'pod_namespace']), pod };
}

/** A MIG instance shares its parent's UUID; only (UUID, instance) names it. Example: ('GPU-1', '7') → 'GPU-1/GI7'. */
function deviceIdOf(uuid: string, instanceId: string | null): string {
  return instanceId === null ? uuid : `${uuid}/GI${instanceId}`;
}

/**
 * Identity of one series, or the reason why it has none.
 * The node is Hostname (hostname), else the host part of `instance`, else `fallbackNode`; without any it is missing.
 * Errors: missing_field (UUID, Hostname), text_too_long, control_character.
 */
export function identify(labels: Labels, fallbackNode: string | null): SampleIdentity | Rejection {
  const reader = new FieldReader();
  const uuid = reader.text(first(labels, ['UUID', 'uuid']), 'UUID', true);
  const instance = first(labels, ['instance']);
  const node = first(labels, ['Hostname', 'hostname']) ?? (instance === null ? fallbackNode : hostOfInstance(instance));
  const workload = workloadOf(labels);
  const migInstance = reader.text(first(labels, ['GPU_I_ID']), 'GPU_I_ID');
  const identity = {
    node: reader.text(node, 'Hostname', true) ?? '',
    deviceId: uuid === null ? '' : deviceIdOf(uuid, migInstance),
    deviceIndex: reader.text(first(labels, ['gpu']), 'gpu'),
    acceleratorModel: reader.text(first(labels, ['modelName']), 'modelName'),
    namespace: reader.text(workload.namespace, 'namespace'),
    pod: reader.text(workload.pod, 'pod'),
    jobId: reader.text(first(labels, ['hpc_job']), 'hpc_job'),
  };
  if (reader.rejection !== null) return reader.rejection;
  const { deviceId, namespace, pod, jobId } = identity;
  return { ...identity, key: JSON.stringify([identity.node, deviceId, namespace, pod, jobId]) };
}
