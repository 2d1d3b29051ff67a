/** What a Slurm job says, however sacct printed it → the one row of its allocation: both prints of a job are the same fact. */
import { type FieldReader, MAX_TEXT } from './fields.ts';
import type { SacctOptions } from './slurm-options.ts';
import type { TresAccelerators } from './slurm-tres.ts';
import { kindOf, type Row, type SourceContext } from './source.ts';

/** Job states of the sacct manual, by what they say about the allocation. */
const PENDING: readonly string[] = ['PENDING', 'REVOKED'];
const HOLDING: readonly string[] = ['RUNNING', 'SUSPENDED', 'RESIZING'];
const ENDED: readonly string[] = [
  'BOOT_FAIL',
  'CANCELLED',
  'COMPLETED',
  'DEADLINE',
  'FAILED',
  'NODE_FAIL',
  'OUT_OF_MEMORY',
  'PREEMPTED',
  'REQUEUED',
  'TIMEOUT',
];

/** A word of the sacct manual, or null with the fault remembered. 'CANCELLED by 102216' → 'CANCELLED'. */
export function stateWord(text: string, field: string, reader: FieldReader): string | null {
  const word = text.split(' ', 1)[0]!;
  return [...PENDING, ...HOLDING, ...ENDED].includes(word) ? word : reader.fail('unknown_state', field, kindOf(text));
}

/** True while the job has no devices. */
export function isPending(state: string): boolean {
  return PENDING.includes(state);
}

/** True while it holds them, whatever its end reads: sacct prints Unknown, a copy of Start, or 0. */
export function isHolding(state: string): boolean {
  return HOLDING.includes(state);
}

/** BOOT_FAIL is a node that could not be started; a requeued or cancelled job is the provider's fault when what is `said` of it names preemption. */
function faultOf(state: string, said: string): 'node_lost' | 'preempted' | null {
  if (state === 'NODE_FAIL' || state === 'BOOT_FAIL') return 'node_lost';
  if (state === 'PREEMPTED') return 'preempted';
  return (state === 'REQUEUED' || state === 'CANCELLED') && /preempt/i.test(said) ? 'preempted' : null;
}

/** Node list as printed; 'None assigned' and lists too long to store are null. */
export function nodeList(value: unknown, field: string, reader: FieldReader): string | null {
  if (value === 'None assigned' || (typeof value === 'string' && value.length > MAX_TEXT)) return null;
  return reader.text(value, field);
}

export interface SlurmJob {
  /** As users see it: '123', '123_4' (array), '123+0' (het). */
  readonly jobId: string;
  /** The number under which Slurm keeps it: metric labels show this one. */
  readonly rawId: string;
  /** Null when the print does not name it. */
  readonly cluster: string | null;
  readonly submitAtMs: number;
  readonly startAtMs: number;
  /** Null while it holds its devices. */
  readonly endAtMs: number | null;
  readonly state: string;
  /** State and reason as printed. */
  readonly said: string;
  readonly tenantKey: string | null;
  readonly queue: string | null;
  readonly node: string | null;
  readonly accelerators: TresAccelerators;
}

/** The allocation_event row. Key: cluster, raw job id and submit instant: a requeue keeps the id and gets a new submit time. */
export function jobRow(job: SlurmJob, context: SourceContext, options: SacctOptions): Row {
  const cluster = job.cluster ?? options.cluster ?? context.siteId;
  return {
    native_id: `${cluster}|${job.rawId}|${job.submitAtMs}`,
    observed_at_ms: job.endAtMs ?? context.receivedAtMs,
    workload_id: `${cluster}/${job.jobId}`,
    tenant_key: job.tenantKey,
    site_id: context.siteId,
    node: job.node,
    job_id: job.rawId,
    queue: job.queue,
    resource_name: job.accelerators.resourceName,
    accelerator_model: job.accelerators.model,
    accelerator_count: job.accelerators.count,
    start_at_ms: job.startAtMs,
    running_at_ms: job.startAtMs,
    end_at_ms: job.endAtMs,
    end_kind: job.endAtMs === null ? null : 'observed',
    state: job.state,
    fault: faultOf(job.state, job.said),
  };
}
