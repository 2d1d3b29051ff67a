/**
 * `dcgm-text`: a scrape of dcgm-exporter in the Prometheus text format, saved as a file.
 * One line is one reading; the readings of one device, instant and workload become one gpu_sample row.
 */
import { identify, type SampleIdentity } from './dcgm-labels.ts';
import { isMetricValue, metricColumn, readMetricValue } from './dcgm-metrics.ts';
import { parseLabels, splitSampleLine } from './exposition.ts';
import { FieldReader } from './fields.ts';
import { readOptions } from './options.ts';
import { SampleGroups } from './sample-groups.ts';
import { kindOf, type Outcome, type RecordParser, type Rejection, reject, type Source, type SourceContext } from './source.ts';

/** A line of the format that names a DCGM metric: a sample, or the HELP or TYPE line before one. */
const DCGM_LINE =
  /^(?:# (?:HELP|TYPE) )?(?:DCGM_(?:FI|EXP)_[A-Z0-9_]+|dcgm_(?:sm_clock|gpu_temp|power_usage|gpu_utilization|fb_used))(?: [a-zA-Z0-9]|[ ]?\{)/m;

/** Distinct label texts remembered: one per device, MIG instance and workload, so a file has far fewer. */
const MAX_SERIES = 50_000;

type Series = SampleIdentity | Rejection;

/**
 * Labels of one series as the text prints them, read once. Errors: wrong_shape for malformed labels, else those of identify().
 */
class SeriesCache {
  private readonly seen = new Map<string, Series>();
  private readonly fallbackNode: string | null;

  constructor(fallbackNode: string | null) {
    this.fallbackNode = fallbackNode;
  }

  get(labelText: string): Series {
    const known = this.seen.get(labelText);
    if (known !== undefined) return known;
    const labels = parseLabels(labelText);
    const series = labels === null ? reject('wrong_shape', 'labels') : identify(labels, this.fallbackNode);
    if (this.seen.size >= MAX_SERIES) this.seen.clear();
    this.seen.set(labelText, series);
    return series;
  }
}

/** The instant of a line: its own milliseconds, else when the scrape was received. */
function instantOf(timestamp: string | null, receivedAtMs: number, reader: FieldReader): number | null {
  if (timestamp === null) return receivedAtMs;
  if (!/^-?\d{1,19}$/.test(timestamp)) return reader.fail('bad_timestamp', 'timestamp', kindOf(timestamp));
  return reader.instantMs(Number(timestamp), 'timestamp');
}

function openParser(context: SourceContext): RecordParser {
  const options = readOptions('dcgm-text', context, { node: { kind: 'text' } });
  const cache = new SeriesCache(options.text('node'));
  const groups = new SampleGroups(context.siteId);

  return {
    parse(record, place, emit): Outcome {
      if (typeof record !== 'string') return reject('wrong_shape', null, kindOf(record));
      const line = record.trim();
      if (line === '' || line.startsWith('#')) return 'blank';
      const sample = splitSampleLine(line);
      if (sample === null || !isMetricValue(sample.value)) return reject('wrong_shape', null, kindOf(line));
      const series = cache.get(sample.labelText);
      const column = metricColumn(sample.name);
      // A metric that kashi does not store is read and not needed: only its form can be wrong.
      if (column === null) return 'reason' in series && series.reason === 'wrong_shape' ? series : 'valid';

      const reader = new FieldReader();
      if ('reason' in series) reader.fail(series.reason, series.field ?? 'labels', series.found);
      const instantMs = instantOf(sample.timestamp, context.receivedAtMs, reader);
      const value = readMetricValue(column, sample.value, reader);
      if (reader.rejection !== null || 'reason' in series || instantMs === null || value === null) {
        return reader.rejection ?? reject('wrong_shape');
      }
      if (!groups.add(series, instantMs, column, value, place.line)) return reject('duplicate_series', sample.name);
      groups.relieve(emit);
      return 'valid';
    },
    finish: (emit) => groups.drain(emit),
  };
}

/**
 * Comments and empty lines are blank. A line of a metric that is not stored is valid and makes no row.
 * Without a printed timestamp the instant is the object's receivedAtMs; a printed one (ms) is kept, so one file may hold many scrapes.
 * Options: `node`, the host name for files whose lines carry neither Hostname nor instance.
 * Errors (rows): wrong_shape, missing_field, sentinel, out_of_range, negative, not_an_integer, bad_timestamp,
 * timestamp_out_of_range, duplicate_series. Source: dcgm-exporter, Prometheus exposition formats.
 */
export const dcgmText: Source = {
  name: 'dcgm-text',
  fact: 'gpu_sample',
  framing: 'text',
  detect: (head) => DCGM_LINE.test(head.text),
  open: openParser,
};
