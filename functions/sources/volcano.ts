/**
 * `volcano`: Job and PodGroup objects, lists and watch events → queue, gang, members needed, and every phase with its instant. They
 * enrich pods; they are never billed: Running means that `minAvailable` members run, not all.
 */
import type { ResourceCatalog } from './accelerator-resources.ts';
import { detectsObjects, listItems, type ObjectKinds, seenObject } from './custom-object.ts';
import { child, FieldReader, type JsonObject } from './fields.ts';
import { objects } from './pod-status.ts';
import { readSchedulerOptions } from './scheduler-options.ts';
import { type Emit, kindOf, type Outcome, type RecordParser, type Row, reject, type Source, type SourceContext } from './source.ts';
import { templateAccelerators } from './template-accelerators.ts';

const VOLCANO = 'volcano';
const OBJECTS: ObjectKinds = { group: /^(?:batch|scheduling)\.volcano\.sh\//, kinds: ['Job', 'PodGroup', 'Queue'] };

/** Phases of both kinds. Source: pkg/apis/batch/v1alpha1/job.go, pkg/apis/scheduling/v1beta1/types.go. */
const PHASES: readonly string[] = [
  ...['Pending', 'Aborting', 'Aborted', 'Running', 'Restarting', 'Completing', 'Completed', 'Terminating', 'Terminated', 'Failed'],
  ...['Inqueue', 'Unknown'],
];

interface Phase {
  readonly phase: string;
  readonly reason: string | null;
  readonly atMs: number;
}

/** 'Running' → 'running'; null with the fault remembered for a word that is no phase. */
function phaseWord(value: unknown, field: string, reader: FieldReader): string | null {
  const text = reader.text(value, field);
  if (text === null) return null;
  return PHASES.includes(text) ? text.toLowerCase() : reader.fail('unknown_state', field, kindOf(text));
}

/** The history of a Job: its conditions, and the state in which it is. */
function jobPhases(job: JsonObject, reader: FieldReader): Phase[] {
  const status = child(job, 'status') ?? {};
  const state = child(status, 'state');
  const said = [
    ...objects(status['conditions']).map((one) => ({ word: one['status'], at: one['lastTransitionTime'], reason: null })),
    ...(state === null ? [] : [{ word: state['phase'], at: state['lastTransitionTime'], reason: state['reason'] ?? null }]),
  ];
  return said.flatMap(({ word, at, reason }) => {
    const phase = phaseWord(word, 'status.state.phase', reader);
    const atMs = reader.isoInstant(at, 'status.state.lastTransitionTime', null, false);
    return phase === null || atMs === null ? [] : [{ phase, atMs, reason: reader.text(reason, 'status.state.reason') }];
  });
}

/** Conditions of a PodGroup name no phase: becoming schedulable is when the gang bound, and the phase itself has no instant. */
function podGroupPhases(group: JsonObject, receivedAtMs: number, reader: FieldReader): Phase[] {
  const status = child(group, 'status') ?? {};
  const conditions = objects(status['conditions']).flatMap((condition) => {
    const atMs = reader.isoInstant(condition['lastTransitionTime'], 'status.conditions[].lastTransitionTime', null, false);
    const type = reader.text(condition['type'], 'status.conditions[].type');
    if (atMs === null || type === null || condition['status'] !== 'True') return [];
    return [{ phase: type.toLowerCase(), atMs, reason: reader.text(condition['reason'], 'status.conditions[].reason') }];
  });
  const phase = phaseWord(status['phase'], 'status.phase', reader);
  return phase === null ? conditions : [...conditions, { phase, atMs: receivedAtMs, reason: null }];
}

/** The Job that a PodGroup belongs to: its controller; a group made for plain pods or another kind of job is named after itself. */
function jobOfGroup(metadata: JsonObject, reader: FieldReader): string | null {
  const owner = objects(metadata['ownerReferences']).find((candidate) => candidate['controller'] === true);
  return reader.text(owner?.['name'] ?? metadata['name'], 'metadata.ownerReferences[].name', true);
}

/** What all tasks of a Job ask for together. */
function acceleratorsOf(object: JsonObject, catalog: ResourceCatalog, reader: FieldReader) {
  const tasks = objects(child(object, 'spec')?.['tasks']);
  return templateAccelerators(
    tasks.map((task) => ({ template: child(task, 'template'), count: reader.count(task['replicas'] ?? 1, 'spec.tasks[].replicas') ?? 0 })),
    catalog,
  );
}

function parseObject(object: JsonObject, isDeleted: boolean, context: SourceContext, catalog: ResourceCatalog, emit: Emit): Outcome {
  const isJob = object['kind'] === 'Job';
  const reader = new FieldReader();
  const metadata = child(object, 'metadata') ?? {};
  const spec = child(object, 'spec') ?? {};
  const namespace = reader.text(metadata['namespace'], 'metadata.namespace', true);
  const name = reader.text(metadata['name'], 'metadata.name', true);
  const uid = reader.text(metadata['uid'], 'metadata.uid', true);
  const workload = isJob ? name : jobOfGroup(metadata, reader);
  const queue = reader.text(spec['queue'], 'spec.queue');
  const minAvailable = reader.count(isJob ? spec['minAvailable'] : spec['minMember'], isJob ? 'spec.minAvailable' : 'spec.minMember');
  const createdAtMs = reader.isoInstant(metadata['creationTimestamp'], 'metadata.creationTimestamp', null);
  const accelerators = isJob ? acceleratorsOf(object, catalog, reader) : null;
  if (accelerators !== null && 'reason' in accelerators) return accelerators;
  const phases = isJob ? jobPhases(object, reader) : podGroupPhases(object, context.receivedAtMs, reader);
  if (createdAtMs === null || reader.rejection !== null) return reader.rejection ?? reject('wrong_shape');
  const identity: Row = {
    site_id: context.siteId,
    kind: isJob ? 'job' : 'pod_group',
    object_uid: uid,
    namespace,
    name,
    workload_id: `${namespace}/${workload}`,
    gang: isJob ? null : name,
    tenant_key: namespace,
    queue,
    min_available: minAvailable,
    accelerator_count: accelerators?.count ?? null,
    resource_name: accelerators?.resourceName ?? null,
    accelerator_model: accelerators?.model ?? null,
  };
  const history: Phase[] = [{ phase: 'created', reason: null, atMs: createdAtMs }, ...phases];
  if (isDeleted) history.push({ phase: 'deleted', reason: null, atMs: context.receivedAtMs });
  // The current state repeats the last condition: one transition, one row.
  const unique = new Map(history.map((one) => [`${uid}|${one.phase}|${one.atMs}`, one]));
  for (const [nativeId, { phase, reason, atMs }] of unique) {
    emit({ ...identity, native_id: nativeId, observed_at_ms: atMs, event: phase, reason });
  }
  return 'valid';
}

function openParser(context: SourceContext): RecordParser {
  const { catalog } = readSchedulerOptions(VOLCANO, context);
  return {
    parse(record, _place, emit): Outcome {
      const seen = seenObject(record, OBJECTS);
      if (seen === 'blank' || 'reason' in seen) return seen;
      return seen.object['kind'] === 'Queue' ? 'blank' : parseObject(seen.object, seen.isDeleted, context, catalog, emit);
    },
  };
}

/**
 * Reads batch.volcano.sh Jobs and scheduling.volcano.sh PodGroups; Queues are blank. A manifest that was never applied has no uid and is
 * refused. The instant of a PodGroup's phase is when the object was received: the object has none.
 * Errors (rows): missing_field (metadata), bad_timestamp, unknown_state (a phase; a watch ERROR), those of the resource catalog.
 * Options: `resources`, `card_memory_mib`, as for kubernetes-pods.
 * Source: Volcano API, batch/v1alpha1 and scheduling/v1beta1.
 */
export const volcano: Source = {
  name: VOLCANO,
  fact: 'scheduler_event',
  framing: 'json',
  detect: ({ json }) => detectsObjects(json, OBJECTS),
  units: (value) => listItems(value, OBJECTS),
  open: openParser,
};
