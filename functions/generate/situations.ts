/** The situations every generated centre contains, at fixed hours of the window, so that their amounts can be checked by hand. */
import { type Centre, type GpuNode, HOUR_MS } from './centre.ts';
import { Random } from './random.ts';
import { type Member, type Training, type Workload, workloadId } from './workload.ts';

const MINUTE_MS = 60_000;

/** A dense model of 7 billion parameters. Its FLOPs per token: 6 × 6 738 415 616 + 12 × 32 × 4096 × 4096 = 46 872 944 640. */
const SHAPE_7B = { params: '6738415616', layers: 32, hidden: 4096, heads: 32, seqLen: 4096 } as const;

type Draft = Pick<Workload, 'name' | 'tenantId' | 'hfuPermille' | 'members'> & Partial<Workload>;

interface Place {
  readonly node: GpuNode;
  readonly random: Random;
}

interface Span {
  readonly devices: readonly number[];
  readonly startMs: number;
  readonly endMs: number;
  readonly runningMs?: number;
  readonly forceDeleted?: boolean;
  readonly mig?: { readonly profile: string; readonly instance: number; readonly share: string };
}

function member(place: Place, name: string, span: Span): Member {
  return {
    name,
    uid: place.random.uuid(),
    node: place.node,
    devices: span.devices.map((index) => place.node.devices[index]!),
    mig: span.mig === undefined ? null : { profile: span.mig.profile, instance: span.mig.instance },
    count: span.mig?.share ?? String(span.devices.length),
    startMs: span.startMs,
    runningMs: span.runningMs ?? span.startMs + 12_000,
    endMs: span.endMs,
    forceDeleted: span.forceDeleted ?? false,
  };
}

function workload(place: Place, draft: Draft): Workload {
  const slurm = place.node.scheduler === 'slurm';
  const owner = slurm ? `${draft.tenantId}-hpc` : draft.tenantId;
  return {
    id: workloadId(place.node.scheduler, owner, draft.name),
    owner,
    siteId: place.node.siteId,
    scheduler: place.node.scheduler,
    kind: slurm ? 'batch' : 'Job',
    accelerator: place.node.accelerator,
    sampledPercent: 100,
    samplesFrom: 'dcgm-text',
    gang: false,
    training: null,
    state: 'COMPLETED',
    ...draft,
  };
}

/** Situations on the training cluster (Kubernetes), then those on the batch cluster (Slurm). */
export function plantedSituations(centre: Centre): Workload[] {
  const node = (scheduler: GpuNode['scheduler']): GpuNode =>
    centre.nodes.find((one) => one.siteId === 'hq' && one.scheduler === scheduler)!;
  const random = new Random(centre.options.seed, 'situations');
  return [...onKubernetes(centre, { node: node('kubernetes'), random }), ...onSlurm(centre, { node: node('slurm'), random })];
}

function onKubernetes(centre: Centre, place: Place): Workload[] {
  const hour = (hours: number): number => centre.windowStartMs + hours * HOUR_MS;
  const one = (name: string, span: Span): Member[] => [member(place, `${name}-${place.random.hex(5)}`, span)];
  return [
    // Penalised, and its price changes while it runs (in windows of two days and more).
    workload(place, {
      name: 'bert-sweep',
      tenantId: 'research',
      hfuPermille: 120,
      members: one('bert-sweep', { devices: [0], startMs: hour(15) + 433_000, endMs: hour(33) + 17_000 }),
    }),
    workload(place, {
      name: 'llama-pretrain',
      tenantId: 'research',
      hfuPermille: 620,
      training: training(550),
      members: [
        [1, 2],
        [3, 4],
      ].map((devices, rank) => member(place, `llama-pretrain-${rank}`, { devices, startMs: hour(2), endMs: hour(10) + 7_000 })),
    }),
    // Would be penalised, but half of its evidence is missing.
    workload(place, {
      name: 'vision-eval',
      tenantId: 'search',
      hfuPermille: 50,
      sampledPercent: 50,
      members: one('vision-eval', { devices: [5], startMs: hour(1), endMs: hour(7) }),
    }),
    workload(place, {
      name: 'notebook',
      tenantId: 'robotics',
      hfuPermille: 300,
      members: one('notebook', {
        devices: [6],
        startMs: hour(3),
        endMs: hour(3) + 10_000_000,
        mig: { profile: '3g.40gb', instance: 2, share: '0.428571' },
      }),
    }),
    waitingGang(place, hour(12)),
    workload(place, {
      name: 'ads-batch',
      tenantId: 'ads',
      hfuPermille: 350,
      members: one('ads-batch', { devices: [7], startMs: hour(1) + 11_000, endMs: hour(4) + 29_000, forceDeleted: true }),
    }),
    workload(place, {
      name: 'embed-index',
      tenantId: 'search',
      hfuPermille: 330,
      samplesFrom: 'prometheus-json',
      members: one('embed-index', { devices: [1, 2], startMs: hour(11) + 20_000, endMs: hour(17) + 50_000 }),
    }),
    workload(place, {
      name: 'sim-nightly',
      tenantId: 'robotics',
      hfuPermille: 410,
      members: one('sim-nightly', { devices: [0], startMs: centre.periodEndMs - 2 * HOUR_MS, endMs: centre.periodEndMs + 6 * HOUR_MS }),
    }),
  ];
}

/** Three pods bound 6 minutes apart; the last runs 18 minutes after the first was bound: 0.3 + 0.2 + 0.1 GPU-hours of waiting. */
function waitingGang(place: Place, startMs: number): Workload {
  const allRunningMs = startMs + 18 * MINUTE_MS;
  const members = [0, 1, 2].map((rank) => {
    const boundMs = startMs + rank * 6 * MINUTE_MS;
    const runningMs = rank === 2 ? allRunningMs : boundMs + MINUTE_MS;
    return member(place, `ranking-gang-${rank}`, { devices: [5 + rank], startMs: boundMs, runningMs, endMs: startMs + 5 * HOUR_MS });
  });
  return workload(place, { name: 'ranking-gang', tenantId: 'ads', hfuPermille: 350, gang: true, members });
}

function onSlurm(centre: Centre, place: Place): Workload[] {
  const hour = (hours: number): number => centre.windowStartMs + hours * HOUR_MS;
  const job = (name: string, devices: readonly number[], fromHour: number, hours: number, draft: Partial<Workload>): Workload => {
    const span = { devices, startMs: hour(fromHour), runningMs: hour(fromHour), endMs: hour(fromHour + hours) };
    return workload(place, { name, tenantId: 'research', hfuPermille: 400, members: [member(place, name, span)], ...draft });
  };
  return [
    // The platform lost the node: the last hour is credited.
    job('10001', [0, 1, 2, 3], 4, 5, ownedBy('robotics', { hfuPermille: 450, state: 'NODE_FAIL' }, '10001')),
    // A training run of middling efficiency: neither penalty nor reward.
    job('10002', [0, 1], 10, 6, ownedBy('search', { hfuPermille: 470, training: training(410) }, '10002')),
    // An array task: its id carries the array's.
    job('10003_7', [2], 10, 2, ownedBy('ads', { state: 'FAILED' }, '10003_7')),
  ];
}

function ownedBy(tenantId: string, draft: Partial<Workload>, name: string): Partial<Workload> {
  const owner = `${tenantId}-hpc`;
  return { ...draft, tenantId, owner, id: workloadId('slurm', owner, name) };
}

function training(mfuPermille: number): Training {
  return { ...SHAPE_7B, mfuPermille };
}
