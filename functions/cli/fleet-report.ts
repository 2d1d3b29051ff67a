/** What `kashi fleet status` shows: where every edge is, why it waits, and how long each part of the way took. */

import { type EdgeRollout, type Fleet, isCommitted, type Run, type ServiceState, type Stage } from '../distribution/fleet.ts';
import { fleetEvents } from '../distribution/fleet-log.ts';
import { type Gate, gateOf } from '../distribution/gate.ts';
import { type EdgeParts, type EdgeTimes, partsOf, percentile, readTimeline, timeToShare } from '../distribution/lead-time.ts';
import type { FleetMeasures } from '../distribution/measures.ts';
import { isFrozen } from '../distribution/switches.ts';
import type { ObjectStore } from '../ports.ts';
import { tableLines } from './output.ts';

export interface EdgeStatus {
  readonly service: string;
  readonly edge: string;
  readonly live_version: string | null;
  readonly live_digest: string | null;
  readonly target_version: string | null;
  readonly generation: number;
  readonly wave: number | null;
  readonly state: string;
  readonly waits_for: string | null;
  /** How long nothing has happened to it; null for one that is live or ended. */
  readonly since_ms: number | null;
  readonly offline: boolean;
  readonly bytes_moved: number;
  readonly fault: string | null;
  readonly commit: string | null;
}

export interface LeadTime {
  readonly service: string;
  readonly generation: number;
  readonly kind: 'promotion' | 'rollback';
  readonly release_id: string;
  readonly model_version: string;
  readonly edges: number;
  readonly live: number;
  readonly bytes_moved: number;
  /** Milliseconds from the promotion until so many of the edges were live. */
  readonly to_50_percent_ms: number | null;
  readonly to_all_ms: number | null;
  /** Of all edges, each part. */
  readonly parts: Readonly<Record<keyof EdgeParts, { readonly p50_ms: number | null; readonly p95_ms: number | null }>>;
  readonly by_edge: readonly (EdgeTimes & { readonly parts: EdgeParts })[];
}

export interface FleetReport {
  readonly at: string;
  readonly events: number;
  readonly frozen: readonly string[];
  readonly measures: FleetMeasures;
  readonly edges: readonly EdgeStatus[];
  readonly lead_times: readonly LeadTime[];
}

export function edgeStatuses(fleet: Fleet, nowMs: number): EdgeStatus[] {
  return Object.values(fleet.services)
    .sort((left, right) => (left.service < right.service ? -1 : 1))
    .flatMap((service) =>
      Object.keys(fleet.edges)
        .sort()
        .map((edge) => statusOf(fleet, service, edge, nowMs)),
    );
}

function statusOf(fleet: Fleet, service: ServiceState, edge: string, nowMs: number): EdgeStatus {
  const target = service.targets[edge];
  const rollout = target?.upcoming ?? target?.settled ?? null;
  const version = (releaseId: string | undefined): string | null =>
    releaseId === undefined ? null : (service.releases[releaseId]?.modelVersion ?? releaseId);
  const offline = fleet.edges[edge]?.offlineSinceMs != null;
  return {
    service: service.service,
    edge,
    live_version: version(target?.live?.releaseId),
    live_digest: target?.live?.digest ?? null,
    target_version: version(rollout?.releaseId),
    generation: rollout?.generation ?? 0,
    wave: rollout === null ? null : rollout.wave + 1,
    state: rollout === null ? 'nothing' : stateText(rollout, offline),
    waits_for: rollout === null ? null : waitText(fleet, service, rollout, nowMs),
    since_ms: rollout === null || rollout.exit !== null || rollout.stage === 'live' ? null : nowMs - lastMs(service, rollout),
    offline,
    bytes_moved: rollout?.bytesMoved ?? 0,
    fault: rollout?.lastFault ?? null,
    commit: rollout?.commit ?? null,
  };
}

function stateText(rollout: EdgeRollout, offline: boolean): string {
  if (rollout.exit !== null) return rollout.exit;
  if (rollout.unhealthy) return 'unhealthy';
  if (offline && !isCommitted(rollout)) return 'offline';
  return rollout.stuck ? 'stuck' : rollout.stage;
}

