/**
 * `slurm-sacct`: job accounting as `sacct -P` prints it (`sacct --json` is slurm-json.ts) → one observation of one allocation a line.
 * Job steps, pending jobs and jobs without accelerators are blank: they are no allocation of accelerators.
 * Suspended time is not subtracted: Slurm takes the CPUs back, whether it takes the GPUs is the site's policy.
 */
import { epochMs } from './epoch.ts';
import { FieldReader } from './fields.ts';
import { type Cells, DEFAULT_COLUMNS, isSacctHeader, SacctLines } from './sacct-columns.ts';
import { isHolding, isPending, jobRow, nodeList, stateWord } from './slurm-job.ts';
import { slurmJson } from './slurm-json.ts';
import { readSacctOptions, type SacctOptions, SLURM_SACCT } from './slurm-options.ts';
import { tresAccelerators } from './slurm-tres.ts';
import { type Hold, kindOf, type Outcome, type RecordParser, type Row, reject, type Source, type SourceContext } from './source.ts';

const NO_TIME: readonly string[] = ['', 'Unknown', 'None', 'N/A', 'INVALID'];
const EPOCH = /^\d{9,11}$/;

/** Instant of a time cell; null when sacct says there is none. Local time of `zone`, or epoch seconds (SLURM_TIME_FORMAT=%s). */
function instantOf(cells: Cells, column: string, zone: string | null, reader: FieldReader): number | null {
  const text = cells.get(column);
  if (text === undefined) return reader.fail('missing_field', column, 'absent');
  if (NO_TIME.includes(text)) return null;
  if (EPOCH.test(text)) return reader.instantMs(epochMs(text, 's') ?? Number.NaN, column);
  return reader.isoInstant(text, column, zone);
}

function stateOf(cells: Cells, reader: FieldReader): string | null {
  const text = reader.text(cells.get('state'), 'state', true);
  return text === null ? null : stateWord(text, 'state', reader);
}

/**
 * The end, or null while the job holds its devices. A running job's End is no end: sacct prints Unknown, or a copy of Start.
 * Errors: missing_field for an ended job without an end, end_before_start.
 */
function endOf(cells: Cells, state: string, startAtMs: number, zone: string | null, reader: FieldReader): number | null {
  if (isHolding(state)) return null;
  const endAtMs = instantOf(cells, 'end', zone, reader);
  if (endAtMs === null) return reader.fail('missing_field', 'end', null);
  return endAtMs < startAtMs ? reader.fail('end_before_start', 'end', `${startAtMs - endAtMs} ms`) : endAtMs;
}

function parseJob(cells: Cells, context: SourceContext, options: SacctOptions, emit: (row: Row) => void): Outcome {
  const { zone } = context;
  const reader = new FieldReader();
  const jobId = reader.text(cells.get('jobid') ?? cells.get('jobidraw'), 'jobid', true);
  // 123.batch, 123.extern and 123.0 are steps inside the allocation that the line without a dot is.
  if (jobId?.includes('.')) return 'blank';
  const state = stateOf(cells, reader);
  const rawId = reader.text(cells.get('jobidraw') ?? jobId, 'jobidraw', true);
  if (state === null || jobId === null || rawId === null) return reader.rejection ?? reject('wrong_shape');
  const tres = cells.get('alloctres');
  if (tres === undefined) return reject('missing_field', 'alloctres', 'absent');
  const accelerators = tresAccelerators(tres, options.gres, options.declared);
  if (accelerators === null || isPending(state)) return 'blank';
  if ('reason' in accelerators) return accelerators;

  const submitAtMs = instantOf(cells, 'submit', zone, reader);
  const startAtMs = instantOf(cells, 'start', zone, reader);
  if (reader.rejection !== null) return reader.rejection;
  if (submitAtMs === null) return reject('missing_field', 'submit');
  if (startAtMs === null) return 'blank';
  const endAtMs = endOf(cells, state, startAtMs, zone, reader);
  const cluster = reader.text(cells.get('cluster'), 'cluster');
  const tenantKey = reader.text(cells.get(options.tenantColumn), options.tenantColumn);
  const queue = reader.text(cells.get('partition'), 'partition');
  const node = nodeList(cells.get('nodelist'), 'nodelist', reader);
  if (reader.rejection !== null) return reader.rejection;
  const said = `${cells.get('state') ?? ''} ${cells.get('reason') ?? ''}`;
  emit(
    jobRow({ jobId, rawId, cluster, submitAtMs, startAtMs, endAtMs, state, said, tenantKey, queue, node, accelerators }, context, options),
  );
  return 'valid';
}

function openParser(context: SourceContext): RecordParser | Hold {
  const options = readSacctOptions(context);
  if (context.zone === null && !options.hasEpochTimes) {
    return {
      hold: 'zone_missing',
      detail:
        'sacct prints local times without a zone: configure the zone of the cluster, or export with SLURM_TIME_FORMAT=%s and set epoch_times',
    };
  }
  const lines = new SacctLines(options.columns);
  return {
    parse(record, _place, emit): Outcome {
      if (typeof record !== 'string') return reject('wrong_shape', null, kindOf(record));
      const line = record.replace(/\r$/, '');
      if (line.trim() === '') return 'blank';
      if (isSacctHeader(line)) {
        lines.header(line);
        return 'blank';
      }
      const cells = lines.cells(line);
      return 'reason' in cells ? cells : parseJob(cells, context, options, emit);
    },
  };
}

/** First line of a headerless file: a job id, a submit time and an elapsed time where the usual 26 fields have them. */
function looksLikeJobLine(line: string): boolean {
  const cells = line.split('|');
  const isTime = /^(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d|\d{9,11})$/.test(cells[10] ?? '');
  return (
    cells.length >= DEFAULT_COLUMNS.length &&
    /^\d+[_+.\w[\],-]*$/.test(cells[0] ?? '') &&
    isTime &&
    /^(?:\d+-)?(?:\d\d:)?\d\d:\d\d$/.test(cells[14] ?? '')
  );
}

/**
 * Errors (rows): wrong_shape, missing_field, not_an_integer, text_too_long, control_character, bad_timestamp,
 * timestamp_out_of_range, unknown_state, end_before_start. Holds zone_missing without a zone, unless `epoch_times: true`.
 * A local time that occurs twice (the hour when clocks go back) is the earlier of the two.
 * Options: `columns` (order of headerless files), `gres` (names that are accelerators, default gpu), `resources` (accelerators per
 * `gres/name[:type]`), `tenant_from` (account | user | group | qos | partition), `cluster` (when no such column), `epoch_times`.
 * Key: cluster, raw job id and submit instant: a requeue keeps the id and gets a new submit time.
 * Source: sacct manual.
 */
export const slurmSacct: Source = {
  name: SLURM_SACCT,
  fact: 'allocation_event',
  framing: 'text',
  shapes: [slurmJson],
  detect: (head) => {
    if (slurmJson.detect(head)) return true;
    const line =
      head.text
        .split('\n')
        .find((text) => text.trim() !== '')
        ?.replace(/\r$/, '') ?? '';
    return line.includes('|') && (isSacctHeader(line) || looksLikeJobLine(line));
  },
  open: openParser,
};
