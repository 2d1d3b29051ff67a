/** Accelerator samples: dcgm-exporter scrapes as text, one file per node and day, and query_range answers for one workload. */
import { type Centre, DAY_MS, dayFolder, type GpuNode } from './centre.ts';
import type { Evidence } from './evidence.ts';
import type { LandingWriter, OnRows } from './files.ts';
import type { Ledger } from './ledger.ts';
import { breakUtf8, type Chunk, Poison, replace, type Spoiler } from './poison.ts';
import { Random } from './random.ts';
import { deviceLabels, SAMPLE_INTERVAL_MS, type SampledDevice, sampledDevices } from './sampled-devices.ts';
import type { Workload } from './workload.ts';

const IDLE_EVERY_MINUTES = 30;
const SOURCE = 'dcgm-text';

const HELP = [
  ['DCGM_FI_PROF_PIPE_TENSOR_ACTIVE', 'Ratio of cycles the tensor (HMMA) pipe is active.'],
  ['DCGM_FI_DEV_SM_CLOCK', 'SM clock frequency (in MHz).'],
  ['DCGM_FI_DEV_GPU_UTIL', 'GPU utilization (in %).'],
  ['DCGM_FI_DEV_POWER_USAGE', 'Power draw (in W).'],
] as const;

const VALUE = /^(.+ )\S+( \d+)$/;
const SPOILERS: readonly Spoiler[] = [
  // What a device without the counter prints: the blank of a 64-bit float.
  replace('sentinel', VALUE, (before, after) => `${before}140737488355328.000000${after}`),
  { reason: 'wrong_shape', spoil: (line) => line.slice(0, line.length >> 1) },
  breakUtf8('nvidia'),
  replace('out_of_range', VALUE, (before, after) => `${before}1.700000${after}`),
  replace('negative', VALUE, (before, after) => `${before}-0.500000${after}`),
  replace('bad_timestamp', /^(.+ )\d+$/, (before) => `${before}noon`),
  replace('missing_field', /UUID="[^"]+",/, () => ''),
  replace('duplicate_series', VALUE, (before, after) => `${before}0.999999${after}`),
];

/** Writes every text scrape; the evidence and the ledger learn what was written. */
export async function writeDcgmText(
  centre: Centre,
  workloads: readonly Workload[],
  writer: LandingWriter,
  ledger: Ledger,
  evidence: Evidence,
  onRows: OnRows,
): Promise<void> {
  const devices = sampledDevices(workloads, SOURCE);
  const minutes = devices.reduce((sum, { member, sampledEndMs }) => sum + (sampledEndMs - member.startMs) / SAMPLE_INTERVAL_MS, 0);
  // Tensor readings are spoiled, for all metrics; slightly fewer than there will be, so that every kind comes to its turn.
  const poison = new Poison(SPOILERS, Math.floor(minutes * 0.9), centre.options.badPerMillion * HELP.length);
  const counts = ledger.source(SOURCE);
  for (const node of centre.nodes) {
    const here = devices.filter(({ member }) => member.node === node);
    const days = new Set(here.flatMap(({ member, sampledEndMs }) => daysBetween(member.startMs, sampledEndMs)));
    for (const dayMs of [...days].sort((a, b) => a - b)) {
      const random = new Random(centre.options.seed, `samples ${node.name} ${dayMs}`);
      const file = new NodeDay(node, dayMs, here, random, poison, ledger, evidence);
      const path = `${SOURCE}/${node.siteId}/${dayFolder(dayMs)}/${node.name}`;
      const first = counts.files === 0;
      const lines = first ? [...file.lines()] : file.lines();
      const landed = await writer.lines(`${path}.prom`, lines, dayMs + DAY_MS + 60_000);
      counts.files++;
      if (first)
        counts.duplicate_files.push({ path: await writer.lines(`${path}-again.prom`, lines, dayMs + DAY_MS + 120_000), of: landed });
      onRows(file.written);
    }
  }
}

/** UTC midnights of the days that [startMs, endMs) touches. */
function daysBetween(startMs: number, endMs: number): number[] {
  const days: number[] = [];
  for (let day = Math.floor(startMs / DAY_MS) * DAY_MS; day < endMs; day += DAY_MS) days.push(day);
  return days;
}

