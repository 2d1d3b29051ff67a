/** OTLP/JSON metrics → data points, and their attributes as the labels of the exporter behind them. Source: opentelemetry-proto metrics.proto. */
import type { Labels } from './dcgm-labels.ts';
import { child, isObject } from './fields.ts';
import { type Attributes, attributesOf } from './otlp-json.ts';

/** Members of a metric that hold single numbers; histograms and summaries hold distributions. */
const NUMBERS = ['gauge', 'sum'] as const;
const DISTRIBUTIONS = ['histogram', 'exponentialHistogram', 'summary'] as const;

/** One data point with the metric and the resource it came under. */
export class MetricPoint {
  readonly metric: unknown;
  readonly resource: unknown;
  readonly point: unknown;
  readonly isNumber: boolean;

  constructor(metric: unknown, resource: unknown, point: unknown, isNumber: boolean) {
    this.metric = metric;
    this.resource = resource;
    this.point = point;
    this.isNumber = isNumber;
  }
}

/** Data points of an export request, in order; null when it is none. A part of an unexpected shape is one point, to be refused. */
export function metricPointsOf(value: unknown): MetricPoint[] | null {
  if (!isObject(value) || !Array.isArray(value['resourceMetrics'])) return null;
  const points: MetricPoint[] = [];
  for (const group of value['resourceMetrics']) {
    const resource = child(group, 'resource');
    const scopes = isObject(group) ? (group['scopeMetrics'] ?? group['instrumentationLibraryMetrics'] ?? []) : [group];
    for (const scope of Array.isArray(scopes) ? scopes : [scopes]) {
      const metrics = isObject(scope) ? (scope['metrics'] ?? []) : [scope];
      // One by one: a list too long for the arguments of a call must not overflow the stack.
      for (const metric of Array.isArray(metrics) ? metrics : [metrics]) for (const point of pointsOf(metric, resource)) points.push(point);
    }
  }
  return points;
}

function pointsOf(metric: unknown, resource: unknown): MetricPoint[] {
  if (!isObject(metric)) return [new MetricPoint(metric, resource, null, true)];
  return [...NUMBERS, ...DISTRIBUTIONS].flatMap((kind) => {
    const points = child(metric, kind)?.['dataPoints'] ?? [];
    const isNumber = kind === 'gauge' || kind === 'sum';
    return (Array.isArray(points) ? points : [points]).map((point) => new MetricPoint(metric, resource, point, isNumber));
  });
}

/** Labels that name a workload, as an exporter or a Prometheus receiver leaves them on the point. Present and empty means idle. */
const WORKLOAD_LABELS = ['pod', 'pod_name', 'exported_pod'] as const;
const WORKLOAD_ATTRIBUTES = [
  ['pod', 'k8s.pod.name'],
  ['namespace', 'k8s.namespace.name'],
  ['container', 'k8s.container.name'],
] as const;
const NODE_ATTRIBUTES = ['k8s.node.name', 'host.name'] as const;

/**
 * Attributes of a point as exporter labels. What the point says goes before what its resource says: a resource names whoever sent the
 * metrics, which is the exporter unless a pipeline moved the workload there. Namespace, pod and container always come from one place.
 * The node is the point's host label, else k8s.node.name, host.name, or the host of service.instance.id (a Prometheus receiver's target).
 */
export function labelsOfPoint(point: unknown, resource: unknown): Labels {
  const own = attributesOf(point);
  const outer = attributesOf(resource);
  const labels = new Map<string, string>();
  for (const [name, value] of own) {
    const text = textOf(value);
    if (text !== null) labels.set(name, text);
  }
  if (!WORKLOAD_LABELS.some((name) => labels.has(name))) {
    const holder = own.has('k8s.pod.name') ? own : outer;
    for (const [label, attribute] of WORKLOAD_ATTRIBUTES) setFrom(labels, label, holder, [attribute]);
  }
  if (!labels.has('Hostname') && !labels.has('hostname')) {
    setFrom(labels, 'Hostname', own, NODE_ATTRIBUTES);
    if (!labels.has('Hostname')) setFrom(labels, 'Hostname', outer, NODE_ATTRIBUTES);
  }
  if (!labels.has('instance')) setFrom(labels, 'instance', outer, ['service.instance.id']);
  return labels;
}

function setFrom(labels: Map<string, string>, label: string, holder: Attributes, names: readonly string[]): void {
  const text = names.map((name) => textOf(holder.get(name))).find((found) => found !== null && found !== '');
  if (text !== undefined && text !== null) labels.set(label, text);
}

/** A label is text; an index may come as a number. */
function textOf(value: unknown): string | null {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : null;
}
