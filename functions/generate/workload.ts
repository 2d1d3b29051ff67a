/** What a workload is: who holds which accelerators from when to when, and how well they are used. */
import type { AcceleratorName, Device, GpuNode } from './centre.ts';

/** One allocation: a pod, or a batch job. Half-open, whole seconds, epoch ms UTC. */
export interface Member {
  /** Pod name, or the batch job's id. */
  readonly name: string;
  readonly uid: string;
  readonly node: GpuNode;
  readonly devices: readonly Device[];
  /** Partition of the one device, or null for whole devices. */
  readonly mig: { readonly profile: string; readonly instance: number } | null;
  /** Accelerators held, at most 6 decimals. */
  readonly count: string;
  readonly startMs: number;
  readonly runningMs: number;
  readonly endMs: number;
  /** The pod vanished without saying when its container ended. */
  readonly forceDeleted: boolean;
}

export interface Training {
  readonly params: string;
  readonly layers: number;
  readonly hidden: number;
  readonly heads: number;
  readonly seqLen: number;
  /** Planted MFU in thousandths. */
  readonly mfuPermille: number;
}

export interface Workload {
  /** Job or deployment name, as labels show it. */
  readonly name: string;
  /** As kashi names it. */
  readonly id: string;
  readonly tenantId: string;
  /** Namespace or account. */
  readonly owner: string;
  readonly siteId: string;
  readonly scheduler: 'kubernetes' | 'slurm';
  readonly kind: 'Job' | 'Deployment' | 'batch';
  readonly accelerator: AcceleratorName;
  readonly members: readonly Member[];
  /** Planted HFU in thousandths. */
  readonly hfuPermille: number;
  /** Share of the allocated time that has samples, percent from the start. */
  readonly sampledPercent: number;
  readonly samplesFrom: 'dcgm-text' | 'prometheus-json';
  readonly gang: boolean;
  readonly training: Training | null;
  /** State word of the batch scheduler. */
  readonly state: 'COMPLETED' | 'NODE_FAIL' | 'CANCELLED' | 'FAILED' | 'TIMEOUT';
}

/** Slurm cluster of the headquarters. */
export const BATCH_CLUSTER = 'hq-batch';

/** Ids of kashi: a pod's workload is its namespace and job, a batch job's its cluster and id. */
export function workloadId(scheduler: Workload['scheduler'], owner: string, name: string): string {
  return scheduler === 'kubernetes' ? `${owner}/${name}` : `${BATCH_CLUSTER}/${name}`;
}

/** The raw id of a batch job, which metric labels carry: an array task has one of its own. Example: '10003_7' → '10010'. */
export function rawJobId(name: string): string {
  const [array = name, task] = name.split('_');
  return task === undefined ? name : String(Number(array) + Number(task));
}
