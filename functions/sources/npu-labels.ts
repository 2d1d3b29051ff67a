/** Labels of an npu-exporter series → which chip, on which node, for which workload. Source: Ascend/mind-cluster npu-exporter. */
import { hostOfInstance, type Labels, type SampleIdentity } from './dcgm-labels.ts';
import { FieldReader } from './fields.ts';
import { type Rejection, reject } from './source.ts';

/** Labels that can name a chip, best first. `id` is the slot on the node: only for exporters that print neither of the others. */
export const NPU_DEVICE_LABELS = ['vdie_id', 'pcie_bus_info', 'id'] as const;
export const DEFAULT_NPU_DEVICE_LABELS: readonly string[] = ['vdie_id', 'pcie_bus_info'];

/** Printed instead of the names when several pods share a chip. */
const SHARED = 'not_displayed_for_multi_pod';

/** First label of the list that is present, not empty and not the word for a shared chip. */
function first(labels: Labels, names: readonly string[]): string | null {
  for (const name of names) {
    const value = labels.get(name);
    if (value !== undefined && value !== '' && value !== SHARED) return value;
  }
  return null;
}

/** Only the die's own id is unique everywhere; a bus address or a slot is qualified by the node. Example: ('id', '3', 'n1') → 'n1/npu3'. */
function deviceIdOf(label: string, value: string, node: string): string {
  if (label === 'vdie_id') return value;
  return label === 'id' ? `${node}/npu${value}` : `${node}/${value}`;
}

/**
 * Identity of one chip's series, or the reason why it has none. The node is a node label where a scrape adds one, else the host part of
 * `instance`, else `fallbackNode`: the exporter itself prints none. The workload is pod_name with its namespace (exported_namespace where
 * Prometheus renamed it); none when the chip is idle or shared.
 * Errors: missing_field (vdie_id, node), text_too_long, control_character.
 */
export function identifyNpu(labels: Labels, fallbackNode: string | null, deviceLabels: readonly string[]): SampleIdentity | Rejection {
  const reader = new FieldReader();
  const instance = first(labels, ['instance']);
  const named = first(labels, ['node', 'nodeName', 'node_name', 'Hostname', 'hostname']);
  const node = reader.text(named ?? (instance === null ? fallbackNode : hostOfInstance(instance)), 'node', true) ?? '';
  const label = deviceLabels.find((name) => first(labels, [name]) !== null);
  if (label === undefined) return reader.rejection ?? reject('missing_field', deviceLabels[0] ?? 'vdie_id');
  const device = reader.text(labels.get(label), label, true) ?? '';
  const pod = reader.text(first(labels, ['exported_pod_name', 'pod_name']), 'pod_name');
  const namespace = pod === null ? null : reader.text(first(labels, ['exported_namespace', 'namespace']), 'namespace');
  const identity = {
    node,
    deviceId: deviceIdOf(label, device, node),
    deviceIndex: reader.text(first(labels, ['id']), 'id'),
    acceleratorModel: reader.text(first(labels, ['model_name']), 'model_name'),
    namespace,
    pod,
    jobId: null,
  };
  return reader.rejection ?? { ...identity, key: JSON.stringify([node, identity.deviceId, namespace, pod, null]) };
}
