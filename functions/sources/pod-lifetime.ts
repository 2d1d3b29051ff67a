/**
 * When a pod held its devices, from one observation of it (SPEC 4, FORMATS C1). Binding, deletion and conditions are stamped by
 * the API server, container times by the node; the clocks differ, so an end before the start is set to the start.
 */
import { child, type FieldReader, type JsonObject } from './fields.ts';
import { type Condition, type ContainerTimes, conditionsOf, containersOf, instant } from './pod-status.ts';

/** How the object was seen: in a list (or alone), in a watch event, or in the watch event that says it is gone. */
export type Sighting = 'list' | 'watch' | 'deleted';

export interface PodLifetime {
  readonly state: string;
  readonly startAtMs: number | null;
  readonly runningAtMs: number | null;
  readonly endAtMs: number | null;
  readonly endKind: 'observed' | 'inferred' | null;
  readonly fault: 'node_lost' | 'preempted' | null;
  readonly observedAtMs: number;
}

const PHASES: readonly string[] = ['Pending', 'Running', 'Succeeded', 'Failed', 'Unknown'];

function latest(instants: readonly (number | null)[]): number | null {
  return instants.reduce((max, at) => (at !== null && (max === null || at > max) ? at : max), null);
}

/** Conditions by which a component announces that it ends a pod. */
function disruptionOf(conditions: readonly Condition[]): Condition | null {
  return conditions.find(({ type, isTrue }) => isTrue && (type === 'DisruptionTarget' || type === 'TerminationTarget')) ?? null;
}

const NODE_LOST_REASONS: readonly string[] = ['NodeLost', 'NodeShutdown', 'Shutdown', 'Terminated'];
const NODE_LOST_DISRUPTIONS: readonly string[] = ['DeletionByTaintManager', 'DeletionByPodGC'];

/** The provider's fault, if any. Draining through the eviction API and the pod's own overuse (Evicted) are not faults here. */
function faultOf(phase: string, reason: unknown, disruption: Condition | null): PodLifetime['fault'] {
  if (phase === 'Succeeded') return null;
  if (reason === 'Preempting' || /preempt/i.test(disruption?.reason ?? '')) return 'preempted';
  const lost = phase === 'Unknown' || NODE_LOST_REASONS.some((word) => word === reason);
  return lost || NODE_LOST_DISRUPTIONS.includes(disruption?.reason ?? '') ? 'node_lost' : null;
}

/** Binding: the PodScheduled condition, else the kubelet's acknowledgement on a named node. */
function startOf(pod: JsonObject, conditions: readonly Condition[], startTimeMs: number | null): number | null {
  const scheduled = conditions.find(({ type, isTrue }) => type === 'PodScheduled' && isTrue);
  if (scheduled !== undefined && scheduled.atMs !== null) return scheduled.atMs;
  const nodeName = child(pod, 'spec')?.['nodeName'];
  return typeof nodeName === 'string' && nodeName !== '' ? startTimeMs : null;
}

/** When the last of the pod's own containers had started; null until all have. */
function runningOf(pod: JsonObject, containers: readonly ContainerTimes[]): number | null {
  const declared = child(pod, 'spec')?.['containers'];
  const starts = containers.filter(({ isMain }) => isMain).map(({ startedAtMs }) => startedAtMs);
  const all = Array.isArray(declared) && starts.length >= declared.length && starts.length > 0 && !starts.includes(null);
  return all ? latest(starts) : null;
}

interface Facts {
  readonly sighting: Sighting;
  readonly receivedAtMs: number;
  readonly isTerminal: boolean;
  readonly fault: PodLifetime['fault'];
  readonly containers: readonly ContainerTimes[];
  readonly disruptedAtMs: number | null;
  readonly notReadyAtMs: number | null;
  readonly deletionAtMs: number | null;
  readonly latestMs: number | null;
}

interface End {
  readonly atMs: number;
  readonly kind: 'observed' | 'inferred';
}

