/**
 * `kueue`: Workload objects, lists and watch events → when quota was reserved, admitted, ready, taken away, given back. Conditions keep
 * only their last transition, so a cycle of eviction and admission is whole only when the objects were watched; each transition
 * has its own key, so the same one seen again is one fact. Workloads without accelerators are blank.
 */
import type { ResourceCatalog } from './accelerator-resources.ts';
import { detectsObjects, listItems, type ObjectKinds, seenObject } from './custom-object.ts';
import { child, FieldReader, type JsonObject } from './fields.ts';
import type { PodAccelerators } from './pod-accelerators.ts';
import { conditionsOf, objects } from './pod-status.ts';
import { readSchedulerOptions } from './scheduler-options.ts';
import { type Outcome, type RecordParser, type Rejection, type Row, reject, type Source, type SourceContext } from './source.ts';
import { templateAccelerators } from './template-accelerators.ts';

const KUEUE = 'kueue';
const WORKLOADS: ObjectKinds = { group: /^kueue\.x-k8s\.io\//, kinds: ['Workload'] };

/** Condition type → the event that its becoming true, and becoming false, is. */
const EVENTS: ReadonlyMap<unknown, readonly [whenTrue: string, whenFalse: string | null]> = new Map<
  unknown,
  readonly [string, string | null]
>([
  ['QuotaReserved', ['quota_reserved', 'quota_released']],
  ['Admitted', ['admitted', null]],
  ['PodsReady', ['pods_ready', null]],
  ['Evicted', ['evicted', null]],
  ['Preempted', ['preempted', null]],
  ['Requeued', ['requeued', null]],
  ['Finished', ['finished', null]],
]);

/** Words by which Kueue says that it, and not the user, took the quota back. Source: apis/kueue/v1beta2/workload_types.go. */
const PROVIDER_REASON = /^(?:Preempted|InClusterQueue|InCohort|NodeFailures)/;

/** Counts that were admitted (partial admission lowers them), else those asked for. */
function podSetsOf(workload: JsonObject, reader: FieldReader): { template: JsonObject | null; count: number }[] {
  const assigned = new Map(
    objects(child(child(workload, 'status'), 'admission')?.['podSetAssignments']).map((assignment) => [
      assignment['name'],
      assignment['count'],
    ]),
  );
  return objects(child(workload, 'spec')?.['podSets']).map((podSet) => ({
    template: child(podSet, 'template'),
    count: reader.count(assigned.get(podSet['name']) ?? podSet['count'] ?? 1, 'spec.podSets[].count') ?? 0,
  }));
}

/** The owner by whose name pods are labelled: the controller, else the only owner, else the workload itself (a group of plain pods). */
function ownerName(metadata: JsonObject, reader: FieldReader): string | null {
  const owners = objects(metadata['ownerReferences']);
  const owner = owners.find((candidate) => candidate['controller'] === true) ?? (owners.length === 1 ? owners[0] : undefined);
  return reader.text(owner?.['name'] ?? metadata['name'], 'metadata.ownerReferences[].name', true);
}

interface Transition {
  readonly event: string;
  readonly reason: string | null;
  readonly atMs: number;
}

function transitionsOf(workload: JsonObject, isDeleted: boolean, receivedAtMs: number, reader: FieldReader): Transition[] {
  const metadata = child(workload, 'metadata');
  const found: Transition[] = [];
  const createdAtMs = reader.isoInstant(metadata?.['creationTimestamp'], 'metadata.creationTimestamp', null);
  if (createdAtMs !== null) found.push({ event: 'created', reason: null, atMs: createdAtMs });
  for (const { type, isTrue, reason, atMs } of conditionsOf(child(workload, 'status') ?? {}, reader)) {
    const event = EVENTS.get(type)?.[isTrue ? 0 : 1] ?? null;
    if (event === null) continue;
    if (atMs === null) {
      // A time that is there but wrong has been remembered as what it is.
      if (reader.rejection === null) reader.fail('missing_field', 'status.conditions[].lastTransitionTime');
    }
    // A workload that never held quota is QuotaReserved=False from the start: that gives nothing back, and closes nothing.
    else found.push({ event, reason: reader.text(reason, 'status.conditions[].reason'), atMs });
  }
  if (isDeleted) found.push({ event: 'deleted', reason: null, atMs: deletedAtMs(metadata, receivedAtMs, reader) });
  return found;
}

function deletedAtMs(metadata: JsonObject | null, receivedAtMs: number, reader: FieldReader): number {
  const atMs = reader.isoInstant(metadata?.['deletionTimestamp'], 'metadata.deletionTimestamp', null, false);
  return Math.min(atMs ?? receivedAtMs, receivedAtMs);
}

function identityOf(workload: JsonObject, accelerators: PodAccelerators, context: SourceContext, reader: FieldReader): Row | null {
  const metadata = child(workload, 'metadata') ?? {};
  const uid = reader.text(metadata['uid'], 'metadata.uid', true);
  const namespace = reader.text(metadata['namespace'], 'metadata.namespace', true);
  const name = reader.text(metadata['name'], 'metadata.name', true);
  const owner = ownerName(metadata, reader);
  const queue = reader.text(child(workload, 'spec')?.['queueName'], 'spec.queueName');
  if (reader.rejection !== null) return null;
  return {
    site_id: context.siteId,
    kind: 'workload',
    object_uid: uid,
    namespace,
    name,
    workload_id: `${namespace}/${owner}`,
    tenant_key: namespace,
    queue,
    accelerator_count: accelerators.count,
    resource_name: accelerators.resourceName,
    accelerator_model: accelerators.model,
  };
}

function parseWorkload(
  workload: JsonObject,
  isDeleted: boolean,
  context: SourceContext,
  catalog: ResourceCatalog,
  emit: (row: Row) => void,
): Outcome | Rejection {
  const reader = new FieldReader();
  const accelerators = templateAccelerators(podSetsOf(workload, reader), catalog);
  if (reader.rejection !== null) return reader.rejection;
  if (accelerators === null) return 'blank';
  if ('reason' in accelerators) return accelerators;
  const identity = identityOf(workload, accelerators, context, reader);
  const transitions = transitionsOf(workload, isDeleted, context.receivedAtMs, reader);
  if (identity === null || reader.rejection !== null) return reader.rejection ?? reject('wrong_shape');
  for (const { event, reason, atMs } of transitions) {
    const taken = event === 'preempted' || (event === 'evicted' && PROVIDER_REASON.test(reason ?? ''));
    emit({
      ...identity,
      native_id: `${identity['object_uid']}|${event}|${atMs}`,
      observed_at_ms: atMs,
      event,
      reason,
      fault: !taken ? null : reason === 'NodeFailures' ? 'node_lost' : 'preempted',
    });
  }
  return 'valid';
}

function openParser(context: SourceContext): RecordParser {
  const { catalog } = readSchedulerOptions(KUEUE, context);
  return {
    parse(record, _place, emit): Outcome {
      const seen = seenObject(record, WORKLOADS);
      if (seen === 'blank' || 'reason' in seen) return seen;
      return parseWorkload(seen.object, seen.isDeleted, context, catalog, emit);
    },
  };
}

/**
 * Quota is held from QuotaReserved until QuotaReserved turns false, Finished, or deletion. `reclaimablePods` are not subtracted: a
 * snapshot does not say since when. Versions v1beta1 and v1beta2 alike.
 * Errors (rows): missing_field (metadata, creationTimestamp, lastTransitionTime), bad_timestamp, unknown_state for a watch ERROR, those
 * of the resource catalog. Options: `resources`, `card_memory_mib`, as for kubernetes-pods.
 * Source: Kueue API reference, Workload.
 */
export const kueue: Source = {
  name: KUEUE,
  fact: 'scheduler_event',
  framing: 'json',
  detect: ({ json }) => detectsObjects(json, WORKLOADS),
  units: (value) => listItems(value, WORKLOADS),
  open: openParser,
};
