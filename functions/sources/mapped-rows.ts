/** Rows of the four facts a map can make. A row that `where` leaves out is kept as not billable where the fact has a place for that. */
import { KashiError } from '../domain/errors.ts';
import { type ModelShape, modelFlopsForTokens } from '../domain/flops.ts';
import { FieldReader } from './fields.ts';
import { type MappedFact, SHAPE_COLUMNS } from './mapped-columns.ts';
import type { MapDefinition } from './mapped-definition.ts';
import type { Cell } from './mapped-number.ts';
import type { CompiledColumn } from './mapped-value.ts';
import type { Row, SourceContext } from './source.ts';
import { ABSENT_USAGE, imageDigest, type StatedUsage, type TokenColumns, tokenColumns } from './token-counts.ts';

/** Everything a row is made from. */
export interface RowInput {
  readonly map: MapDefinition;
  readonly columns: ReadonlyMap<string, CompiledColumn>;
  readonly cell: Cell;
  readonly context: SourceContext;
  readonly nativeId: string;
  /** False when `where` leaves the row out. */
  readonly billable: boolean;
}

type Read = (name: string) => string | number | null;
type MakeRow = (input: RowInput, read: Read, reader: FieldReader) => Row | null;

const MAKERS: Readonly<Record<MappedFact, MakeRow>> = {
  token_usage: tokenRow,
  allocation: allocationRow,
  gpu_sample: sampleRow,
  training_progress: progressRow,
};

/**
 * The row of one record; null when `where` leaves it out and the fact has no state to say so (samples, progress): it is then blank.
 * Faults are remembered in the reader.
 */
export function mappedRow(input: RowInput, reader: FieldReader): Row | null {
  return MAKERS[input.map.fact](input, (name) => input.columns.get(name)?.read(input.cell, reader) ?? null, reader);
}

function tokenRow(input: RowInput, read: Read, reader: FieldReader): Row {
  const status = input.billable ? (read('status') ?? 'success') : 'not_billable';
  return {
    native_id: input.nativeId,
    event_at_ms: read('event_at'),
    tenant_key: read('tenant_key'),
    site_id: read('site_id') ?? input.context.siteId,
    model: read('model'),
    model_alias: read('model_alias'),
    image_digest: imageDigest(read('image_digest')),
    ...(input.billable ? usageOf(input, reader) : usageIfReadable(input)),
    status,
    attempt_group: read('attempt_group'),
  };
}

/** Counts of a row that is not billed: unreadable ones are unknown, not a fault. */
function usageIfReadable(input: RowInput): TokenColumns {
  const reader = new FieldReader();
  const usage = usageOf(input, reader);
  return reader.rejection === null ? usage : ABSENT_USAGE;
}

function usageOf(input: RowInput, reader: FieldReader): TokenColumns {
  const source = input.columns.get('usage_source')?.read(input.cell, reader) ?? 'provider';
  if (source === 'absent') return ABSENT_USAGE;
  const direct = input.columns.has('input_uncached_tokens');
  const inputName = direct ? 'input_uncached_tokens' : 'input_tokens';
  const nameOf = (target: string): string => input.map.columns[target]?.column ?? target;
  const stated = (counts: FieldReader): StatedUsage => {
    const count = (name: string): number | null => (input.columns.get(name)?.read(input.cell, counts) as number | null | undefined) ?? null;
    return {
      input: count(inputName),
      output: count('output_tokens'),
      cacheRead: count('input_cache_read_tokens'),
      cacheWrite: count('input_cache_write_tokens'),
      reasoning: count('reasoning_tokens'),
      total: null,
      cacheOutside: direct,
    };
  };
  const fields = {
    input: nameOf(inputName),
    output: nameOf('output_tokens'),
    total: 'total_tokens',
    reasoning: nameOf('reasoning_tokens'),
  };
  const usage = tokenColumns(reader, stated, fields);
  return usage.usage_source === 'absent' ? usage : { ...usage, usage_source: source as 'provider' | 'gateway_estimate' };
}

/**
 * An empty start is an allocation that was never bound: no GPU time. One that `where` leaves out keeps its interval and holds 0 accelerators.
 * observed_at_ms: the end, else when the object was received, never before the start.
 */