/**
 * 1. Terminal phase: the last finishedAt of all containers, once none runs (observed); containers that never ran do not matter.
 * 2. Terminal without it (evicted before start, lost node cleaned up): when it was disrupted, else the latest instant known (inferred).
 * 3. Gone from the watch: the last finishedAt when every container had terminated (observed); else the deletion time, which includes
 *    the grace period and may lie in the future, so at most when the event was received (inferred).
 * 4. Node lost: when that was found (inferred). 5. Else the pod still holds its devices: restarts and crash loops are not an end.
 */
function endOf(facts: Facts): End | null {
  const { containers, receivedAtMs } = facts;
  const finishedAtMs = latest(containers.map((container) => container.finishedAtMs));
  const noneRuns = containers.every(({ isRunning }) => !isRunning);
  const allTerminated = containers.length > 0 && containers.every((container) => container.isTerminated && container.finishedAtMs !== null);
  if (finishedAtMs !== null && (facts.isTerminal ? noneRuns : facts.sighting === 'deleted' && allTerminated)) {
    return { atMs: finishedAtMs, kind: 'observed' };
  }
  if (facts.isTerminal) return { atMs: facts.disruptedAtMs ?? facts.latestMs ?? receivedAtMs, kind: 'inferred' };
  if (facts.sighting === 'deleted') return { atMs: Math.min(facts.deletionAtMs ?? receivedAtMs, receivedAtMs), kind: 'inferred' };
  if (facts.fault !== 'node_lost') return null;
  return { atMs: facts.disruptedAtMs ?? facts.notReadyAtMs ?? facts.latestMs ?? receivedAtMs, kind: 'inferred' };
}

/**
 * Times of one pod, or null with the fault remembered in `reader`.
 * Units: epoch ms UTC; [startAtMs, endAtMs). A pod that was never bound has neither start nor end.
 * observedAtMs: a list speaks for the instant it was received; a watch event for the latest instant in the object.
 * Errors: missing_field or unknown_state for status.phase; bad_timestamp.
 */
export function podLifetime(pod: JsonObject, sighting: Sighting, receivedAtMs: number, reader: FieldReader): PodLifetime | null {
  const metadata = child(pod, 'metadata');
  const status = child(pod, 'status') ?? {};
  const phase = reader.text(status['phase'], 'status.phase', true);
  if (phase !== null && !PHASES.includes(phase)) reader.fail('unknown_state', 'status.phase', `string of ${phase.length}`);
  const conditions = conditionsOf(status, reader);
  const containers = containersOf(status, reader);
  const createdAtMs = instant(reader, metadata?.['creationTimestamp'], 'metadata.creationTimestamp');
  const startTimeMs = instant(reader, status['startTime'], 'status.startTime');
  const deletionAtMs = instant(reader, metadata?.['deletionTimestamp'], 'metadata.deletionTimestamp');
  if (phase === null || reader.rejection !== null) return null;

  const disruption = disruptionOf(conditions);
  const fault = faultOf(phase, status['reason'], disruption);
  const latestMs = latest([
    createdAtMs,
    startTimeMs,
    ...conditions.map(({ atMs }) => atMs),
    ...containers.flatMap(({ instants }) => instants),
  ]);
  const startAtMs = startOf(pod, conditions, startTimeMs);
  const end = endOf({
    sighting,
    receivedAtMs,
    isTerminal: phase === 'Succeeded' || phase === 'Failed',
    fault,
    containers,
    disruptedAtMs: disruption?.atMs ?? null,
    notReadyAtMs: conditions.find(({ type, isTrue }) => type === 'Ready' && !isTrue)?.atMs ?? null,
    deletionAtMs,
    latestMs,
  });
  const runningAtMs = runningOf(pod, containers);
  const endAtMs = startAtMs === null || end === null ? null : Math.max(end.atMs, startAtMs);
  return {
    state: phase,
    startAtMs,
    runningAtMs: startAtMs === null || runningAtMs === null ? null : Math.max(runningAtMs, startAtMs),
    endAtMs,
    endKind: endAtMs === null ? null : end!.kind,
    fault,
    observedAtMs: sighting === 'list' ? receivedAtMs : (latest([latestMs, endAtMs]) ?? receivedAtMs),
  };
}
