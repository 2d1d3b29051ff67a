/** What a named series says about an accelerator, whichever exporter wrote it: one place for every channel that carries several exporters. */
import { identify, type Labels, type SampleIdentity } from './dcgm-labels.ts';
import { type MetricColumn, type MetricValue, metricColumn, readMetricValue, readPlainValue } from './dcgm-metrics.ts';
import type { FieldReader } from './fields.ts';
import { DEFAULT_NPU_DEVICE_LABELS, identifyNpu, NPU_DEVICE_LABELS } from './npu-labels.ts';
import { npuMetric, readNpuValue } from './npu-metrics.ts';
import type { OptionRule, Options } from './options.ts';
import type { Rejection } from './source.ts';

/** What the labels leave open, from the landing rule. */
export interface SeriesNaming {
  /** Host name for series that carry none. */
  readonly node: string | null;
  /** Labels that may name an NPU, best first. */
  readonly npuDeviceLabels: readonly string[];
}

export interface SeriesMeaning {
  /** Series of one family read their labels alike. */
  readonly family: 'dcgm' | 'npu';
  readonly column: MetricColumn;
  /** Of two metrics for one column the higher rank is kept. */
  readonly rank: number;
  /** The stored value of one printed reading; null with the fault in `reader`. */
  readonly read: (text: string, reader: FieldReader) => MetricValue | null;
  /** The same for digits, or digits, a point and digits; null says only that `read` decides. */
  readonly readPlain: (text: string) => MetricValue | null;
  readonly identify: (labels: Labels, naming: SeriesNaming) => SampleIdentity | Rejection;
}

/** Known metrics only, so it stays small. */
const KNOWN = new Map<string, SeriesMeaning>();

/** Meaning of a metric name, or null when kashi does not store it. */
export function meaningOf(metric: string): SeriesMeaning | null {
  const known = KNOWN.get(metric);
  if (known !== undefined) return known;
  const meaning = dcgmMeaning(metric) ?? npuMeaning(metric);
  if (meaning !== null) KNOWN.set(metric, meaning);
  return meaning;
}

function dcgmMeaning(metric: string): SeriesMeaning | null {
  const column = metricColumn(metric);
  if (column === null) return null;
  return {
    family: 'dcgm',
    column,
    rank: 0,
    read: (text, reader) => readMetricValue(column, text, reader),
    readPlain: (text) => readPlainValue(column, text),
    identify: (labels, { node }) => identify(labels, node),
  };
}

function npuMeaning(metric: string): SeriesMeaning | null {
  const npu = npuMetric(metric);
  if (npu === null) return null;
  return {
    family: 'npu',
    column: npu.column,
    rank: npu.rank,
    read: (text, reader) => readNpuValue(npu, text, reader),
    readPlain: () => null,
    identify: (labels, { node, npuDeviceLabels }) => identifyNpu(labels, node, npuDeviceLabels),
  };
}

/** Options of every source whose unit is a named series. */
export const SERIES_OPTIONS: Readonly<Record<string, OptionRule>> = {
  node: { kind: 'text' },
  npu_device_from: { kind: 'names', of: NPU_DEVICE_LABELS },
};

export function namingOf(options: Options): SeriesNaming {
  return { node: options.text('node'), npuDeviceLabels: options.names('npu_device_from', DEFAULT_NPU_DEVICE_LABELS) };
}
