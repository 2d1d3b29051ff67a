/**
 * `kubernetes-audit`: API server audit events → what they say about pods. A body with the whole pod is read like a watch event; what
 * is left (a binding, a status patch, a deletion) tells when and where, not how many accelerators: those rows have no count and only
 * complete a pod whose size another observation tells. Everything that is not about the life of a pod is blank.
 */
import { type AuditEvent, readAuditEvent } from './audit-event.ts';
import { child, FieldReader, isObject, type JsonObject } from './fields.ts';
import { parsePod } from './pod-observation.ts';
import { type PodOptions, readPodOptions } from './pod-options.ts';
import { containersOf } from './pod-status.ts';
import { type Emit, kindOf, type Outcome, type RecordParser, reject, type Source, type SourceContext } from './source.ts';

const KUBERNETES_AUDIT = 'kubernetes-audit';

/** Who removes a pod for good: the kubelet once it has stopped, the collector of lost pods. Everybody else only asks for it. */
const REMOVERS = /^system:node:|^system:serviceaccount:kube-system:(?:pod-garbage-collector|node-controller)$/;

interface PartialRow {
  readonly node?: string | null;
  readonly startAtMs?: number;
  readonly runningAtMs?: number | null;
  readonly endAtMs?: number;
  readonly endKind?: 'observed' | 'inferred';
  readonly state: string;
}

function isPod(value: unknown): value is JsonObject {
  return (
    isObject(value) && isObject(value['metadata']) && isObject(value['spec']) && (value['kind'] === undefined || value['kind'] === 'Pod')
  );
}

/** A row about one pod without its size. A pod that the event names without a uid is found by name and time (stg_allocation_seen). */
function emitPartial(event: AuditEvent, uid: string | null, partial: PartialRow, context: SourceContext, emit: Emit): Outcome {
  const reader = new FieldReader();
  const namespace = reader.text(event.namespace, 'objectRef.namespace', true);
  const pod = reader.text(event.name, 'objectRef.name', true);
  const podUid = reader.text(uid, 'objectRef.uid');
  const auditId = reader.text(event.auditId, 'auditID', true);
  const node = reader.text(partial.node ?? null, 'requestObject.target.name');
  if (namespace === null || pod === null || auditId === null || reader.rejection !== null) return reader.rejection ?? reject('wrong_shape');
  emit({
    native_id: podUid ?? `${namespace}/${pod}|${auditId}`,
    observed_at_ms: Math.max(event.atMs, partial.endAtMs ?? 0),
    workload_id: `${namespace}/${pod}`,
    tenant_key: namespace,
    site_id: context.siteId,
    node,
    namespace,
    pod,
    pod_uid: podUid,
    start_at_ms: partial.startAtMs ?? null,
    running_at_ms: partial.runningAtMs ?? null,
    end_at_ms: partial.endAtMs ?? null,
    end_kind: partial.endKind ?? null,
    state: partial.state,
  });
  return 'valid';
}

function bound(event: AuditEvent, context: SourceContext, emit: Emit): Outcome {
  const node = child(event.requestObject, 'target')?.['name'];
  const uid = event.uid ?? child(event.requestObject, 'metadata')?.['uid'] ?? null;
  if (typeof uid !== 'string') return reject('missing_field', 'objectRef.uid', kindOf(uid));
  return emitPartial(event, uid, { node: typeof node === 'string' ? node : null, startAtMs: event.atMs, state: 'Bound' }, context, emit);
}

/** Not Math.max(...): a list may be longer than the arguments of a call. */
function latest(instants: readonly number[]): number {
  return instants.reduce((a, b) => Math.max(a, b));
}

/** A kubelet's strategic-merge fragment: container statuses come whole or not at all, the phase only when it changed. */
function patched(event: AuditEvent, context: SourceContext, emit: Emit): Outcome {
  const status = child(event.requestObject, 'status');
  if (status === null) return 'blank';
  const reader = new FieldReader();
  const containers = containersOf(status, reader);
  if (reader.rejection !== null) return reader.rejection;
  const main = containers.filter(({ isMain }) => isMain);
  const finishes = containers.flatMap(({ finishedAtMs }) => (finishedAtMs === null ? [] : [finishedAtMs]));
  const starts = main.flatMap(({ startedAtMs }) => (startedAtMs === null ? [] : [startedAtMs]));
  const runningAtMs = main.length > 0 && starts.length === main.length ? latest(starts) : null;
  const uid = child(event.requestObject, 'metadata')?.['uid'] ?? event.uid;
  const { phase } = status;
  const state = typeof phase === 'string' ? phase : 'Patched';
  const isTerminal = phase === 'Succeeded' || phase === 'Failed';
  if (!isTerminal && runningAtMs === null) return 'blank';
  const end: Partial<PartialRow> = !isTerminal
    ? {}
    : finishes.length > 0
      ? { endAtMs: latest(finishes), endKind: 'observed' }
      : { endAtMs: event.atMs, endKind: 'inferred' };
  return emitPartial(
    event,
    typeof uid === 'string' ? uid : null,
    { ...end, runningAtMs, state: reader.text(state, 'status.phase') ?? 'Patched' },
    context,
    emit,
  );
}

