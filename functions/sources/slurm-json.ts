/**
 * `slurm-sacct`, as `sacct --json` prints it: the same jobs under the same keys as `sacct -P`, so that a job read both ways is one.
 * Steps lie inside their job and are not read. Times are epoch seconds: no zone is needed.
 */
import { epochMs } from './epoch.ts';
import { child, FieldReader, isObject, type JsonObject } from './fields.ts';
import { isHolding, isPending, jobRow, nodeList, stateWord } from './slurm-job.ts';
import { readSacctOptions, type SacctOptions, SLURM_SACCT } from './slurm-options.ts';
import { tresAccelerators } from './slurm-tres.ts';
import { kindOf, type Outcome, type RecordParser, type Rejection, type Row, reject, type Source, type SourceContext } from './source.ts';

/** A number, or the {set, infinite, number} in which newer data parsers wrap those that may be unset. Null when unset. */
function numberOf(value: unknown): unknown {
  if (!isObject(value)) return value ?? null;
  return value['set'] === false || value['infinite'] === true ? null : (value['number'] ?? null);
}

function idText(value: unknown, field: string, reader: FieldReader): string | null {
  const id = reader.count(numberOf(value), field, { text: true });
  return id === null || id === 0 ? null : String(id);
}

/** '123_4' for a task of an array, '123+1' for a part of a heterogeneous job, else the job's own number: as sacct -P prints JobID. */
function printedId(job: JsonObject, rawId: string, reader: FieldReader): string {
  const array = child(job, 'array');
  const arrayId = idText(array?.['job_id'], 'array.job_id', reader);
  const task = reader.count(numberOf(array?.['task_id']), 'array.task_id', { text: true });
  if (arrayId !== null && task !== null) return `${arrayId}_${task}`;
  const het = child(job, 'het');
  const hetId = idText(het?.['job_id'], 'het.job_id', reader);
  const offset = reader.count(numberOf(het?.['job_offset']), 'het.job_offset', { text: true });
  return hetId !== null && offset !== null ? `${hetId}+${offset}` : rawId;
}

/** First word of `state.current`: a list of the state and its flags, in older data parsers plain text. */
function stateOf(job: JsonObject, reader: FieldReader): string | null {
  const state = job['state'];
  const current = isObject(state) ? state['current'] : state;
  const text = reader.text(Array.isArray(current) ? current[0] : current, 'state.current', true);
  return text === null ? null : stateWord(text, 'state.current', reader);
}

/** Epoch seconds; 0 and unset are no instant. */
function instantOf(time: JsonObject | null, name: string, reader: FieldReader): number | null {
  const value = numberOf(time?.[name]);
  if (value === null || value === 0) return null;
  return reader.instantMs(epochMs(value, 's') ?? Number.NaN, `time.${name}`);
}

/** Entries {type, name, count} as the text of AllocTRES: 'gres/gpu=8,gres/gpu:a100=8'. */
function tresText(job: JsonObject): string | Rejection {
  const allocated = child(job, 'tres')?.['allocated'];
  if (!Array.isArray(allocated)) return reject('missing_field', 'tres.allocated', kindOf(allocated));
  const gres = allocated.filter(isObject).filter(({ type }) => type === 'gres');
  return gres.map(({ name, count }) => `gres/${String(name)}=${String(count)}`).join(',');
}

function endOf(time: JsonObject | null, state: string, startAtMs: number, reader: FieldReader): number | null {
  if (isHolding(state)) return null;
  const endAtMs = instantOf(time, 'end', reader);
  if (endAtMs === null) return reader.fail('missing_field', 'time.end');
  return endAtMs < startAtMs ? reader.fail('end_before_start', 'time.end', `${startAtMs - endAtMs} ms`) : endAtMs;
}

function parseJob(job: JsonObject, context: SourceContext, options: SacctOptions, emit: (row: Row) => void): Outcome {
  const reader = new FieldReader();
  const rawId = idText(job['job_id'], 'job_id', reader);
  const state = stateOf(job, reader);
  if (rawId === null || state === null) return reader.rejection ?? reject('missing_field', 'job_id', kindOf(job['job_id']));
  const tres = tresText(job);
  if (typeof tres !== 'string') return tres;
  const accelerators = tresAccelerators(tres, options.gres, options.declared);
  if (accelerators === null || isPending(state)) return 'blank';
  if ('reason' in accelerators) return accelerators.field === 'alloctres' ? { ...accelerators, field: 'tres.allocated' } : accelerators;
  const time = child(job, 'time');
  const submitAtMs = instantOf(time, 'submission', reader);
  const startAtMs = instantOf(time, 'start', reader);
  if (reader.rejection !== null) return reader.rejection;
  if (submitAtMs === null) return reject('missing_field', 'time.submission');
  if (startAtMs === null) return 'blank';
  const endAtMs = endOf(time, state, startAtMs, reader);
  const row = {
    jobId: printedId(job, rawId, reader),
    rawId,
    cluster: reader.text(job['cluster'], 'cluster'),
    submitAtMs,
    startAtMs,
    endAtMs,
    state,
    said: JSON.stringify(job['state'] ?? ''),
    tenantKey: reader.text(job[options.tenantColumn], options.tenantColumn),
    queue: reader.text(job['partition'], 'partition'),
    node: nodeList(job['nodes'], 'nodes', reader),
    accelerators,
  };
  if (reader.rejection !== null) return reader.rejection;
  emit(jobRow(row, context, options));
  return 'valid';
}

function openParser(context: SourceContext): RecordParser {
  const options = readSacctOptions(context);
  return {
    parse: (record, _place, emit) =>
      isObject(record) ? parseJob(record, context, options, emit) : reject('wrong_shape', null, kindOf(record)),
  };
}

function isJob(value: unknown): boolean {
  return isObject(value) && 'job_id' in value && isObject(value['time']) && isObject(value['tres']);
}

/** Jobs of the document; null for a job alone, as `jq -c .jobs[]` prints them. */
function units(value: unknown): readonly unknown[] | null {
  return isObject(value) && Array.isArray(value['jobs']) ? value['jobs'] : null;
}

/**
 * Errors (rows): wrong_shape, missing_field (job_id, state.current, tres.allocated, time.submission, time.end), not_an_integer,
 * bad_timestamp, unknown_state, end_before_start. Options: those of `sacct -P`. A `-P` export without the cluster column needs the option
 * `cluster` to give it the name that the JSON has, or one job has two keys (chk_job_twice finds that).
 * Source: Slurm data_parser v0.0.43–v0.0.46, DBD job; sacct manual.
 */
export const slurmJson: Source = {
  name: SLURM_SACCT,
  fact: 'allocation_event',
  framing: 'json',
  detect: ({ json }) => {
    const jobs = units(json);
    if (jobs !== null) return jobs.length === 0 ? isObject(json) && 'meta' in json : isJob(jobs[0]);
    return isJob(json);
  },
  units,
  open: openParser,
};
