/**
 * Which metric of Ascend's npu-exporter fills which column of gpu_sample. Sources that carry these names (text, remote write,
 * OTLP) share this table. Source: Ascend/mind-cluster npu-exporter, Prometheus metrics API.
 */
import { isMetricValue, type MetricColumn, type MetricValue, readMetricValue } from './dcgm-metrics.ts';
import { type FieldReader, roundDecimalText } from './fields.ts';

export interface NpuMetric {
  readonly column: MetricColumn;
  /** Of two metrics for one column the higher one is kept. */
  readonly rank: number;
  /** True when a percentage becomes a ratio. */
  readonly percent: boolean;
}

/**
 * HFU needs the activity of the matrix pipe, which is the cube unit; the AI-core utilisation (any unit of the core) is the only one
 * that every product prints, so it stands in where the cube is not reported. HBM is the memory of training cards, `used_memory` the
 * DDR of inference cards; both print MB and count 1024 × 1024, so they are MiB. Not here, because they are no reading of a card:
 * npu_container_info, container_npu_* and vnpu_* (a container's or a virtual card's share of readings that the chip lines hold already,
 * vnpu memory in KB), machine_*, health, error codes, voltage, links.
 */
const METRICS: ReadonlyMap<string, NpuMetric> = new Map([
  ['npu_chip_info_utilization', { column: 'tensor_active', rank: 0, percent: true }],
  ['npu_chip_info_cube_utilization', { column: 'tensor_active', rank: 1, percent: true }],
  ['npu_chip_info_overall_utilization', { column: 'gpu_util', rank: 0, percent: false }],
  ['npu_chip_info_aicore_current_freq', { column: 'sm_clock_mhz', rank: 0, percent: false }],
  ['npu_chip_info_power', { column: 'power_watts', rank: 0, percent: false }],
  ['npu_chip_info_used_memory', { column: 'memory_used_mib', rank: 0, percent: false }],
  ['npu_chip_info_hbm_used_memory', { column: 'memory_used_mib', rank: 1, percent: false }],
  ['npu_chip_info_temperature', { column: 'temperature_c', rank: 0, percent: false }],
]);

/** Meaning of a metric, or null when kashi does not store it. */
export function npuMetric(name: string): NpuMetric | null {
  return METRICS.get(name) ?? null;
}

/** The exporter drops these readings; an older one may print them. */
const INVALID = new Set([-1, 4_294_967_295]);

/**
 * The stored value of one reading, or null with the fault remembered in `reader`.
 * Units: those of the column; a percentage 0–100 becomes a ratio, exactly. Errors: sentinel (−1, 2^32 − 1), and those of readMetricValue.
 * Example: (cube utilisation, '45.5') → '0.455000000'; (power, '310.25') → '310.25'.
 */
export function readNpuValue(metric: NpuMetric, text: string, reader: FieldReader): MetricValue | null {
  if (INVALID.has(Number(text))) return reader.fail('sentinel', metric.column, `number ${Number(text)}`);
  return readMetricValue(metric.column, metric.percent && isMetricValue(text) ? hundredth(text) : text, reader);
}

/** A decimal text divided by 100, exactly: the exponent moves. Words (NaN, +Inf) stay. */
function hundredth(text: string): string {
  if (!/^[+-]?[\d.]/.test(text)) return text;
  const [mantissa = '', exponent = '0'] = text.split(/[eE]/);
  const shifted = `${mantissa}e${Number(exponent) - 2}`;
  return mantissa.startsWith('-') ? shifted : roundDecimalText(shifted, 9);
}
