/**
 * Scrapes of dcgm-exporter in the Prometheus text format, one after another as a collector with timestamps appends them: eight-GPU
 * nodes, the metrics of the exporter's default counters file, HELP and TYPE before each metric.
 * Source: dcgm-exporter default-counters.csv; Prometheus exposition formats; functions/sources/dcgm-text.ts.
 */
import { Random } from '../../functions/generate/random.ts';

/** What was planted, or found in the Parquet. Units: samples are lines with a value; energy in mJ, memory in MiB, instants as sums of epoch ms. */
export interface SampleTotals {
  samples: bigint;
  rows: bigint;
  sampled_at_ms: bigint;
  energy_mj: bigint;
  memory_used_mib: bigint;
  tensor_active_millionths: bigint;
  pods: bigint;
}

const GPUS_PER_NODE = 8;
const NODES = 64;
const START_MS = Date.UTC(2026, 9, 1);
const INTERVAL_MS = 15_000;

type Kind = 'ratio' | 'watts' | 'energy' | 'used' | number;

/** [name, type, help, how its value is made: a number is the largest integer value]. */
const METRICS: readonly (readonly [string, 'gauge' | 'counter', string, Kind])[] = [
  ['DCGM_FI_DEV_SM_CLOCK', 'gauge', 'SM clock frequency (in MHz).', 1980],
  ['DCGM_FI_DEV_MEM_CLOCK', 'gauge', 'Memory clock frequency (in MHz).', 2619],
  ['DCGM_FI_DEV_MEMORY_TEMP', 'gauge', 'Memory temperature (in C).', 90],
  ['DCGM_FI_DEV_GPU_TEMP', 'gauge', 'GPU temperature (in C).', 80],
  ['DCGM_FI_DEV_POWER_USAGE', 'gauge', 'Power draw (in W).', 'watts'],
  ['DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION', 'counter', 'Total energy consumption since boot (in mJ).', 'energy'],
  ['DCGM_FI_DEV_PCIE_REPLAY_COUNTER', 'counter', 'Total number of PCIe retries.', 3],
  ['DCGM_FI_DEV_GPU_UTIL', 'gauge', 'GPU utilization (in %).', 100],
  ['DCGM_FI_DEV_MEM_COPY_UTIL', 'gauge', 'Memory utilization (in %).', 100],
  ['DCGM_FI_DEV_ENC_UTIL', 'gauge', 'Encoder utilization (in %).', 0],
  ['DCGM_FI_DEV_DEC_UTIL', 'gauge', 'Decoder utilization (in %).', 0],
  ['DCGM_FI_DEV_XID_ERRORS', 'gauge', 'Value of the last XID error encountered.', 0],
  ['DCGM_FI_DEV_FB_FREE', 'gauge', 'Framebuffer memory free (in MiB).', 80_000],
  ['DCGM_FI_DEV_FB_USED', 'gauge', 'Framebuffer memory used (in MiB).', 'used'],
  ['DCGM_FI_DEV_FB_RESERVED', 'gauge', 'Framebuffer memory reserved (in MiB).', 600],
  ['DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL', 'counter', 'Total number of NVLink bandwidth counters for all lanes.', 900_000],
  ['DCGM_FI_DEV_VGPU_LICENSE_STATUS', 'gauge', 'vGPU License status', 0],
  ['DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS', 'counter', 'Number of remapped rows for uncorrectable errors', 0],
  ['DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS', 'counter', 'Number of remapped rows for correctable errors', 0],
  ['DCGM_FI_DEV_ROW_REMAP_FAILURE', 'gauge', 'Whether remapping of rows has failed', 0],
  ['DCGM_FI_PROF_GR_ENGINE_ACTIVE', 'gauge', 'Ratio of time the graphics engine is active.', 'ratio'],
  ['DCGM_FI_PROF_PIPE_TENSOR_ACTIVE', 'gauge', 'Ratio of cycles the tensor (HMMA) pipe is active.', 'ratio'],
  ['DCGM_FI_PROF_DRAM_ACTIVE', 'gauge', 'Ratio of cycles the device memory interface is active sending or receiving data.', 'ratio'],
  ['DCGM_FI_PROF_PCIE_TX_BYTES', 'gauge', 'The rate of data transmitted over the PCIe bus, in bytes per second.', 4_000_000_000],
  ['DCGM_FI_PROF_PCIE_RX_BYTES', 'gauge', 'The rate of data received over the PCIe bus, in bytes per second.', 4_000_000_000],
];
export const SAMPLES_PER_SCRAPE = METRICS.length * GPUS_PER_NODE;

