/** What a map may fill: the target columns of each fact with their kind and bounds, and how a column is described. */
import { FORMULA_IDS } from '../domain/flops.ts';

export type MappedFact = 'token_usage' | 'allocation' | 'gpu_sample' | 'training_progress';

/** How a cell is read. `words`: one of a closed list. `list`: names joined by ','. */
export type ColumnKind = 'text' | 'list' | 'words' | 'count' | 'decimal' | 'instant' | 'duration';

export interface TargetColumn {
  readonly kind: ColumnKind;
  /** Must be in every map of the fact. */
  readonly required?: true;
  /** A row without a value is refused. */
  readonly notEmpty?: true;
  /** decimal: digits after the point, and the largest value. */
  readonly scale?: number;
  readonly max?: number;
  readonly words?: readonly string[];
}

export type Scalar = string | number | boolean;

/** A second column that multiplies the first. */
export interface Factor {
  readonly column: string;
  readonly scale?: string | number;
}

/** Where a target column gets its value. Exactly one of `column` and `const`. */
export interface ColumnSpec {
  readonly column?: string;
  readonly const?: Scalar;
  /** Taken where the cell is empty: an instant, or text as the cell would hold it. */
  readonly default?: Scalar;
  readonly unit?: 'ns' | 'us' | 'ms' | 's' | 'm' | 'h' | 'd';
  readonly origin?: string;
  readonly format?: string;
  readonly zone?: string;
  readonly json?: string;
  readonly index?: number;
  readonly length?: true;
  readonly scale?: string | number;
  readonly times?: Factor;
  readonly values?: Readonly<Record<string, string>>;
}

const TEXT: TargetColumn = { kind: 'text' };
const LIST: TargetColumn = { kind: 'list' };
const COUNT: TargetColumn = { kind: 'count' };
const RATIO: TargetColumn = { kind: 'decimal', scale: 9, max: 1 };
const PERCENT: TargetColumn = { kind: 'decimal', scale: 9, max: 100 };
const READING: TargetColumn = { kind: 'decimal', scale: 9, max: 999_999_999 };

function needed(column: TargetColumn): TargetColumn {
  return { ...column, required: true, notEmpty: true };
}

const TOKEN_USAGE = {
  event_at: needed({ kind: 'instant' }),
  tenant_key: { ...TEXT, required: true },
  site_id: TEXT,
  model: { ...TEXT, required: true },
  model_alias: TEXT,
  image_digest: TEXT,
  input_tokens: COUNT,
  input_uncached_tokens: COUNT,
  input_cache_read_tokens: COUNT,
  input_cache_write_tokens: COUNT,
  output_tokens: { ...COUNT, required: true },
  reasoning_tokens: COUNT,
  usage_source: { kind: 'words', words: ['provider', 'gateway_estimate', 'absent'] },
  status: { kind: 'words', words: ['success', 'failure', 'cache_hit', 'not_billable'] },
  attempt_group: TEXT,
} as const satisfies Record<string, TargetColumn>;

const ALLOCATION = {
  workload_id: needed(TEXT),
  tenant_key: { ...TEXT, required: true },
  accelerator_model: TEXT,
  accelerator_count: needed({ kind: 'decimal', scale: 6, max: 999_999 }),
  start_at: { kind: 'instant', required: true },
  end_at: { kind: 'instant' },
  duration: { kind: 'duration' },
  site_id: TEXT,
  state: TEXT,
  node: LIST,
  device_ids: LIST,
  resource_name: TEXT,
  queue: TEXT,
  namespace: TEXT,
  pod: TEXT,
  labels: LIST,
  gang: TEXT,
  job_id: TEXT,
  hfu: RATIO,
  mfu: RATIO,
  gpu_util: RATIO,
} as const satisfies Record<string, TargetColumn>;

const GPU_SAMPLE = {
  sampled_at: needed({ kind: 'instant' }),
  node: needed(TEXT),
  device_id: needed(TEXT),
  device_index: TEXT,
  site_id: TEXT,
  accelerator_model: TEXT,
  tensor_active: RATIO,
  sm_active: RATIO,
  engine_active: RATIO,
  gpu_util: PERCENT,
  sm_clock_mhz: READING,
  power_watts: READING,
  memory_used_mib: READING,
  temperature_c: READING,
  namespace: TEXT,
  pod: TEXT,
  job_id: TEXT,
} as const satisfies Record<string, TargetColumn>;

/** Shape of the model; which are needed depends on the formula (functions/domain/flops.ts). */
export const SHAPE_COLUMNS = ['params', 'active_params', 'layers', 'hidden', 'heads', 'head_dim', 'seq_len', 'vocab'] as const;

const TRAINING_PROGRESS = {
  workload_id: needed(TEXT),
  site_id: TEXT,
  from: needed({ kind: 'instant' }),
  to: needed({ kind: 'instant' }),
  tokens: needed(COUNT),
  precision: needed({ kind: 'words', words: ['bf16', 'fp16', 'fp8', 'fp32', 'tf32'] }),
  formula: needed({ kind: 'words', words: FORMULA_IDS }),
  params: COUNT,
  active_params: COUNT,
  layers: COUNT,
  hidden: COUNT,
  heads: COUNT,
  head_dim: COUNT,
  seq_len: COUNT,
  vocab: COUNT,
} as const satisfies Record<string, TargetColumn>;

export const FACT_COLUMNS: Readonly<Record<MappedFact, Readonly<Record<string, TargetColumn>>>> = {
  token_usage: TOKEN_USAGE,
  allocation: ALLOCATION,
  gpu_sample: GPU_SAMPLE,
  training_progress: TRAINING_PROGRESS,
};

/** Short names that mean a target column. */
export const COLUMN_ALIASES: Readonly<Record<MappedFact, Readonly<Record<string, string>>>> = {
  token_usage: { input_cache_read: 'input_cache_read_tokens', input_cache_write: 'input_cache_write_tokens' },
  allocation: {},
  gpu_sample: {},
  training_progress: {},
};

/** Of each group exactly one column must be mapped. */
export const ONE_OF: Readonly<Record<MappedFact, readonly (readonly string[])[]>> = {
  token_usage: [['input_tokens', 'input_uncached_tokens']],
  allocation: [['end_at', 'duration']],
  gpu_sample: [],
  training_progress: [],
};

/** Of each group at least one column must be mapped. An allocation's model can also come from its node, through the inventory. */
export const SOME_OF: Readonly<Record<MappedFact, readonly (readonly string[])[]>> = {
  token_usage: [],
  allocation: [['accelerator_model', 'node']],
  gpu_sample: [
    ['tensor_active', 'sm_active', 'engine_active', 'gpu_util', 'sm_clock_mhz', 'power_watts', 'memory_used_mib', 'temperature_c'],
  ],
  training_progress: [],
};
