/** The plan of a centre: sites, nodes, tenants, served models and the days that are filled. Plain data, decided before a byte is written. */
import { DateTime } from 'luxon';
import { periodOf } from '../domain/period.ts';
import type { GenerateOptions } from './options.ts';
import { Random } from './random.ts';

export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;

export interface Tenant {
  readonly id: string;
  readonly name: string;
  /** Team id at the gateways. */
  readonly team: string;
  readonly namespace: string;
  readonly account: string;
}

export interface Device {
  readonly index: number;
  readonly uuid: string;
}

export type AcceleratorName = 'h800' | 'a100' | 'l40s';

export interface GpuNode {
  readonly name: string;
  readonly siteId: string;
  readonly scheduler: 'kubernetes' | 'slurm';
  readonly accelerator: AcceleratorName;
  readonly devices: readonly Device[];
  /** Second of the minute at which its exporter is scraped. */
  readonly scrapeSecond: number;
}

export interface Edge {
  readonly id: string;
  readonly region: string;
  readonly models: readonly string[];
}

export interface Centre {
  readonly options: GenerateOptions;
  /** Billing month, epoch ms UTC, half-open. */
  readonly periodStartMs: number;
  readonly periodEndMs: number;
  /** Days with traffic and jobs, epoch ms UTC, half-open. */
  readonly windowStartMs: number;
  readonly windowEndMs: number;
  /** Instant at which the book changes two prices; local midnight of the 15th. */
  readonly priceChangeMs: number;
  readonly tenants: readonly Tenant[];
  readonly edges: readonly Edge[];
  readonly nodes: readonly GpuNode[];
}

/** Served at one edge only, so that a tier or an allowance meets exactly one line. */
export const TIERED_MODEL = 'glm-4.6';
export const ALLOWANCE_MODEL = 'deepseek-v3';
export const COMMON_MODEL = 'qwen3-32b';
export const MODELS: readonly string[] = [COMMON_MODEL, ALLOWANCE_MODEL, TIERED_MODEL];

/** Namespace of the serving pods at the edges, and the tenant that holds them: the platform itself. */
export const SERVING_NAMESPACE = 'serving';
export const PLATFORM_TENANT = 'platform';

const EDGES: readonly Edge[] = [
  { id: 'edge-east', region: 'cn-shanghai', models: [COMMON_MODEL, ALLOWANCE_MODEL] },
  { id: 'edge-south', region: 'cn-shenzhen', models: [COMMON_MODEL, TIERED_MODEL] },
];
const DEVICES_PER_NODE = 8;

const FIRST_TENANTS = [
  ['research', '研究院'],
  ['search', '搜索'],
  ['ads', '广告'],
  ['robotics', '机器人'],
] as const;

function tenantList(count: number): Tenant[] {
  return Array.from({ length: count }, (_, i) => {
    const [id, name] = FIRST_TENANTS[i] ?? [`unit-${String(i + 1).padStart(3, '0')}`, `事业部 ${i + 1}`];
    return { id, name, team: `team-${id}`, namespace: id, account: `${id}-hpc` };
  });
}

function nodeList(options: GenerateOptions): GpuNode[] {
  const random = new Random(options.seed, 'nodes');
  // A sixth of the accelerators at each edge, the rest halved between the training cluster and the batch cluster.
  const atEdge = Math.round(options.gpus / 6);
  const batch = Math.floor((options.gpus - 2 * atEdge) / 2);
  const training = options.gpus - 2 * atEdge - batch;
  const nodes: GpuNode[] = [];
  const add = (prefix: string, siteId: string, scheduler: GpuNode['scheduler'], accelerator: AcceleratorName, count: number): void => {
    for (let first = 0, number = 1; first < count; first += DEVICES_PER_NODE, number++) {
      const devices = Array.from({ length: Math.min(DEVICES_PER_NODE, count - first) }, (_, index) => ({
        index,
        uuid: `GPU-${random.uuid()}`,
      }));
      const name = `${prefix}-${String(number).padStart(3, '0')}`;
      nodes.push({ name, siteId, scheduler, accelerator, devices, scrapeSecond: (nodes.length * 7) % 60 });
    }
  };
  add('hq-train', 'hq', 'kubernetes', 'h800', training);
  add('hq-batch', 'hq', 'slurm', 'a100', batch);
  for (const edge of EDGES) add(`${edge.id}-serve`, edge.id, 'kubernetes', 'l40s', atEdge);
  return nodes;
}

/** The centre that the options describe. The filled days lie around the 15th, when prices change. */
export function planCentre(options: GenerateOptions): Centre {
  const period = periodOf(options.period, options.timeZone);
  const start = DateTime.fromMillis(period.startMs, { zone: options.timeZone });
  const daysInMonth = start.daysInMonth ?? 28;
  const firstDay = Math.min(Math.max(15 - Math.ceil(options.days / 3), 1), daysInMonth - options.days + 1);
  const windowStart = start.set({ day: firstDay });
  return {
    options,
    periodStartMs: period.startMs,
    periodEndMs: period.endMs,
    windowStartMs: windowStart.toMillis(),
    windowEndMs: windowStart.plus({ days: options.days }).toMillis(),
    priceChangeMs: start.set({ day: 15 }).toMillis(),
    tenants: tenantList(options.tenants),
    edges: EDGES,
    nodes: nodeList(options),
  };
}

/** `yyyy/mm/dd` of an instant in UTC: the folder of a landed file. Example: 2026-10-13T16:00Z → '2026/10/13'. */
export function dayFolder(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10).replaceAll('-', '/');
}
