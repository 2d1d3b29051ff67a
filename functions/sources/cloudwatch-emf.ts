/**
 * `cloudwatch-emf`: GPU metrics of CloudWatch Container Insights (enhanced observability, classic EMF), from the log group
 * /aws/containerinsights/<cluster>/performance. One unit is one record; its metrics fill one gpu_sample row.
 */
import { Rational } from '../domain/money.ts';
import type { SampleIdentity } from './dcgm-labels.ts';
import { type MetricColumn, type MetricValue, readMetricValue } from './dcgm-metrics.ts';
import { emfRecordsOf, kubernetesOf, looksLikeEmf, metricText } from './emf-record.ts';
import { epochMs } from './epoch.ts';
import { FieldReader, isObject, type JsonObject } from './fields.ts';
import { readOptions } from './options.ts';
import { SampleGroups } from './sample-groups.ts';
import { type Emit, kindOf, type Outcome, type Row, reject, type Source } from './source.ts';

const NAME = 'cloudwatch-emf';

/**
 * The agent prints every reading three times: for the container, for its pod and for the node. The first kind that has a device at an
 * instant is kept: the container's names the pod, the node's is there for idle devices too. `pod` is left out: it repeats the container's.
 */
const LEVELS = ['container', 'node'] as const;
type Level = (typeof LEVELS)[number];

/** Metric without its level → column. Memory is in bytes; the tensor utilisation is 0–1, unlike the others, because the agent does not scale it. */
const METRICS: readonly (readonly [name: string, column: MetricColumn])[] = [
  ['gpu_tensor_core_utilization', 'tensor_active'],
  ['gpu_utilization', 'gpu_util'],
  ['gpu_power_draw', 'power_watts'],
  ['gpu_memory_used', 'memory_used_mib'],
  ['gpu_temperature', 'temperature_c'],
];
const BYTES_PER_MIB = Rational.of(1_048_576n);

function levelOf(record: JsonObject): Level | null {
  return LEVELS.find((level) => METRICS.some(([metric]) => (record[`${level}_${metric}`] ?? null) !== null)) ?? null;
}

function bytesToMib(text: string): string {
  return /^\d+(?:\.\d*)?(?:[eE]\+?\d{1,2})?$/.test(text) ? Rational.of(text.replace(/\.$/, '')).divide(BYTES_PER_MIB).toFixed(9) : text;
}

function valuesOf(record: JsonObject, level: Level, reader: FieldReader): Map<MetricColumn, MetricValue> {
  const values = new Map<MetricColumn, MetricValue>();
  for (const [metric, column] of METRICS) {
    const text = metricText(record, `${level}_${metric}`, reader);
    if (text === null) continue;
    const value = readMetricValue(column, column === 'memory_used_mib' ? bytesToMib(text) : text, reader);
    if (value !== null) values.set(column, value);
  }
  return values;
}

/** `_aws.Timestamp`, or the older `Timestamp`; epoch milliseconds as a number or text. */
function instantOf(record: JsonObject, reader: FieldReader): number | null {
  const aws = record['_aws'];
  const value = (isObject(aws) ? aws['Timestamp'] : null) ?? record['Timestamp'];
  if (value === undefined || value === null || value === '') return reader.fail('missing_field', 'Timestamp', kindOf(value));
  const ms = epochMs(value, 'ms');
  return ms === null ? reader.fail('bad_timestamp', 'Timestamp', kindOf(value)) : reader.instantMs(ms, 'Timestamp');
}

/**
 * The agent drops the device's UUID, so a device is its place: instance (else node) and GpuDevice, which may change when the node reboots.
 * FullPodName is the pod; PodName is its workload and is not read.
 */
