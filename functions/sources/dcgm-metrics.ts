/**
 * Which exporter metric fills which column of gpu_sample, and how one printed value is read. Every source that carries
 * DCGM names (text, Prometheus JSON, remote write, OTLP) uses this table; the metric name is whatever the operator's
 * counters file says, so each field is listed under every spelling it has had.
 */
import { type FieldReader, roundDecimalText } from './fields.ts';
import { kindOf } from './source.ts';

export type MetricColumn =
  | 'tensor_active'
  | 'sm_active'
  | 'engine_active'
  | 'gpu_util'
  | 'sm_clock_mhz'
  | 'power_watts'
  | 'energy_mj'
  | 'memory_used_mib'
  | 'temperature_c'
  | 'xid';

export type MetricValue = string | number | bigint;

/**
 * Metric name → column. Sources: DCGM dcgm_fields.h (current names, and the aliases that 4.6 keeps), dcgm-exporter counters files,
 * and the lower-case names of exporter 1.x and of --use-old-namespace. DCGM_FI_DEV_GPU_UTIL_RATIO is named a ratio, but the exporter
 * prints percent. Partial pipes (HMMA, IMMA, FP16 …) and instantaneous power are other quantities, so they are not here.
 */
const COLUMN_BY_METRIC: ReadonlyMap<string, MetricColumn> = new Map<string, MetricColumn>([
  ['DCGM_FI_PROF_PIPE_TENSOR_ACTIVE', 'tensor_active'],
  ['DCGM_FI_PROF_TENSOR_UTIL_RATIO', 'tensor_active'],
  ['DCGM_FI_PROF_SM_ACTIVE', 'sm_active'],
  ['DCGM_FI_PROF_SM_UTIL_RATIO', 'sm_active'],
  ['DCGM_FI_PROF_GR_ENGINE_ACTIVE', 'engine_active'],
  ['DCGM_FI_PROF_GR_ENGINE_UTIL_RATIO', 'engine_active'],
  ['DCGM_FI_DEV_GPU_UTIL', 'gpu_util'],
  ['DCGM_FI_DEV_GPU_UTIL_RATIO', 'gpu_util'],
  ['dcgm_gpu_utilization', 'gpu_util'],
  ['DCGM_FI_DEV_SM_CLOCK', 'sm_clock_mhz'],
  ['dcgm_sm_clock', 'sm_clock_mhz'],
  ['DCGM_FI_DEV_POWER_USAGE', 'power_watts'],
  ['DCGM_FI_DEV_BOARD_POWER_WATTS', 'power_watts'],
  ['dcgm_power_usage', 'power_watts'],
  ['DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION', 'energy_mj'],
  ['dcgm_total_energy_consumption', 'energy_mj'],
  ['DCGM_FI_DEV_FB_USED', 'memory_used_mib'],
  ['dcgm_fb_used', 'memory_used_mib'],
  ['DCGM_FI_DEV_GPU_TEMP', 'temperature_c'],
  ['DCGM_FI_DEV_GPU_TEMP_CELSIUS', 'temperature_c'],
  ['dcgm_gpu_temp', 'temperature_c'],
  ['DCGM_FI_DEV_XID_ERRORS', 'xid'],
  ['DCGM_FI_DEV_XID_ERROR', 'xid'],
  ['dcgm_xid_errors', 'xid'],
]);

/** Column that a metric fills, or null when kashi does not store it. Example: 'DCGM_FI_DEV_BOARD_POWER_WATTS' → 'power_watts'. */
export function metricColumn(metric: string): MetricColumn | null {
  return COLUMN_BY_METRIC.get(metric) ?? null;
}

/** The value grammar of the exposition format and of query answers: a Go float, or one of the special words. */
const DECIMAL_VALUE = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?$/;
const SPECIAL_VALUE = /^(?:nan|[+-]?inf(?:inity)?)$/i;