function allocationRow(input: RowInput, read: Read, reader: FieldReader): Row {
  const start = read('start_at') as number | null;
  const end = endOf(input, start, read, reader);
  if (start !== null && end !== null && end < start)
    reader.fail('end_before_start', input.map.columns['end_at']?.column ?? 'end_at', `number ${end - start}`);
  return {
    native_id: input.nativeId,
    observed_at_ms: end ?? Math.max(start ?? 0, input.context.receivedAtMs),
    workload_id: read('workload_id'),
    tenant_key: read('tenant_key'),
    site_id: read('site_id') ?? input.context.siteId,
    node: read('node'),
    namespace: read('namespace'),
    pod: read('pod'),
    pod_uid: null,
    job_id: read('job_id'),
    queue: read('queue'),
    gang: read('gang'),
    labels: read('labels'),
    resource_name: read('resource_name'),
    accelerator_model: read('accelerator_model'),
    accelerator_count: input.billable ? read('accelerator_count') : '0',
    device_ids: read('device_ids'),
    start_at_ms: start,
    running_at_ms: null,
    end_at_ms: end,
    end_kind: end === null ? null : 'observed',
    state: input.billable ? read('state') : 'not_billable',
    fault: null,
    hfu: read('hfu'),
    mfu: read('mfu'),
    gpu_util: read('gpu_util'),
  };
}

/** An end that is computed has the bounds of one that was read. */
function endOf(input: RowInput, start: number | null, read: Read, reader: FieldReader): number | null {
  const duration = read('duration') as number | null;
  if (duration !== null)
    return start === null ? null : reader.instantMs(start + duration, input.map.columns['duration']?.column ?? 'duration');
  return read('end_at') as number | null;
}

function sampleRow(input: RowInput, read: Read): Row | null {
  if (!input.billable) return null;
  return {
    sampled_at_ms: read('sampled_at'),
    site_id: read('site_id') ?? input.context.siteId,
    node: read('node'),
    device_id: read('device_id'),
    device_index: read('device_index'),
    accelerator_model: read('accelerator_model'),
    tensor_active: read('tensor_active'),
    sm_active: read('sm_active'),
    engine_active: read('engine_active'),
    gpu_util: read('gpu_util'),
    sm_clock_mhz: read('sm_clock_mhz'),
    power_watts: read('power_watts'),
    energy_mj: null,
    memory_used_mib: read('memory_used_mib'),
    temperature_c: read('temperature_c'),
    xid: null,
    namespace: read('namespace'),
    pod: read('pod'),
    job_id: read('job_id'),
  };
}

const MAX_FLOPS = 10n ** 38n;

function progressRow(input: RowInput, read: Read, reader: FieldReader): Row | null {
  if (!input.billable) return null;
  const from = read('from') as number | null;
  const to = read('to') as number | null;
  if (from !== null && to !== null && to <= from)
    reader.fail('end_before_start', input.map.columns['to']?.column ?? 'to', `number ${to - from}`);
  const tokens = read('tokens') as number | null;
  const formula = read('formula') as string | null;
  const shape = Object.fromEntries(SHAPE_COLUMNS.map((name) => [name, read(name)] as const).filter(([, value]) => value !== null));
  return {
    native_id: input.nativeId,
    workload_id: read('workload_id'),
    site_id: read('site_id') ?? input.context.siteId,
    from_ms: from,
    to_ms: to,
    tokens,
    precision: read('precision'),
    formula,
    model_flops: tokens === null || formula === null || reader.rejection !== null ? null : flopsOf(formula, shape, tokens, reader),
  };
}

function flopsOf(formula: string, shape: ModelShape, tokens: number, reader: FieldReader): bigint | null {
  try {
    const flops = modelFlopsForTokens(formula, shape, BigInt(tokens));
    return flops < MAX_FLOPS ? flops : reader.fail('out_of_range', 'tokens', `number ${tokens}`);
  } catch (cause) {
    // A shape that comes from the row is data: what the formula refuses is refused with the row.
    if (!(cause instanceof KashiError)) throw cause;
    return reader.fail(cause.details.found === 'nothing' ? 'missing_field' : 'out_of_range', cause.details.where ?? 'formula', null);
  }
}
