/**
 * `yunikorn`: event history (`/ws/v1/events/batch` and the stream) and queue applications → allocations by pod uid, the queue of each
 * application, and what each answer could still tell, from which lost events are found. One allocation appears as application, node
 * and user-group event: the application's counts, the node's adds where it is.
 */

import type { ResourceCatalog } from './accelerator-resources.ts';
import { epochMs } from './epoch.ts';
import { child, FieldReader, isObject, type JsonObject } from './fields.ts';
import { objects } from './pod-status.ts';
import { readSchedulerOptions } from './scheduler-options.ts';
import { kindOf, type Outcome, type RecordParser, type Row, reject, type Source, type SourceContext } from './source.ts';
import { CHANGE, DETAIL, RELEASES, STATES, TYPE } from './yunikorn-numbers.ts';
import { allocationUid, resourceAccelerators, resourceValues } from './yunikorn-resources.ts';

const YUNIKORN = 'yunikorn';

/** The envelope of one batch answer, made by `units`: what the answer says about the scheduler's own log. Nothing in a log can pass for one. */
class Page {
  readonly envelope: JsonObject;
  readonly events: readonly JsonObject[];

  constructor(envelope: JsonObject, events: readonly JsonObject[]) {
    this.envelope = envelope;
    this.events = events;
  }
}

function isBatch(value: unknown): value is JsonObject {
  return isObject(value) && 'InstanceUUID' in value && 'LowestID' in value && 'HighestID' in value;
}

function isRecord(value: unknown): value is JsonObject {
  return isObject(value) && 'timestampNano' in value && ('objectID' in value || 'eventChangeType' in value);
}

function isApplication(value: unknown): value is JsonObject {
  return isObject(value) && typeof value['applicationID'] === 'string' && ('allocations' in value || 'queueName' in value);
}

function nanoInstant(value: unknown, field: string, reader: FieldReader): number | null {
  if (value === undefined || value === null) return reader.fail('missing_field', field);
  return reader.instantMs(epochMs(value, 'ns') ?? Number.NaN, field);
}

function parsePage({ envelope, events }: Page, context: SourceContext, emit: (row: Row) => void): Outcome {
  const reader = new FieldReader();
  // Events without a possible instant are refused each for itself, and say nothing here.
  const times = events.flatMap((record) => nanoInstant(record['timestampNano'], 'timestampNano', new FieldReader()) ?? []);
  const instance = reader.text(envelope['InstanceUUID'], 'InstanceUUID', true);
  const lowest = reader.count(envelope['LowestID'], 'LowestID', { required: true, text: true });
  const highest = reader.count(envelope['HighestID'], 'HighestID', { required: true, text: true });
  const first = times.length === 0 ? null : times.reduce((a, b) => Math.min(a, b));
  const last = times.length === 0 ? context.receivedAtMs : times.reduce((a, b) => Math.max(a, b));
  if (reader.rejection !== null) return reader.rejection;
  emit({
    native_id: `${instance}|${lowest}|${highest}|${times.length}|${first ?? ''}`,
    observed_at_ms: last,
    site_id: context.siteId,
    kind: 'page',
    event: 'polled',
    instance_id: instance,
    lowest_event: lowest,
    highest_event: highest,
    events: times.length,
    first_event_ms: first,
  });
  return 'valid';
}

/** One event; 'blank' for all that say nothing about allocations, applications or their queues. */
function parseEvent(record: JsonObject, context: SourceContext, catalog: ResourceCatalog, emit: (row: Row) => void): Outcome {
  const reader = new FieldReader();
  const [type, change, detail] = ['type', 'eventChangeType', 'eventChangeDetail'].map((name) => reader.count(record[name] ?? 0, name) ?? 0);
  const objectId = reader.text(record['objectID'], 'objectID', true);
  const reference = reader.text(record['referenceID'], 'referenceID');
  const atMs = nanoInstant(record['timestampNano'], 'timestampNano', reader);
  if (reader.rejection !== null || objectId === null || atMs === null) return reader.rejection ?? reject('wrong_shape');
  const base = {
    native_id: `${type}|${objectId}|${reference ?? ''}|${change}|${detail}|${String(record['timestampNano'])}`,
    observed_at_ms: atMs,
    site_id: context.siteId,
  };
  if (type === TYPE.queue && detail === DETAIL.queueApp && change === CHANGE.add && reference !== null) {
    emit({ ...base, kind: 'application', event: 'queued', name: reference, workload_id: reference, queue: objectId });
    return 'valid';
  }
  if (type === TYPE.app && change === CHANGE.set && STATES.has(detail!)) {
    emit({ ...base, kind: 'application', event: STATES.get(detail!)!, name: objectId, workload_id: objectId });
    return 'valid';
  }
  const release = change === CHANGE.remove ? RELEASES.get(detail!) : undefined;
  const isAdd = change === CHANGE.add && detail === DETAIL.appAlloc;
  const isOnNode = type === TYPE.node && change === CHANGE.add && detail === DETAIL.nodeAlloc;
  if (reference === null || !(isOnNode || (type === TYPE.app && (isAdd || release !== undefined)))) return 'blank';
  const accelerators = resourceAccelerators(resourceValues(child(child(record, 'resource'), 'resources')), catalog);
  if (accelerators === null) return 'blank';
  if ('reason' in accelerators) return accelerators;
  emit({
    ...base,
    kind: 'allocation',
    event: isOnNode ? 'on_node' : isAdd ? 'allocated' : 'released',
    reason: release?.reason ?? null,
    object_uid: allocationUid(reference),
    node: isOnNode ? objectId : null,
    workload_id: isOnNode ? null : objectId,
    accelerator_count: accelerators.count,
    resource_name: accelerators.resourceName,
    accelerator_model: accelerators.model,
    fault: release?.fault ?? null,
  });
  return 'valid';
}