interface Gpu {
  readonly labels: string;
  readonly busy: boolean;
  energyMj: number;
}

function gpus(random: Random): Gpu[][] {
  return Array.from({ length: NODES }, (_, node) =>
    Array.from({ length: GPUS_PER_NODE }, (_, index) => {
      const word = () => random.word().toString(16).padStart(8, '0');
      const [a, b, c, d] = [word(), word(), word(), word()];
      const busy = random.permille(850);
      // An idle GPU carries the three workload labels empty.
      const [container, namespace, pod] = busy ? ['main', `team-${node % 40}`, `train-${node >> 2}-worker-${node % 4}`] : ['', '', ''];
      const labels =
        `{gpu="${index}",UUID="GPU-${a}-${b.slice(4)}-${b.slice(0, 4)}-${c.slice(4)}-${c.slice(0, 4)}${d}",` +
        `pci_bus_id="00000000:${(index * 16 + 0x0f).toString(16).toUpperCase().padStart(2, '0')}:00.0",device="nvidia${index}",` +
        `modelName="NVIDIA H800",Hostname="gpu-${String(node).padStart(3, '0')}",DCGM_FI_DRIVER_VERSION="550.90.07",` +
        `container="${container}",namespace="${namespace}",pod="${pod}"}`;
      return { labels, busy, energyMj: 1_000_000_000 + random.word() };
    }),
  );
}

/** Scrapes of all nodes, in order of time. The same seed gives the same bytes. */
export class DcgmScrapes {
  readonly totals: SampleTotals = {
    ...{ samples: 0n, rows: 0n, sampled_at_ms: 0n, energy_mj: 0n, memory_used_mib: 0n, tensor_active_millionths: 0n, pods: 0n },
  };
  private readonly random: Random;
  private readonly nodes: readonly (readonly Gpu[])[];

  constructor(seed: string) {
    this.random = new Random(seed, 'dcgm values');
    this.nodes = gpus(new Random(seed, 'dcgm devices'));
  }

  /** The text of scrape `number`, counted from 0: nodes take turns within each interval. */
  scrape(number: number): string {
    const node = number % NODES;
    const devices = this.nodes[node]!;
    // Each node is scraped at its own offset within the interval.
    const atMs = START_MS + Math.floor(number / NODES) * INTERVAL_MS + node * 211;
    let text = '';
    for (const [name, type, help, kind] of METRICS) {
      text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
      for (const gpu of devices) text += `${name}${gpu.labels} ${this.value(name, kind, gpu)} ${atMs}\n`;
    }
    const { totals } = this;
    totals.samples += BigInt(SAMPLES_PER_SCRAPE);
    totals.rows += BigInt(GPUS_PER_NODE);
    totals.sampled_at_ms += BigInt(atMs) * BigInt(GPUS_PER_NODE);
    totals.pods += BigInt(devices.filter(({ busy }) => busy).length);
    return text;
  }

  private value(name: string, kind: Kind, gpu: Gpu): string | number {
    const { random, totals } = this;
    if (kind === 'ratio') {
      const millionths = gpu.busy ? random.int(200_000, 999_999) : 0;
      if (name === 'DCGM_FI_PROF_PIPE_TENSOR_ACTIVE') totals.tensor_active_millionths += BigInt(millionths);
      return `0.${String(millionths).padStart(6, '0')}`;
    }
    if (kind === 'watts') return `${gpu.busy ? random.int(300, 699) : random.int(60, 75)}.${random.int(100, 999)}000`;
    if (kind === 'energy') {
      gpu.energyMj += random.int(1_000_000, 10_000_000);
      totals.energy_mj += BigInt(gpu.energyMj);
      return gpu.energyMj;
    }
    if (kind !== 'used') return gpu.busy && kind > 0 ? random.int(0, kind) : 0;
    const used = gpu.busy ? random.int(30_000, 80_000) : 4;
    totals.memory_used_mib += BigInt(used);
    return used;
  }
}