/** All scrapes of one node on one UTC day. */
class NodeDay {
  written = 0;
  private readonly node: GpuNode;
  private readonly dayMs: number;
  private readonly devices: readonly SampledDevice[];
  private readonly random: Random;
  private readonly poison: Poison;
  private readonly ledger: Ledger;
  private readonly evidence: Evidence;

  constructor(
    node: GpuNode,
    dayMs: number,
    here: readonly SampledDevice[],
    random: Random,
    poison: Poison,
    ledger: Ledger,
    evidence: Evidence,
  ) {
    this.node = node;
    this.dayMs = dayMs;
    this.devices = here.filter(({ member, sampledEndMs }) => member.startMs < dayMs + DAY_MS && sampledEndMs > dayMs);
    this.random = random;
    this.poison = poison;
    this.ledger = ledger;
    this.evidence = evidence;
  }

  *lines(): Generator<Chunk> {
    const counts = this.ledger.source(SOURCE);
    for (const [name, help] of HELP) {
      yield `# HELP ${name} ${help}`;
      yield `# TYPE ${name} gauge`;
      counts.blank += 2;
    }
    for (let minute = 0; minute < 1440; minute++) {
      const atMs = this.dayMs + minute * SAMPLE_INTERVAL_MS + this.node.scrapeSecond * 1000;
      const active = this.devices.filter(({ member, sampledEndMs }) => member.startMs <= atMs && atMs < sampledEndMs);
      for (const line of this.scrape(atMs, active)) {
        counts.valid++;
        this.written++;
        yield line;
        const spoiler = line.startsWith('DCGM_FI_PROF') ? this.poison.next() : null;
        if (spoiler === null) continue;
        this.ledger.bad(SOURCE, spoiler.reason);
        yield spoiler.spoil(line);
      }
      if (minute % IDLE_EVERY_MINUTES === 0) yield* this.idle(atMs);
    }
  }

  /** One scrape, metric by metric as an exporter prints it. A partition has no GPU_UTIL. */
  private scrape(atMs: number, active: readonly SampledDevice[]): string[] {
    const tensor: string[] = [];
    const clock: string[] = [];
    const util: string[] = [];
    const power: string[] = [];
    for (const device of active) {
      const { tensorMicros, clockMhz } = device.reading;
      const micros = tensorMicros + this.random.int(-tensorMicros >> 3, tensorMicros >> 3);
      const mhz = clockMhz + 15 * this.random.int(-1, 1);
      this.evidence.sample(device, atMs, micros, mhz);
      tensor.push(`DCGM_FI_PROF_PIPE_TENSOR_ACTIVE${device.labels} 0.${String(micros).padStart(6, '0')} ${atMs}`);
      clock.push(`DCGM_FI_DEV_SM_CLOCK${device.labels} ${mhz} ${atMs}`);
      if (device.member.mig === null) util.push(`DCGM_FI_DEV_GPU_UTIL${device.labels} ${this.random.int(88, 100)} ${atMs}`);
      power.push(`DCGM_FI_DEV_POWER_USAGE${device.labels} ${this.random.int(180, 640)}.${this.random.int(100, 999)}000 ${atMs}`);
    }
    return [...tensor, ...clock, ...util, ...power];
  }

  /** Devices that nobody holds for some minutes: no pod label, an idle clock. */
  private *idle(atMs: number): Generator<string> {
    const counts = this.ledger.source(SOURCE);
    for (const device of this.node.devices) {
      const near = this.devices.some(
        (held) => held.device === device && held.member.startMs < atMs + 300_000 && held.member.endMs > atMs - 300_000,
      );
      if (near) continue;
      const labels = deviceLabels(this.node, device, null, null);
      yield `DCGM_FI_DEV_SM_CLOCK${labels} 345 ${atMs}`;
      yield `DCGM_FI_DEV_POWER_USAGE${labels} 7${this.random.int(0, 9)}.500000 ${atMs}`;
      counts.valid += 2;
    }
  }
}