/** One application of `/partition/…/applications`: what it holds when it was asked. Released allocations are not in it. */
function parseApplication(application: JsonObject, context: SourceContext, catalog: ResourceCatalog, emit: (row: Row) => void): Outcome {
  const reader = new FieldReader();
  const name = reader.text(application['applicationID'], 'applicationID', true);
  const queue = reader.text(application['queueName'], 'queueName', true);
  const submittedAtMs = nanoInstant(application['submissionTime'], 'submissionTime', reader);
  const rows: Row[] = [];
  for (const allocation of objects(application['allocations'])) {
    const accelerators = resourceAccelerators(resourceValues(child(allocation, 'resource')), catalog);
    if (accelerators === null) continue;
    if ('reason' in accelerators) return accelerators;
    const key = reader.text(allocation['allocationKey'], 'allocations[].allocationKey', true);
    const atMs = nanoInstant(allocation['allocationTime'], 'allocations[].allocationTime', reader);
    const tags = child(allocation, 'allocationTags');
    const namespace = reader.text(tags?.['kubernetes.io/meta/namespace'], 'allocations[].allocationTags');
    rows.push({
      native_id: `${TYPE.app}|${name}|${key}|${CHANGE.add}|${DETAIL.appAlloc}|${String(allocation['allocationTime'])}`,
      observed_at_ms: atMs,
      site_id: context.siteId,
      kind: 'allocation',
      event: 'allocated',
      object_uid: key === null ? null : allocationUid(key),
      namespace,
      tenant_key: namespace,
      pod: reader.text(tags?.['kubernetes.io/meta/podName'], 'allocations[].allocationTags'),
      workload_id: name,
      queue,
      node: reader.text(allocation['nodeId'], 'allocations[].nodeId'),
      accelerator_count: accelerators.count,
      resource_name: accelerators.resourceName,
      accelerator_model: accelerators.model,
    });
  }
  if (reader.rejection !== null) return reader.rejection;
  const native_id = `application|${name}|${submittedAtMs}`;
  emit({
    native_id,
    observed_at_ms: submittedAtMs,
    site_id: context.siteId,
    kind: 'application',
    event: 'queued',
    name,
    workload_id: name,
    queue,
  });
  for (const row of rows) emit(row);
  return 'valid';
}

function openParser(context: SourceContext): RecordParser {
  const { catalog } = readSchedulerOptions(YUNIKORN, context);
  return {
    parse(record, _place, emit): Outcome {
      if (record instanceof Page) return parsePage(record, context, emit);
      if (isApplication(record)) return parseApplication(record, context, catalog, emit);
      return isRecord(record) ? parseEvent(record, context, catalog, emit) : reject('wrong_shape', null, kindOf(record));
    },
  };
}

/** Each answer itself, then its events; the applications of a list. */
function units(value: unknown): readonly unknown[] | null {
  if (Array.isArray(value)) return value.flatMap((one) => answerUnits(one) ?? [one]);
  return answerUnits(value);
}

function answerUnits(value: unknown): readonly unknown[] | null {
  if (!isBatch(value)) return null;
  const records: readonly unknown[] = Array.isArray(value['EventRecords']) ? value['EventRecords'] : [];
  return [new Page(value, records.filter(isObject)), ...records];
}

/**
 * The allocation key is the pod uid; older cores append "-<n>". Times keep milliseconds of the nanoseconds. Events name no namespace:
 * alone they are billed to their application's queue (`root.team`), which the tenant map maps; with the pods, the pods decide.
 * Errors (rows): missing_field, wrong_type, bad_timestamp, timestamp_out_of_range, those of the resource catalog.
 * Options: `resources`, `card_memory_mib`, as for kubernetes-pods.
 * Source: yunikorn-scheduler-interface si.proto, EventRecord; YuniKorn REST API.
 */
export const yunikorn: Source = {
  name: YUNIKORN,
  fact: 'scheduler_event',
  framing: 'json',
  detect: ({ json }) => {
    const first = Array.isArray(json) ? json[0] : json;
    return isBatch(json) || isRecord(json) || isApplication(first);
  },
  units,
  open: openParser,
};