function lastMs(service: ServiceState, rollout: EdgeRollout): number {
  const startedMs = service.runs.find(({ generation }) => generation === rollout.generation)?.startedAtMs ?? 0;
  return Math.max(startedMs, ...Object.values(rollout.marks).map(({ atMs }) => atMs));
}

/** What comes next at each stage, when nothing holds it. */
const NEXT: Readonly<Record<Stage, string | null>> = {
  pending: 'its replica',
  replicating: 'its replica',
  replicated: 'its proof',
  verified: 'its commit',
  committed: 'its controller',
  synced: 'to be ready',
  live: null,
};

function waitText(fleet: Fleet, service: ServiceState, rollout: EdgeRollout, nowMs: number): string | null {
  const run = service.runs.find(({ generation }) => generation === rollout.generation);
  if (rollout.exit !== null) return null;
  const isCarried = fleet.edges[rollout.edge]?.carried === true;
  const waitsForGate = rollout.stage === 'verified' || isCarried;
  if (run === undefined || isCommitted(rollout) || !waitsForGate) return NEXT[rollout.stage];
  if (run.kind === 'promotion' && isFrozen(fleet, service.service, rollout.edge)) return 'frozen';
  const gate = gateOf(fleet, service, run, rollout.wave, nowMs);
  if (!gate.open) return gateText(gate);
  return rollout.stage === 'verified' ? NEXT.verified : 'a bundle';
}

function gateText({ why, edges, untilMs }: Extract<Gate, { open: false }>): string {
  const whom = edges.length === 0 ? '' : ` ${edges.slice(0, 3).join(', ')}${edges.length > 3 ? ` and ${edges.length - 3} more` : ''}`;
  const words = {
    paused: 'paused',
    stopped: 'stopped',
    window: 'a window',
    wave: 'edges before:',
    failed: 'failed:',
    soak: 'soak',
    health: 'measurements of',
  };
  return why === 'soak' ? `soak until ${new Date(untilMs ?? 0).toISOString().slice(11, 19)}Z` : `${words[why]}${whom}`;
}

const PARTS = ['replicate', 'prove', 'wave', 'soak', 'queue', 'sync', 'start'] as const;

export async function leadTimes(store: ObjectStore): Promise<LeadTime[]> {
  const { runs, times } = await readTimeline(fleetEvents(store));
  return runs.map((run) =>
    leadTimeOf(
      run,
      times.filter(({ service, generation }) => service === run.service && generation === run.generation),
    ),
  );
}

function leadTimeOf(run: Run, times: readonly EdgeTimes[]): LeadTime {
  const edges = times.map((one) => ({ ...one, parts: partsOf(one, run, times) }));
  const parts = PARTS.map((name) => {
    const values = edges.flatMap(({ parts: its }) => its[name] ?? []);
    return [name, { p50_ms: percentile(values, 50), p95_ms: percentile(values, 95) }] as const;
  });
  return {
    service: run.service,
    generation: run.generation,
    kind: run.kind,
    release_id: run.releaseId,
    model_version: times[0]?.release.modelVersion ?? '',
    edges: times.length,
    live: times.filter(({ liveMs }) => liveMs !== null).length,
    bytes_moved: times.reduce((sum, { bytesMoved }) => sum + bytesMoved, 0),
    to_50_percent_ms: timeToShare(times, 50),
    to_all_ms: timeToShare(times, 100),
    parts: Object.fromEntries(parts) as LeadTime['parts'],
    by_edge: edges,
  };
}

/** Example: 1500 → '1.5 s', 95000 → '1:35', 7200000 → '2:00:00'. */
export function durationText(ms: number | null): string {
  if (ms === null) return '';
  if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  const seconds = Math.round(ms / 1_000);
  const two = (value: number): string => String(value).padStart(2, '0');
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor((seconds % 3_600) / 60)];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

export function bytesText(bytes: number): string {
  if (bytes === 0) return '0';
  return bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
}

/** Rows of a table that still fits a screen; what is live and calm is summed up first. */
const MOST_ROWS = 40;

