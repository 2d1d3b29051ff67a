/** Accelerators as an exporter sees them: labels, and the readings that make the planted HFU. */
import { BUILT_IN_ACCELERATORS } from '../domain/accelerator.ts';
import type { AcceleratorName, Device, GpuNode } from './centre.ts';
import { type Member, rawJobId, type Workload } from './workload.ts';

export const SAMPLE_INTERVAL_MS = 60_000;

/** Names as `nvidia-smi` prints them. */
export const MODEL_NAMES: Readonly<Record<AcceleratorName, string>> = {
  h800: 'NVIDIA H800',
  a100: 'NVIDIA A100-SXM4-80GB',
  l40s: 'NVIDIA L40S',
};

/** One device that a workload holds, with the labels its lines carry. */
export interface SampledDevice {
  readonly workload: Workload;
  readonly member: Member;
  readonly device: Device;
  readonly labels: string;
  /** Samples fall in [startMs, sampledEndMs). */
  readonly sampledEndMs: number;
  readonly reading: ReadingShape;
}

/** Tensor activity in millionths and clock in MHz around which a workload's readings lie. */
export interface ReadingShape {
  readonly tensorMicros: number;
  readonly clockMhz: number;
}

/** Readings whose mean of tensor × clock ÷ boost is the planted HFU. */
export function readingShape(accelerator: AcceleratorName, hfuPermille: number): ReadingShape {
  const boost = Number(BUILT_IN_ACCELERATORS.models.get(accelerator)?.boostClockMhz ?? 0);
  // A few percent below boost, as loaded accelerators run; without a known boost clock the clock has no part in HFU.
  const clockMhz = boost === 0 ? 2_000 : Math.floor((boost * 95) / 1500) * 15;
  return { tensorMicros: Math.round(hfuPermille * 1000 * (boost === 0 ? 1 : boost / clockMhz)), clockMhz };
}

/** Devices of the workloads that this channel sees, with everything that does not change from scrape to scrape. */
export function sampledDevices(workloads: readonly Workload[], channel: Workload['samplesFrom']): SampledDevice[] {
  return workloads
    .filter((workload) => workload.samplesFrom === channel)
    .flatMap((workload) =>
      workload.members.flatMap((member) =>
        member.devices.map((device) => ({
          workload,
          member,
          device,
          labels: deviceLabels(member.node, device, member, workload),
          sampledEndMs: member.startMs + Math.floor(((member.endMs - member.startMs) * workload.sampledPercent) / 100),
          reading: readingShape(workload.accelerator, workload.hfuPermille),
        })),
      ),
    );
}

/** Labels of one device in the order of the exporter; an idle one carries no pod and no job. */
export function deviceLabels(node: GpuNode, device: Device, member: Member | null, workload: Workload | null): string {
  const mig = member?.mig ?? null;
  const partition = mig === null ? '' : `,GPU_I_PROFILE="${mig.profile}",GPU_I_ID="${mig.instance}"`;
  let holder = '';
  if (member !== null && workload !== null) {
    holder =
      workload.scheduler === 'slurm'
        ? `,hpc_job="${rawJobId(member.name)}"`
        : `,container="main",namespace="${workload.owner}",pod="${member.name}"`;
  }
  return (
    `{gpu="${device.index}",UUID="${device.uuid}",pci_bus_id="00000000:${(device.index + 16).toString(16).toUpperCase()}:00.0",device="nvidia${device.index}",` +
    `modelName="${MODEL_NAMES[node.accelerator]}"${partition},Hostname="${node.name}",DCGM_FI_DRIVER_VERSION="550.90.07"${holder}}`
  );
}