/** True when the text is a value at all, NaN and infinities included. */
export function isMetricValue(text: string): boolean {
  return DECIMAL_VALUE.test(text) || SPECIAL_VALUE.test(text);
}

/** Blank, not found, not supported, not permissioned: the numbers DCGM prints for "no value" (dcgm_structs.h). */
const INT32_BLANK = 2_147_483_632;
const INT32_LAST = 2_147_483_647;
const INT64_BLANK = 9_223_372_036_854_775_792n;
const FP64_BLANK = 140_737_488_355_328;

/** Multiplexed ratios may overshoot 1 by rounding; more than this is a wrong reading. */
const RATIO_LIMIT = 1.000001;

const DECIMALS = 9;
const MAX_BY_COLUMN: Readonly<Record<Exclude<MetricColumn, 'energy_mj' | 'xid'>, number>> = {
  tensor_active: RATIO_LIMIT,
  sm_active: RATIO_LIMIT,
  engine_active: RATIO_LIMIT,
  gpu_util: 100,
  sm_clock_mhz: 100_000,
  power_watts: 100_000,
  memory_used_mib: 100_000_000,
  temperature_c: 1_000,
};
const PLAIN_MAX_BY_COLUMN: typeof MAX_BY_COLUMN = { ...MAX_BY_COLUMN, tensor_active: 1, sm_active: 1, engine_active: 1 };

/**
 * The stored value of one reading, or null with the fault remembered in `reader`.
 * Units: those of the column (gpu_util stays 0–100, ratios 0–1; at most 9 decimals, half up; an overshoot up to 1.000001 reads as 1).
 * Errors: sentinel (DCGM blanks, NaN, infinities), out_of_range, negative, not_an_integer (xid).
 * Example: ('power_watts', '67.268000') → '67.268000'; ('energy_mj', '15152422938') → 15152422938n; ('sm_active', '1.02') → out_of_range.
 */
export function readMetricValue(column: MetricColumn, text: string, reader: FieldReader): MetricValue | null {
  if (SPECIAL_VALUE.test(text)) return reader.fail('sentinel', column, null);
  if (!DECIMAL_VALUE.test(text)) return reader.fail('wrong_type', column, kindOf(text));
  if (column === 'energy_mj') return readEnergy(text, reader);
  const n = Number(text);
  if (n >= FP64_BLANK || (n >= INT32_BLANK && n <= INT32_LAST)) return reader.fail('sentinel', column, kindOf(n));
  if (column === 'xid') return reader.count(n, column);
  const value = reader.decimal(text, column, DECIMALS, MAX_BY_COLUMN[column], { required: true });
  return MAX_BY_COLUMN[column] === RATIO_LIMIT && n > 1 && value !== null ? '1' : value;
}

/**
 * What readMetricValue makes of digits, or of digits, a point and digits: a file has millions of them. Null: it is for that to decide.
 * Example: ('power_watts', '67.268000') → '67.268000'; ('power_watts', '2147483632') → null, a sentinel.
 */
export function readPlainValue(column: MetricColumn, text: string): MetricValue | null {
  const n = Number(text);
  if (column === 'energy_mj') return Number.isSafeInteger(n) && !text.includes('.') ? BigInt(text) : null;
  if (column === 'xid' || n >= INT32_BLANK || n > PLAIN_MAX_BY_COLUMN[column]) return null;
  const point = text.indexOf('.');
  return point < 0 || text.length - point - 1 <= DECIMALS ? text : null;
}

/** The energy counter passes 2^31 within a day and is an int64: only the int64 blanks are sentinels. */
function readEnergy(text: string, reader: FieldReader): bigint | null {
  const n = Number(text);
  if (n < 0) return reader.fail('negative', 'energy_mj', kindOf(n));
  if (n >= 1e19) return reader.fail('sentinel', 'energy_mj', kindOf(n));
  const millijoules = BigInt(roundDecimalText(text, 0));
  return millijoules >= INT64_BLANK ? reader.fail('sentinel', 'energy_mj', kindOf(n)) : millijoules;
}
