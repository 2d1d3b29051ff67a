/** Kubernetes watch events: each pod added, bound, running, finished and deleted, as an informer writes them, one file per site and day. */
import { type Centre, DAY_MS, dayFolder } from './centre.ts';
import type { LandingWriter, OnRows } from './files.ts';
import type { Ledger } from './ledger.ts';
import { type Chunk, jsonSpoilers, POISONED_FROM_ROWS, Poison } from './poison.ts';
import type { Member, Workload } from './workload.ts';

const SOURCE = 'kubernetes-pods';
const REPEAT_EVERY = 60;

const SPOILERS = jsonSpoilers({
  required: /"uid":"[^"]+",/,
  missing: 'missing_field',
  instant: /("creationTimestamp":)"[^"]+"/,
  text: 'metadata',
});

type Stage = 'added' | 'bound' | 'running' | 'finished' | 'deleted';
const WATCH_TYPE: Readonly<Record<Stage, string>> = {
  added: 'ADDED',
  bound: 'MODIFIED',
  running: 'MODIFIED',
  finished: 'MODIFIED',
  deleted: 'DELETED',
};

interface PodEvent {
  readonly atMs: number;
  readonly stage: Stage;
  readonly workload: Workload;
  readonly member: Member;
}

/** Writes all watch events and counts them in the ledger. */
export async function writePodEvents(
  centre: Centre,
  workloads: readonly Workload[],
  writer: LandingWriter,
  ledger: Ledger,
  onRows: OnRows,
): Promise<void> {
  const counts = ledger.source(SOURCE);
  const days = eventDays(workloads);
  const poisoned = days.reduce((sum, { events }) => sum + (events.length >= POISONED_FROM_ROWS ? events.length : 0), 0);
  const poison = new Poison(SPOILERS, poisoned, centre.options.badPerMillion);
  for (const { siteId, dayMs, events } of days) {
    const path = `${SOURCE}/${siteId}/${dayFolder(dayMs)}/watch`;
    // The first file is delivered twice.
    const first = counts.files === 0;
    const lines = first ? [...eventLines(events, poison, ledger)] : eventLines(events, poison, ledger);
    const landed = await writer.lines(`${path}.jsonl`, lines, dayMs + DAY_MS + 60_000);
    counts.files++;
    if (first)
      counts.duplicate_files.push({ path: await writer.lines(`${path}-again.jsonl`, lines, dayMs + DAY_MS + 120_000), of: landed });
    onRows(events.length);
  }
}

/** Events of each site and UTC day, in order of time. */
function eventDays(workloads: readonly Workload[]): { siteId: string; dayMs: number; events: PodEvent[] }[] {
  const byFile = new Map<string, { siteId: string; dayMs: number; events: PodEvent[] }>();
  for (const workload of workloads) {
    if (workload.scheduler !== 'kubernetes') continue;
    for (const event of workload.members.flatMap((member) => podEvents(workload, member))) {
      const dayMs = Math.floor(event.atMs / DAY_MS) * DAY_MS;
      const key = `${workload.siteId} ${dayMs}`;
      const file = byFile.get(key) ?? { siteId: workload.siteId, dayMs, events: [] };
      byFile.set(key, file);
      file.events.push(event);
    }
  }
  const files = [...byFile.values()].sort((a, b) => a.dayMs - b.dayMs || (a.siteId < b.siteId ? -1 : 1));
  for (const { events } of files) events.sort((a, b) => a.atMs - b.atMs || (a.member.uid < b.member.uid ? -1 : 1));
  return files;
}

function podEvents(workload: Workload, member: Member): PodEvent[] {
  const at = (stage: Stage, atMs: number): PodEvent => ({ atMs, stage, workload, member });
  const alive = [at('added', member.startMs - 4_000), at('bound', member.startMs), at('running', member.runningMs)];
  // A forced deletion takes the object away at once, before the kubelet says when the container ended.
  if (member.forceDeleted) return [...alive, at('deleted', member.endMs)];
  return [...alive, at('finished', member.endMs), at('deleted', member.endMs + 30_000)];
}