/** True when the pod is gone after this deletion, false while it is given time to stop. */
function isFinal(event: AuditEvent): boolean {
  const grace = event.requestObject?.['gracePeriodSeconds'] ?? child(event.responseObject, 'metadata')?.['deletionGracePeriodSeconds'];
  return typeof grace === 'number' ? grace === 0 : REMOVERS.test(event.user ?? '');
}

function deleted(event: AuditEvent, context: SourceContext, options: PodOptions, emit: Emit): Outcome {
  const final = isFinal(event);
  const { responseObject } = event;
  if (isPod(responseObject))
    return parsePod(responseObject, final ? 'deleted' : 'watch', { ...context, receivedAtMs: event.atMs }, options, emit);
  if (!final) return 'blank';
  const uid = event.uid ?? child(event.requestObject, 'preconditions')?.['uid'] ?? child(responseObject, 'details')?.['uid'] ?? null;
  return emitPartial(
    event,
    typeof uid === 'string' ? uid : null,
    { endAtMs: event.atMs, endKind: 'inferred', state: 'Deleted' },
    context,
    emit,
  );
}

function parseEvent(event: AuditEvent, context: SourceContext, options: PodOptions, emit: Emit): Outcome {
  const { verb, subresource, responseObject } = event;
  if (verb === 'deletecollection') return reject('unknown_state', 'verb', 'deletecollection of pods');
  if (subresource === 'binding') return verb === 'create' ? bound(event, context, emit) : 'blank';
  if (verb === 'delete') return subresource === null ? deleted(event, context, options, emit) : 'blank';
  if (!['create', 'update', 'patch'].includes(verb) || ![null, 'status', 'resize'].includes(subresource)) return 'blank';
  if (isPod(responseObject)) return parsePod(responseObject, 'watch', { ...context, receivedAtMs: event.atMs }, options, emit);
  return subresource === 'status' ? patched(event, context, emit) : 'blank';
}

function isAuditEvent(value: unknown): boolean {
  return (
    isObject(value) &&
    value['kind'] === 'Event' &&
    typeof value['apiVersion'] === 'string' &&
    value['apiVersion'].startsWith('audit.k8s.io/')
  );
}

function isEventList(value: unknown): value is JsonObject {
  return isObject(value) && value['kind'] === 'EventList' && String(value['apiVersion']).startsWith('audit.k8s.io/');
}

/** Log events of a CloudWatch subscription whose messages are audit events. */
function cloudWatchMessages(value: unknown): readonly unknown[] | null {
  if (!isObject(value) || value['messageType'] !== 'DATA_MESSAGE' || !Array.isArray(value['logEvents'])) return null;
  const messages = value['logEvents'].map((entry) => (isObject(entry) ? entry['message'] : entry));
  return messages.every((message) => typeof message === 'string' && message.includes('audit.k8s.io/')) ? messages : null;
}

/** CloudWatch cuts a message at 256 KiB: what does not parse stays text, and is refused as such. */
function readMessage(message: unknown): unknown {
  try {
    return JSON.parse(String(message));
  } catch {
    return message;
  }
}

function openParser(context: SourceContext): RecordParser {
  const options = readPodOptions(context, KUBERNETES_AUDIT);
  return {
    parse(record, _place, emit): Outcome {
      if (typeof record === 'string') return reject('invalid_json', null, kindOf(record));
      if (!isAuditEvent(record)) return reject('wrong_shape', 'kind', kindOf(record));
      const event = readAuditEvent(record as JsonObject);
      if (event === 'blank' || 'reason' in event) return event;
      return parseEvent(event, context, options, emit);
    },
  };
}

/**
 * Accepts audit.k8s.io Events as JSON lines, an EventList, and CloudWatch subscription records that carry them. Only stage
 * ResponseComplete with a code below 400 counts. Start: create of pods/binding. End: a status patch to a terminal phase with its
 * containers' finishedAt (observed), the deletion that removes the pod (inferred: its containers ended before).
 * Errors (rows): those of kubernetes-pods; missing_field (auditID, objectRef, stageTimestamp), unknown_state for deletecollection, which
 * is one event for many pods and names none; invalid_json for a cut CloudWatch message.
 * Options: those of kubernetes-pods.
 * Source: kubernetes.io, Auditing; audit.k8s.io/v1 Event.
 */
export const kubernetesAudit: Source = {
  name: KUBERNETES_AUDIT,
  fact: 'allocation_event',
  framing: 'json',
  detect: ({ json }) => isAuditEvent(json) || isEventList(json) || (cloudWatchMessages(json)?.length ?? 0) > 0,
  units: (value) => {
    if (isEventList(value)) return Array.isArray(value['items']) ? value['items'].map((item) => withKind(item)) : null;
    return cloudWatchMessages(value)?.map(readMessage) ?? null;
  },
  open: openParser,
};

/** Items of an EventList carry no kind of their own. */
function withKind(item: unknown): unknown {
  return isObject(item) && item['kind'] === undefined ? { ...item, kind: 'Event', apiVersion: 'audit.k8s.io/v1' } : item;
}
