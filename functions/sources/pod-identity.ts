/** Who a pod is for: its workload, tenant key, queue, gang and labels. Labels can change, so every observation carries its own. */
import { child, type FieldReader, isObject, type JsonObject } from './fields.ts';

/** Labels that name the job or service a pod belongs to, the most specific first. */
const WORKLOAD_LABELS: readonly string[] = [
  'volcano.sh/job-name',
  'jobset.sigs.k8s.io/jobset-name',
  'training.kubeflow.org/job-name',
  'ray.io/cluster',
  'leaderworkerset.sigs.k8s.io/name',
  'batch.kubernetes.io/job-name',
  'job-name',
  'serving.kserve.io/inferenceservice',
  'app.kubernetes.io/instance',
];

const QUEUE_KEYS: readonly string[] = [
  'volcano.sh/queue-name',
  'scheduling.volcano.sh/queue-name',
  'kueue.x-k8s.io/queue-name',
  'yunikorn.apache.org/queue',
];

const GANG_KEYS: readonly string[] = [
  'scheduling.k8s.io/group-name',
  'scheduling.x-k8s.io/pod-group',
  'pod-group.scheduling.sigs.k8s.io',
  'kueue.x-k8s.io/pod-group-name',
];

/** Slurm job under which a bridge runs the pod (Slinky slurm-bridge): such a pod holds what the job holds. */
const SLURM_JOB_KEYS: readonly string[] = ['scheduler.slinky.slurm.net/slurm-jobid', 'slinky.slurm.net/slurm-jobid'];

const SAFE_LABEL_KEY = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,316}$/;
const SAFE_LABEL_VALUE = /^[A-Za-z0-9._-]{0,63}$/;
const MAX_LABELS = 32;
const MAX_LABELS_TEXT = 512;

/** The label wins over the annotation of the same name; the first key of the list that has either wins. */
function firstOf(metadata: JsonObject, keys: readonly string[], reader: FieldReader): string | null {
  for (const key of keys) {
    for (const place of ['labels', 'annotations']) {
      const value = reader.text(child(metadata, place)?.[key], `metadata.${place}`);
      if (value !== null) return value;
    }
  }
  return null;
}

function firstLabel(metadata: JsonObject, keys: readonly string[], reader: FieldReader): string | null {
  const labels = child(metadata, 'labels');
  for (const key of keys) {
    const value = reader.text(labels?.[key], 'metadata.labels');
    if (value !== null) return value;
  }
  return null;
}

/** Name of the controlling owner; a ReplicaSet's is cut to its Deployment's: 'chat-7d4b9c' with hash label 7d4b9c → 'chat'. */
function controllerName(metadata: JsonObject, reader: FieldReader): string | null {
  const owners = Array.isArray(metadata['ownerReferences']) ? metadata['ownerReferences'].filter(isObject) : [];
  const owner = owners.find((candidate) => candidate['controller'] === true);
  const name = reader.text(owner?.['name'], 'metadata.ownerReferences[].name');
  const hash = child(metadata, 'labels')?.['pod-template-hash'];
  if (name === null || owner?.['kind'] !== 'ReplicaSet' || typeof hash !== 'string' || hash === '') return name;
  return name.endsWith(`-${hash}`) ? name.slice(0, -hash.length - 1) : name;
}

/** Sorted 'key=value' pairs joined by ','; pairs that would pass 32 or 512 characters, and all after them, are left out. */
function labelsText(metadata: JsonObject): string | null {
  const pairs: string[] = [];
  let length = 0;
  for (const [key, value] of Object.entries(child(metadata, 'labels') ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (typeof value !== 'string' || !SAFE_LABEL_KEY.test(key) || !SAFE_LABEL_VALUE.test(value)) continue;
    const pair = `${key}=${value}`;
    length += pair.length + (pairs.length === 0 ? 0 : 1);
    if (pairs.length === MAX_LABELS || length > MAX_LABELS_TEXT) break;
    pairs.push(pair);
  }
  return pairs.length === 0 ? null : pairs.join(',');
}

export interface PodIdentity {
  readonly uid: string;
  readonly namespace: string;
  readonly pod: string;
  readonly node: string | null;
  readonly workloadId: string;
  readonly tenantKey: string | null;
  readonly queue: string | null;
  readonly gang: string | null;
  /** Slurm job that the pod runs for; null for every pod that Slurm did not schedule. */
  readonly slurmJobId: string | null;
  readonly labels: string | null;
}

/**
 * Identity of one pod, or null with the fault remembered in `reader`.
 * workloadId is `namespace/name`: the first label of `workloadFrom` and of the built-in list, else the controller, else the pod.
 * tenantKey is the namespace, or the label that `tenantLabel` names (null when the pod lacks it: nobody is guessed).
 * Errors: missing_field (metadata.uid, name, namespace), wrong_type, text_too_long, control_character.
 */
export function podIdentity(
  pod: JsonObject,
  workloadFrom: readonly string[],
  tenantLabel: string | null,
  reader: FieldReader,
): PodIdentity | null {
  const metadata = child(pod, 'metadata') ?? {};
  const uid = reader.text(metadata['uid'], 'metadata.uid', true);
  const namespace = reader.text(metadata['namespace'], 'metadata.namespace', true);
  const name = reader.text(metadata['name'], 'metadata.name', true);
  const node = reader.text(child(pod, 'spec')?.['nodeName'], 'spec.nodeName');
  const workload = firstLabel(metadata, [...workloadFrom, ...WORKLOAD_LABELS], reader) ?? controllerName(metadata, reader) ?? name;
  const tenantKey = tenantLabel === null ? namespace : firstLabel(metadata, [tenantLabel], reader);
  const queue = firstOf(metadata, QUEUE_KEYS, reader);
  const gang = firstOf(metadata, GANG_KEYS, reader);
  const slurmJobId = firstOf(metadata, SLURM_JOB_KEYS, reader);
  if (uid === null || namespace === null || name === null || reader.rejection !== null) return null;
  return {
    uid,
    namespace,
    pod: name,
    node,
    workloadId: `${namespace}/${workload}`,
    tenantKey,
    queue,
    gang,
    slurmJobId,
    labels: labelsText(metadata),
  };
}