function identityOf(record: JsonObject, level: Level, reader: FieldReader): SampleIdentity {
  const kubernetes = kubernetesOf(record);
  const instance = reader.text(record['InstanceId'], 'InstanceId');
  const node = reader.text(record['NodeName'] ?? kubernetes?.['host'] ?? instance, 'NodeName', true) ?? '';
  const device = reader.text(record['GpuDevice'], 'GpuDevice', true) ?? '';
  const attributed = level === 'container';
  const namespace = attributed ? reader.text(record['Namespace'] ?? kubernetes?.['namespace_name'], 'Namespace', true) : null;
  const pod = attributed ? reader.text(record['FullPodName'] ?? kubernetes?.['pod_name'], 'FullPodName', true) : null;
  const deviceId = `${instance ?? node}/${device}`;
  return {
    key: JSON.stringify([node, deviceId, namespace, pod, null]),
    node,
    deviceId,
    deviceIndex: /(\d+)$/.exec(device)?.[1] ?? null,
    acceleratorModel: null,
    namespace,
    pod,
    jobId: null,
  };
}

/** Instants of devices remembered at once, some 100 MiB; a file that passes it keeps a few rows of nodes that repeat a container's. */
const MAX_ATTRIBUTED = 1_000_000;

/** Rows of both levels; a node's row is dropped when a container's row of the same device and instant is there. */
class Readings {
  private readonly groups: Readonly<Record<Level, SampleGroups>>;
  private readonly attributed = new Set<string>();

  constructor(siteId: string) {
    this.groups = { container: new SampleGroups(siteId), node: new SampleGroups(siteId) };
  }

  add(level: Level, identity: SampleIdentity, instantMs: number, column: MetricColumn, value: MetricValue, line: number): boolean {
    if (level === 'container') {
      if (this.attributed.size >= MAX_ATTRIBUTED) this.attributed.clear();
      this.attributed.add(`${instantMs}|${identity.node}|${identity.deviceId}`);
    }
    return this.groups[level].add(identity, instantMs, column, value, line);
  }

  relieve(emit: Emit): void {
    this.groups.container.relieve(emit);
    this.groups.node.relieve((row) => this.unlessAttributed(row, emit));
  }

  drain(emit: (row: Row, line: number) => void): void {
    this.groups.container.drain(emit);
    this.groups.node.drain((row, line) => this.unlessAttributed(row, (kept) => emit(kept, line)));
  }

  private unlessAttributed(row: Row, emit: Emit): void {
    if (!this.attributed.has(`${row['sampled_at_ms']}|${row['node']}|${row['device_id']}`)) emit(row);
  }
}

/**
 * Records of other types (pods, CPU, network, the pod's copy of a reading) are blank. Read are bare records, one a line, messages of a log
 * subscription (logEvents) and listings of events. Within one object a device and instant makes one row per workload, or one without a
 * workload; where a container's and the node's record lie in different objects, both rows are kept, and only the first is anybody's.
 * No options. Errors (rows): wrong_shape, missing_field, wrong_type, out_of_range, negative, sentinel, bad_timestamp,
 * timestamp_out_of_range, duplicate_series.
 */
export const cloudwatchEmf: Source = {
  name: NAME,
  fact: 'gpu_sample',
  framing: 'json',
  detect: (head) => looksLikeEmf(head.json),
  units: emfRecordsOf,
  open(context) {
    readOptions(NAME, context, {});
    const readings = new Readings(context.siteId);
    return {
      parse(record, place, emit): Outcome {
        if (!isObject(record)) return reject('wrong_shape', null, kindOf(record));
        const level = levelOf(record);
        if (level === null) return 'blank';
        const reader = new FieldReader();
        const instantMs = instantOf(record, reader);
        const identity = identityOf(record, level, reader);
        const values = valuesOf(record, level, reader);
        if (reader.rejection !== null || instantMs === null) return reader.rejection ?? reject('wrong_shape');
        for (const [column, value] of values) {
          if (!readings.add(level, identity, instantMs, column, value, place.line)) return reject('duplicate_series', column);
        }
        readings.relieve(emit);
        return 'valid';
      },
      finish: (emit) => readings.drain(emit),
    };
  },
};
