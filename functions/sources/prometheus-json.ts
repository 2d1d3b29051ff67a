/**
 * `prometheus-json`: answers of Prometheus' /api/v1/query and /api/v1/query_range (Thanos, VictoriaMetrics and Amazon's
 * managed service answer alike) for accelerator metrics (DCGM, npu-exporter). The unit is one point, so a NaN refuses one point and not its series.
 */
import { KashiError } from '../domain/errors.ts';
import type { Labels } from './dcgm-labels.ts';
import { epochMs } from './epoch.ts';
import { child, type FieldReader, isObject, type JsonObject } from './fields.ts';
import { readOptions } from './options.ts';
import { meaningOf, namingOf, SERIES_OPTIONS } from './series-meaning.ts';
import { SeriesSamples } from './series-samples.ts';
import { kindOf, type Outcome, type RecordParser, type Rejection, reject, type Source, type SourceContext } from './source.ts';

/** Stands for the point of a series that has none. */
const NO_POINT = Symbol('no point');

/** One unit: a point of a series. `point` is what the answer holds there, whatever it is. */
class SeriesPoint {
  readonly metric: JsonObject;
  readonly point: unknown;

  constructor(metric: JsonObject, point: unknown) {
    this.metric = metric;
    this.point = point;
  }
}

function isAnswer(value: unknown): value is JsonObject {
  const resultType = child(value, 'data')?.['resultType'];
  return resultType === 'vector' || resultType === 'matrix';
}

/** The points of one series in order. A series of an unexpected shape is one unit, to be refused. */
function pointsOf(series: unknown): readonly SeriesPoint[] {
  const metric = child(series, 'metric') ?? {};
  if (!isObject(series)) return [new SeriesPoint(metric, undefined)];
  const { value, values } = series;
  if (!Array.isArray(values)) return [new SeriesPoint(metric, value)];
  return values.length === 0 ? [new SeriesPoint(metric, NO_POINT)] : values.map((point) => new SeriesPoint(metric, point));
}

/** True when the series may be read: its metric is stored, or it has no name (a function dropped it) and `metric` may say it. */
function mayBeKnown(series: unknown): boolean {
  const name = child(series, 'metric')?.['__name__'];
  return name === undefined || (typeof name === 'string' && meaningOf(name) !== null);
}

/** Points of a readable answer. Null (the document is the unit, and is refused) when it is none or no series is known. */
function units(value: unknown): readonly unknown[] | null {
  const result = isAnswer(value) ? child(value, 'data')?.['result'] : null;
  if (!Array.isArray(result)) return null;
  if (result.length > 0 && !result.some(mayBeKnown)) return null;
  return result.flatMap(pointsOf);
}

/** Why a whole document is refused. A file of other metrics landed in the wrong place must not pass as read. */
function refuseDocument(value: unknown): Rejection {
  if (!isObject(value)) return reject('wrong_shape', null, kindOf(value));
  if (value['status'] === 'error') return reject('wrong_shape', 'status', 'error answer');
  if (!isAnswer(value)) return reject('wrong_shape', 'data.resultType', kindOf(child(value, 'data')?.['resultType']));
  const result = child(value, 'data')?.['result'];
  return reject('wrong_shape', 'data.result', Array.isArray(result) ? `${kindOf(result)}, no known metric` : kindOf(result));
}

/** Label values are strings in every answer; anything else is not a label. */
function labelsOf(metric: JsonObject): Labels | null {
  const labels = new Map<string, string>();
  for (const [name, value] of Object.entries(metric)) {
    if (typeof value !== 'string') return null;
    labels.set(name, value);
  }
  return labels;
}

function instantOf(at: unknown, reader: FieldReader): number | null {
  if (typeof at !== 'number') return reader.fail('wrong_type', 'value[0]', kindOf(at));
  return reader.instantMs(epochMs(at, 's') ?? Number.NaN, 'value[0]');
}

function openParser(context: SourceContext): RecordParser {
  const options = readOptions('prometheus-json', context, { ...SERIES_OPTIONS, metric: { kind: 'text' } });
  const unnamed = options.text('metric');
  if (unnamed !== null && meaningOf(unnamed) === null) {
    const where = 'options of source prometheus-json: metric';
    throw new KashiError('config_invalid', 'unknown metric', { where, allowed: 'a metric that kashi stores', found: unnamed });
  }
  const samples = new SeriesSamples(context.siteId, namingOf(options));
  return {
    parse(record, place, emit): Outcome {
      if (!(record instanceof SeriesPoint)) return refuseDocument(record);
      const { metric, point } = record;
      const name = metric['__name__'] ?? unnamed;
      if (typeof name !== 'string') return reject('missing_field', 'metric.__name__', kindOf(name));
      const meaning = meaningOf(name);
      if (meaning === null) return 'valid';
      if (point === NO_POINT) return 'blank';
      if (!Array.isArray(point) || point.length !== 2) return reject('wrong_shape', 'value', kindOf(point));
      const [at, value] = point as [unknown, unknown];
      if (typeof value !== 'string') return reject('wrong_type', meaning.column, kindOf(value));
      // Points of one series share the metric object, so its labels are read once.
      const labels = (): Labels | null => labelsOf(metric);
      return samples.add({ name, meaning, series: metric, labels, instantMs: (reader) => instantOf(at, reader), value }, place, emit);
    },
    finish: (emit) => samples.drain(emit),
  };
}

/**
 * Series of one object that share device, instant and workload merge into one row, so an object may hold the answers to several
 * queries, one a line. Instants are whole milliseconds of the printed seconds: 1771529464.895 → 1771529464895.
 * An empty result is blank; a series of a metric that is not stored is valid and makes no row, but a document with none that is
 * stored is refused as a whole (wrong_shape), as is an error answer. `warnings` and `infos` are not read.
 * Options: `node` when the series carry neither Hostname nor instance; `metric`, the name of series whose name a function dropped
 * (`avg_over_time(…)`), otherwise missing_field.
 * Source: Prometheus documentation, HTTP API.
 */
export const prometheusJson: Source = {
  name: 'prometheus-json',
  fact: 'gpu_sample',
  framing: 'json',
  detect: ({ json }) => isAnswer(json) || (isObject(json) && json['status'] === 'error' && typeof json['errorType'] === 'string'),
  units,
  open: openParser,
};
