/** The name of a device as device plugins give it → as samples and other sources name the same device. */

const UNIQUE = /^(?:GPU|MIG)-[0-9a-f]{8}-/i;
const OLD_MIG = /^MIG-(GPU-[0-9a-f-]+)\/(\d+)\/\d+$/i;

/**
 * Strips what shares a device (`::n` of a time slice, `/vgpuN`), turns an old driver's MIG name into UUID/GI…, and puts the node before
 * names that are unique on their node only; null for those without a node.
 * Example: ('GPU-1b2c3d4e-…::3', null) → 'GPU-1b2c3d4e-…'; ('MIG-GPU-1b2c3d4e-…/7/0', null) → 'GPU-1b2c3d4e-…/GI7';
 * ('nvidia0/vgpu3', 'gpu-1') → 'gpu-1/nvidia0'. A new driver's 'MIG-<uuid>' stays: samples name its parent, which it does not tell.
 * Source: NVIDIA k8s-device-plugin, replicas; GKE device plugin, partitions; dcgm-exporter, GPU_I_ID.
 */
export function sampleDeviceId(id: string, node: string | null): string | null {
  const device = id.replace(/::\d+$/, '').replace(/\/vgpu\d+$/, '');
  const mig = OLD_MIG.exec(device);
  if (mig !== null) return `${mig[1]}/GI${mig[2]}`;
  if (UNIQUE.test(device)) return device;
  return node === null ? null : `${node}/${device}`;
}
