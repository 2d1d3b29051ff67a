/**
 * `otlp-metrics`: OTLP/JSON metrics of a collector that scrapes accelerator exporters. Metric names are the exporter's own
 * (DCGM_FI_…, npu_chip_info_…), attributes are its labels. The unit is one data point.
 */
import { epochMs } from './epoch.ts';
import { type FieldReader, isObject } from './fields.ts';
import { readOptions } from './options.ts';
import { labelsOfPoint, MetricPoint, metricPointsOf } from './otlp-points.ts';
import { meaningOf, namingOf, SERIES_OPTIONS } from './series-meaning.ts';
import { SeriesSamples } from './series-samples.ts';
import { type Head, kindOf, type Outcome, type RecordPlace, reject, type Source } from './source.ts';

const NAME = 'otlp-metrics';
/** DataPointFlags: no recorded value, as a stale series is sent. */
const NO_VALUE = 1;

function looksLikeMetrics(head: Head): boolean {
  if (head.json === undefined) return /^\s*\{\s*"resourceMetrics"\s*:\s*\[/.test(head.text);
  return isObject(head.json) && Array.isArray(head.json['resourceMetrics']);
}

function instantOf(value: unknown, reader: FieldReader): number | null {
  // Zero is the specification's word for unknown.
  if (value === undefined || value === null || value === '' || value === 0 || value === '0') {
    return reader.fail('missing_field', 'timeUnixNano', kindOf(value));
  }
  const ms = epochMs(value, 'ns');
  return ms === null ? reader.fail('bad_timestamp', 'timeUnixNano', kindOf(value)) : reader.instantMs(ms, 'timeUnixNano');
}

/**
 * Gauge and sum points are read; a counter's temporality does not matter, because what is stored of counters is their last value. The
 * metric's `unit` is not read: CloudWatch's agent puts "%" on ratios that it did not scale. Histograms and summaries are no readings of an
 * accelerator and are blank, the token histogram gen_ai.client.token.usage too: it cannot be tied to requests, so tokens are billed from
 * spans (otel-genai). Points of metrics that are not stored are valid and make no row; a point flagged as without a value is blank.
 * Points that a client sent again merge into the same sample. Options: `node` and `npu_device_from` (series-meaning.ts).
 */
export const otlpMetrics: Source = {
  name: NAME,
  fact: 'gpu_sample',
  framing: 'json',
  detect: looksLikeMetrics,
  units: metricPointsOf,
  open(context) {
    const samples = new SeriesSamples(context.siteId, namingOf(readOptions(NAME, context, SERIES_OPTIONS)));
    return {
      parse(record, place: RecordPlace, emit): Outcome {
        if (!(record instanceof MetricPoint)) return reject('wrong_shape', 'resourceMetrics', kindOf(record));
        const { metric, point, resource } = record;
        if (!isObject(metric)) return reject('wrong_shape', 'metrics', kindOf(metric));
        if (!isObject(point)) return reject('wrong_shape', 'dataPoints', kindOf(point));
        if (!record.isNumber) return 'blank';
        const name = metric['name'];
        if (typeof name !== 'string' || name === '') return reject('missing_field', 'metrics.name', kindOf(name));
        const meaning = meaningOf(name);
        if (meaning === null) return 'valid';
        if (typeof point['flags'] === 'number' && (point['flags'] & NO_VALUE) === NO_VALUE) return 'blank';
        const value = point['asDouble'] ?? point['asInt'];
        if (value === undefined || value === null) return reject('missing_field', 'asDouble', kindOf(value));
        if (typeof value !== 'number' && typeof value !== 'string') return reject('wrong_type', 'asDouble', kindOf(value));
        return samples.add(
          {
            name,
            meaning,
            series: point,
            labels: () => labelsOfPoint(point, resource),
            instantMs: (reader) => instantOf(point['timeUnixNano'], reader),
            value: String(value),
          },
          place,
          emit,
        );
      },
      finish: (emit) => samples.drain(emit),
    };
  },
};
