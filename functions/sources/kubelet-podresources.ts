/**
 * `kubelet-podresources`: which pod holds which device, from the kubelet's PodResources API dumped as JSON (`{"pod_resources": […]}`)
 * and from its device-manager checkpoint → one row a device. Both say what is held now and carry no instant: the landing instant
 * stands, unless the dump has `timestamp` beside it (and `node`), as a collector may write.
 */
import type { ResourceCatalog } from './accelerator-resources.ts';
import { sampleDeviceId } from './device-id.ts';
import { child, FieldReader, isObject, type JsonObject } from './fields.ts';
import { objects } from './pod-status.ts';
import { readSchedulerOptions } from './scheduler-options.ts';
import { type Emit, kindOf, type Outcome, type RecordParser, reject, type Source, type SourceContext } from './source.ts';

const KUBELET_PODRESOURCES = 'kubelet-podresources';

/** One pod of the API or one entry of the checkpoint, with what the dump says about itself; made by `units`. */
interface Unit {
  readonly dump: JsonObject;
  readonly pod?: unknown;
  readonly entry?: unknown;
}

interface Holder {
  readonly podUid: string | null;
  readonly namespace: string | null;
  readonly pod: string | null;
  readonly container: string | null;
}

/** gRPC's JSON is snake case from `jq`-like dumps and camel case from protojson. */
function member(value: JsonObject, snake: string): unknown {
  return value[snake] ?? value[snake.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())];
}

class DeviceRows {
  private readonly context: SourceContext;
  private readonly catalog: ResourceCatalog;
  private readonly atMs: number;
  private readonly node: string | null;
  private readonly reader: FieldReader;
  private readonly rows: Parameters<Emit>[0][] = [];

  constructor(context: SourceContext, catalog: ResourceCatalog, dump: JsonObject, nodeOption: string | null, reader: FieldReader) {
    this.context = context;
    this.catalog = catalog;
    this.reader = reader;
    this.atMs = reader.isoInstant(dump['timestamp'], 'timestamp', null, false) ?? context.receivedAtMs;
    this.node = reader.text(dump['node'], 'node') ?? nodeOption;
  }

  /** Devices of other resources (network cards) are left out. `isUnique`: the ids name one device of the cluster as they stand. */
  add(holder: Holder, resource: unknown, ids: readonly unknown[], isUnique = false): void {
    const name = this.reader.text(resource, 'resource_name', true);
    if (name === null || !this.catalog.concerns(name.includes('/') ? name : `${name}/device`)) return;
    for (const id of ids) {
      const text = this.reader.text(id, 'device_ids', true);
      if (text === null) continue;
      const deviceId = isUnique ? text : sampleDeviceId(text, this.node);
      if (deviceId === null) {
        this.reader.fail('missing_field', 'options.node', 'a device name that is not unique');
        continue;
      }
      this.rows.push({
        native_id: [holder.podUid ?? `${holder.namespace}/${holder.pod}`, holder.container ?? '', deviceId, this.atMs].join('|'),
        observed_at_ms: this.atMs,
        site_id: this.context.siteId,
        node: this.node,
        pod_uid: holder.podUid,
        namespace: holder.namespace,
        pod: holder.pod,
        container: holder.container,
        resource_name: name,
        device_id: deviceId,
      });
    }
  }

  done(emit: Emit): Outcome {
    if (this.reader.rejection !== null) return this.reader.rejection;
    for (const row of this.rows) emit(row);
    return this.rows.length === 0 ? 'blank' : 'valid';
  }
}

/** A pod of PodResources v1: devices of plugins, and devices that came by resource claims (named pool/device). */
function parsePod(pod: JsonObject, rows: DeviceRows, reader: FieldReader): void {
  const name = reader.text(pod['name'], 'name', true);
  const namespace = reader.text(pod['namespace'], 'namespace', true);
  for (const container of objects(pod['containers'])) {
    const holder = { podUid: null, namespace, pod: name, container: reader.text(container['name'], 'containers[].name') };
    for (const device of objects(container['devices'])) {
      const ids = member(device, 'device_ids');
      rows.add(holder, member(device, 'resource_name'), Array.isArray(ids) ? ids : []);
    }
    for (const claim of objects(member(container, 'dynamic_resources')).flatMap((one) => objects(member(one, 'claim_resources')))) {
      const device = [member(claim, 'pool_name'), member(claim, 'device_name')].filter((part) => typeof part === 'string').join('/');
      rows.add(holder, member(claim, 'driver_name'), device === '' ? [] : [device], true);
    }
  }
}

/** Device ids of a checkpoint entry: by NUMA node ("-1" is none); very old kubelets wrote a plain list. */
function parseEntry(entry: JsonObject, rows: DeviceRows, reader: FieldReader): void {
  const podUid = reader.text(entry['PodUID'], 'PodUID', true);
  const ids = entry['DeviceIDs'];
  const lists = Array.isArray(ids) ? [ids] : isObject(ids) ? Object.values(ids) : [];
  const holder = { podUid, namespace: null, pod: null, container: reader.text(entry['ContainerName'], 'ContainerName') };
  rows.add(
    holder,
    entry['ResourceName'],
    lists.flatMap((list) => (Array.isArray(list) ? list : [])),
  );
}

function apiPods(value: unknown): readonly unknown[] | null {
  if (!isObject(value)) return null;
  const pods = member(value, 'pod_resources');
  return Array.isArray(pods) ? pods : null;
}

function checkpointEntries(value: unknown): readonly unknown[] | null {
  const data = child(value, 'Data');
  if (data === null || !('PodDeviceEntries' in data)) return null;
  return Array.isArray(data['PodDeviceEntries']) ? data['PodDeviceEntries'] : [];
}

function units(value: unknown): readonly Unit[] | null {
  if (!isObject(value)) return null;
  const dump = { node: value['node'] ?? null, timestamp: value['timestamp'] ?? null };
  return apiPods(value)?.map((pod) => ({ dump, pod })) ?? checkpointEntries(value)?.map((entry) => ({ dump, entry })) ?? null;
}

function openParser(context: SourceContext): RecordParser {
  const { catalog, options } = readSchedulerOptions(KUBELET_PODRESOURCES, context, { node: { kind: 'text' } });
  return {
    parse(record, _place, emit): Outcome {
      if (!isObject(record) || !isObject(record['dump'])) return reject('wrong_shape', null, kindOf(record));
      const { dump, pod, entry } = record as unknown as Unit;
      const what = pod ?? entry;
      if (!isObject(what)) return reject('wrong_shape', pod === undefined ? 'PodDeviceEntries' : 'pod_resources', kindOf(what));
      const reader = new FieldReader();
      const rows = new DeviceRows(context, catalog, dump, options.text('node'), reader);
      if (pod === undefined) parseEntry(what, rows, reader);
      else parsePod(what, rows, reader);
      return rows.done(emit);
    },
  };
}

/**
 * The API names no pod uid: its pods are found by namespace, name and the instant at which they held the device. The checkpoint has
 * the uid; its entries linger after a pod's end, which is why it never says when a pod ended.
 * Errors (rows): missing_field (name, namespace, PodUID, resource_name; options.node for device names that are unique on a node only),
 * wrong_type, text_too_long. Options: `node` (of the dump), `resources`.
 * Source: kubelet podresources/v1 api.proto; kubelet device manager checkpoint.
 */
export const kubeletPodresources: Source = {
  name: KUBELET_PODRESOURCES,
  fact: 'pod_device',
  framing: 'json',
  detect: ({ json }) => apiPods(json) !== null || checkpointEntries(json) !== null,
  units,
  open: openParser,
};
