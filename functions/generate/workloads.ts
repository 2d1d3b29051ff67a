/** Which workload holds which accelerators, when, and how well it uses them: the situations a bill must get right, then ordinary jobs around them. */
import { type Centre, type GpuNode, HOUR_MS, PLATFORM_TENANT, SERVING_NAMESPACE } from './centre.ts';
import { deploymentName } from './costs.ts';
import { Random } from './random.ts';
import { plantedSituations } from './situations.ts';
import { type Member, type Workload, workloadId } from './workload.ts';

const MINUTE_MS = 60_000;

/** Devices of one node with the instant from which each is free, and the spans that the situations keep. */
interface Timeline {
  readonly node: GpuNode;
  readonly freeFromMs: number[];
  readonly kept: { readonly device: number; readonly startMs: number; readonly endMs: number }[];
}

/** All workloads of the centre in order of first start. The same options give the same list. */
export function planWorkloads(centre: Centre): Workload[] {
  const planted = plantedSituations(centre);
  const all = [...planted, ...ordinaryJobs(centre, planted), ...servingPods(centre)];
  return all.sort((a, b) => a.members[0]!.startMs - b.members[0]!.startMs || (a.id < b.id ? -1 : 1));
}

/** Ordinary jobs on the devices that the situations leave free, until the wanted share of the window is held. */
function ordinaryJobs(centre: Centre, planted: readonly Workload[]): Workload[] {
  const random = new Random(centre.options.seed, 'jobs');
  const jobs: Workload[] = [];
  for (const node of centre.nodes) {
    if (node.siteId !== 'hq') continue;
    const kept = planted.flatMap((workload) =>
      workload.members.flatMap((member) =>
        member.node === node ? member.devices.map(({ index }) => ({ device: index, startMs: member.startMs, endMs: member.endMs })) : [],
      ),
    );
    const timeline: Timeline = { node, freeFromMs: node.devices.map(() => centre.windowStartMs), kept };
    for (let job = nextJob(centre, timeline, random, jobs.length); job !== null; job = nextJob(centre, timeline, random, jobs.length)) {
      if (job !== 'skipped') jobs.push(job);
    }
  }
  return jobs;
}

/** The next job on the device that is free first; null when the window is over. */
function nextJob(centre: Centre, timeline: Timeline, random: Random, number: number): Workload | 'skipped' | null {
  const { node, freeFromMs } = timeline;
  const first = freeFromMs.indexOf(Math.min(...freeFromMs));
  const durationMs = random.around(45, 480) * MINUTE_MS + random.int(0, 59) * 1000;
  const busy = centre.options.busyPercent;
  // Idle before busy, so that the held share of time comes out near the wanted one.
  const gapMs = Math.floor((durationMs * (100 - busy) * random.int(50, 150)) / (busy * 100 * 1000)) * 1000;
  const startMs = freeFromMs[first]! + gapMs + 61_000;
  const endMs = startMs + durationMs;
  if (startMs >= centre.windowEndMs) {
    freeFromMs[first] = Number.MAX_SAFE_INTEGER;
    return Math.min(...freeFromMs) === Number.MAX_SAFE_INTEGER ? null : 'skipped';
  }
  const wide = random.permille(250) && first + 1 < freeFromMs.length && freeFromMs[first + 1]! <= startMs;
  const devices = wide ? [first, first + 1] : [first];
  const blocked = timeline.kept.find((span) => devices.includes(span.device) && span.startMs < endMs && startMs < span.endMs);
  for (const device of devices) freeFromMs[device] = blocked === undefined ? endMs : Math.max(freeFromMs[device]!, blocked.endMs);
  return blocked === undefined ? ordinaryJob(centre, node, devices, startMs, endMs, random, number) : 'skipped';
}

function ordinaryJob(
  centre: Centre,
  node: GpuNode,
  devices: number[],
  startMs: number,
  endMs: number,
  random: Random,
  number: number,
): Workload {
  const tenant = random.pick(centre.tenants);
  const slurm = node.scheduler === 'slurm';
  const owner = slurm ? tenant.account : tenant.namespace;
  const name = slurm ? String(20_000 + number) : `${random.pick(['train', 'eval', 'embed', 'tune', 'distil'])}-${number}`;
  const member: Member = {
    name: slurm ? name : `${name}-${random.hex(5)}`,
    uid: random.uuid(),
    node,
    devices: devices.map((index) => node.devices[index]!),
    mig: null,
    count: String(devices.length),
    startMs,
    runningMs: startMs + (slurm ? 0 : random.int(2, 40) * 1000),
    endMs,
    forceDeleted: false,
  };
  return {
    name,
    id: workloadId(node.scheduler, owner, name),
    tenantId: tenant.id,
    owner,
    siteId: 'hq',
    scheduler: node.scheduler,
    kind: slurm ? 'batch' : 'Job',
    accelerator: node.accelerator,
    members: [member],
    // Well away from the threshold of the penalty on either side.
    hfuPermille: random.permille(150) ? random.int(60, 150) : random.int(260, 560),
    sampledPercent: 100,
    samplesFrom: 'dcgm-text',
    gang: false,
    training: null,
    state: random.pick(['COMPLETED', 'COMPLETED', 'COMPLETED', 'FAILED', 'TIMEOUT', 'CANCELLED']),
  };
}

/** One serving pod per edge accelerator, replaced once when a new version is rolled out at half time. Held by the platform, not by a tenant. */
function servingPods(centre: Centre): Workload[] {
  const random = new Random(centre.options.seed, 'serving');
  const rolloutMs = centre.windowStartMs + Math.floor((centre.windowEndMs - centre.windowStartMs) / 2 / HOUR_MS) * HOUR_MS;
  const spans = [
    [centre.windowStartMs + 30_000, rolloutMs],
    [rolloutMs + 45_000, centre.windowEndMs],
  ] as const;
  return centre.edges.flatMap((edge) =>
    edge.models.map((model, which): Workload => {
      const name = deploymentName(model, edge.id);
      const nodes = centre.nodes.filter((node) => node.siteId === edge.id);
      const members = spans.flatMap(([startMs, endMs]) => {
        const set = random.hex(9);
        return nodes.flatMap((node) =>
          node.devices
            .filter((device) => device.index % edge.models.length === which)
            .map(
              (device): Member => ({
                name: `${name}-${set}-${random.hex(5)}`,
                uid: random.uuid(),
                node,
                devices: [device],
                mig: null,
                count: '1',
                startMs,
                runningMs: startMs + 90_000,
                endMs,
                forceDeleted: false,
              }),
            ),
        );
      });
      return {
        name,
        id: workloadId('kubernetes', SERVING_NAMESPACE, name),
        tenantId: PLATFORM_TENANT,
        owner: SERVING_NAMESPACE,
        siteId: edge.id,
        scheduler: 'kubernetes',
        kind: 'Deployment',
        accelerator: 'l40s',
        members,
        hfuPermille: 310,
        // The edges keep metrics for a short while only: enough to see them, too little to judge them.
        sampledPercent: 4,
        samplesFrom: 'dcgm-text',
        gang: false,
        training: null,
        state: 'COMPLETED',
      };
    }),
  );
}