export function fleetLines({ at, frozen, measures, edges, lead_times: times }: FleetReport): string[] {
  const calm = (one: EdgeStatus): boolean => one.state === 'live' && one.fault === null && !one.offline;
  const shown = edges.length <= MOST_ROWS ? edges : [...edges.filter((one) => !calm(one)), ...edges.filter(calm)].slice(0, MOST_ROWS);
  const rows = shown.map((one) => [
    one.service,
    one.edge,
    one.live_version ?? '—',
    one.target_version ?? '—',
    one.state,
    one.wave === null ? '' : String(one.wave),
    bytesText(one.bytes_moved),
    durationText(one.since_ms),
    one.fault ?? one.waits_for ?? '',
  ]);
  const head = ['service', 'edge', 'live', 'target', 'state', 'wave', 'moved', 'since', 'waits for'];
  const rest = edges.length - shown.length;
  return [
    `Fleet at ${at.slice(0, 19).replace('T', ' ')}Z   ${troubleText(measures)}`,
    ...(frozen.length === 0 ? [] : [`FROZEN: ${frozen.map((scope) => (scope === '' ? 'everything' : scope)).join(', ')}`]),
    '',
    ...(rows.length === 0 ? ['Nothing was rolled out yet.'] : [...serviceLines(edges), '', ...tableLines(head, rows, new Set([5, 6, 7]))]),
    ...(rest === 0 ? [] : [`… and ${rest} more of the same; --json has all`]),
    ...(times.length === 0 ? [] : ['', ...leadLines(times)]),
  ];
}

/** Example: '3 edges, 1 offline, 2 unproven', or '3 edges, all well'. */
function troubleText({ edges, offline, unproven, replicationFailed, unhealthy, stopped, deadDeliveries }: FleetMeasures): string {
  const counts = [
    [offline, 'offline'],
    [replicationFailed, 'without replica'],
    [unproven, 'unproven'],
    [unhealthy, 'unhealthy'],
    [stopped, 'stopped'],
    [deadDeliveries, 'not told'],
  ] as const;
  const troubles = counts.flatMap(([count, what]) => (count === 0 ? [] : [`${count} ${what}`]));
  return `${edges} edge${edges === 1 ? '' : 's'}, ${troubles.length === 0 ? 'all well' : troubles.join(', ')}`;
}

/** The way as a bar: each edge a cell, further ones darker. */
const CELLS = [
  ['█', 'live', ['live']],
  ['▓', 'in Git', ['committed', 'synced']],
  ['▒', 'there', ['replicated', 'verified']],
  ['░', 'on its way', ['pending', 'replicating']],
  ['×', 'not going on', []],
] as const;
const BAR = 48;

function serviceLines(edges: readonly EdgeStatus[]): string[] {
  const services = Map.groupBy(edges, ({ service }) => service);
  const rows = [...services].map(([service, its]) => {
    const cellOf = ({ state }: EdgeStatus): string =>
      CELLS.find(([, , states]) => (states as readonly string[]).includes(state))?.[0] ?? '×';
    const cells = CELLS.map(([cell]) => [cell, its.filter((one) => cellOf(one) === cell).length] as const);
    const width = Math.min(BAR, its.length);
    const bar = cells.map(([cell, count]) => cell.repeat(count === 0 ? 0 : Math.max(1, Math.round((count * width) / its.length)))).join('');
    const newest = its.reduce((left, right) => (right.generation > left.generation ? right : left));
    const live = its.filter(({ generation, state }) => state === 'live' && generation === newest.generation).length;
    return [service, newest.target_version ?? '—', `${newest.generation}`, `${live}/${its.length}`, bar];
  });
  const legend = CELLS.map(([cell, meaning]) => `${cell} ${meaning}`).join('  ');
  return tableLines(['service', 'version', 'generation', 'live', legend], rows, new Set([2, 3]), 80);
}

function leadLines(times: readonly LeadTime[]): string[] {
  const rows = times
    .slice(-10)
    .map((one) => [
      `${one.service} ${one.generation}`,
      one.kind === 'rollback' ? `${one.model_version} (rollback)` : one.model_version,
      `${one.live}/${one.edges}`,
      durationText(one.to_50_percent_ms),
      durationText(one.to_all_ms),
      ...PARTS.map((name) => durationText(one.parts[name].p95_ms)),
      bytesText(one.bytes_moved),
    ]);
  const head = ['generation', 'version', 'live', '50 %', 'all', ...PARTS, 'moved'];
  return [
    'Promotion to live; the parts are p95 over edges. wave, soak and queue are waiting, the others work.',
    ...tableLines(head, rows, new Set([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])),
  ];
}
