/** The parts of a pod's status that carry instants. */
import { child, type FieldReader, isObject, type JsonObject } from './fields.ts';

export interface Condition {
  readonly type: unknown;
  readonly isTrue: boolean;
  readonly reason: string;
  readonly atMs: number | null;
}

export interface ContainerTimes {
  readonly isMain: boolean;
  readonly isRunning: boolean;
  readonly isTerminated: boolean;
  /** Earliest start that the status still knows; lastState keeps only the previous run. */
  readonly startedAtMs: number | null;
  readonly finishedAtMs: number | null;
  readonly instants: readonly (number | null)[];
}

/** An API instant (always with an offset), epoch ms; null when absent or, with the fault remembered, malformed. */
export function instant(reader: FieldReader, value: unknown, field: string): number | null {
  return reader.isoInstant(value, field, null, false);
}

/** The objects of a JSON array; anything else in it, or in its place, is left out. */
export function objects(value: unknown): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** Conditions of a pod, in order. */
export function conditionsOf(status: JsonObject, reader: FieldReader): readonly Condition[] {
  return objects(status['conditions']).map((condition) => ({
    type: condition['type'],
    isTrue: condition['status'] === 'True',
    reason: typeof condition['reason'] === 'string' ? condition['reason'] : '',
    atMs: instant(reader, condition['lastTransitionTime'], 'status.conditions[].lastTransitionTime'),
  }));
}

function containerTimes(container: JsonObject, field: string, reader: FieldReader): ContainerTimes {
  const state = child(container, 'state');
  const running = child(state, 'running');
  const terminated = child(state, 'terminated');
  const previous = child(child(container, 'lastState'), 'terminated');
  const startedAtMs = instant(reader, (running ?? terminated)?.['startedAt'], `${field}.state.startedAt`);
  const finishedAtMs = instant(reader, terminated?.['finishedAt'], `${field}.state.terminated.finishedAt`);
  const previousStartMs = instant(reader, previous?.['startedAt'], `${field}.lastState.terminated.startedAt`);
  const previousEndMs = instant(reader, previous?.['finishedAt'], `${field}.lastState.terminated.finishedAt`);
  return {
    isMain: field === 'status.containerStatuses[]',
    isRunning: running !== null,
    isTerminated: running === null && terminated !== null,
    startedAtMs: previousStartMs ?? startedAtMs,
    finishedAtMs,
    instants: [startedAtMs, finishedAtMs, previousStartMs, previousEndMs],
  };
}

/** Times of all containers: the pod's own, init and ephemeral ones. */
export function containersOf(status: JsonObject, reader: FieldReader): readonly ContainerTimes[] {
  return ['containerStatuses', 'initContainerStatuses', 'ephemeralContainerStatuses'].flatMap((list) =>
    objects(status[list]).map((container) => containerTimes(container, `status.${list}[]`, reader)),
  );
}