function* eventLines(events: readonly PodEvent[], poison: Poison, ledger: Ledger): Generator<Chunk> {
  const counts = ledger.source(SOURCE);
  // A bookmark carries no pod: a blank line of the equation.
  yield `{"type":"BOOKMARK","object":{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"${events[0]?.atMs ?? 0}"}}}`;
  counts.blank++;
  let row = 0;
  for (const event of events) {
    const line = eventLine(event);
    yield line;
    counts.valid++;
    if (++row % REPEAT_EVERY === 7) {
      yield line;
      counts.valid++;
      counts.duplicate_rows++;
    }
    const spoiler = events.length >= POISONED_FROM_ROWS ? poison.next() : null;
    if (spoiler === null) continue;
    yield spoiler.spoil(line);
    ledger.bad(SOURCE, spoiler.reason);
  }
}

/** RFC 3339 with whole seconds, as the API server writes instants. */
function rfc3339(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

function eventLine(event: PodEvent): string {
  return JSON.stringify({ type: WATCH_TYPE[event.stage], object: podObject(event) });
}

function podObject({ stage, workload, member }: PodEvent): object {
  const resource = member.mig === null ? 'nvidia.com/gpu' : `nvidia.com/mig-${member.mig.profile}`;
  const held = { [resource]: String(member.mig === null ? member.devices.length : 1) };
  const gone = member.forceDeleted ? member.endMs : member.endMs + 30_000;
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: {
      name: member.name,
      namespace: workload.owner,
      uid: member.uid,
      creationTimestamp: rfc3339(member.startMs - 4_000),
      ...(stage === 'deleted' ? { deletionTimestamp: rfc3339(gone), deletionGracePeriodSeconds: member.forceDeleted ? 0 : 30 } : {}),
      ...identity(workload, member),
    },
    spec: {
      ...(stage === 'added' ? {} : { nodeName: member.node.name }),
      containers: [{ name: 'main', image: 'registry.hq.local/ai/runtime:24.10', resources: { limits: held, requests: held } }],
    },
    status: podStatus(stage, member),
  };
}

/** Labels, annotations and owner of a job's or a deployment's pod. */
function identity(workload: Workload, member: Member): object {
  const annotations = workload.gang ? { annotations: { 'scheduling.k8s.io/group-name': workload.name } } : {};
  if (workload.kind === 'Job') {
    const labels = { 'batch.kubernetes.io/job-name': workload.name, 'app.kubernetes.io/part-of': workload.tenantId };
    return { labels, ...annotations, ownerReferences: [{ kind: 'Job', name: workload.name, controller: true }] };
  }
  const hash = member.name.split('-').at(-2) ?? '';
  return {
    labels: { app: workload.name, 'pod-template-hash': hash },
    ownerReferences: [{ kind: 'ReplicaSet', name: `${workload.name}-${hash}`, controller: true }],
  };
}

function podStatus(stage: Stage, member: Member): object {
  if (stage === 'added') return { phase: 'Pending' };
  const conditions = [{ type: 'PodScheduled', status: 'True', lastTransitionTime: rfc3339(member.startMs) }];
  if (stage === 'bound') return { phase: 'Pending', conditions };
  const startedAt = rfc3339(member.runningMs);
  const running = stage === 'running' || member.forceDeleted;
  const state = running
    ? { running: { startedAt } }
    : { terminated: { startedAt, finishedAt: rfc3339(member.endMs), exitCode: 0, reason: 'Completed' } };
  return {
    phase: running ? 'Running' : 'Succeeded',
    conditions,
    startTime: rfc3339(member.startMs + 1_000),
    containerStatuses: [{ name: 'main', ready: running, restartCount: 0, state }],
  };
}
