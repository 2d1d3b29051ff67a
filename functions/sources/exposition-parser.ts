/**
 * The parser of every source that is a saved scrape in the Prometheus text format. One line is one reading; the readings of one
 * device, instant and workload become one gpu_sample row.
 */
import type { SampleIdentity } from './dcgm-labels.ts';
import { isMetricValue } from './dcgm-metrics.ts';
import { parseLabels, splitSampleLine } from './exposition.ts';
import { FieldReader } from './fields.ts';
import { SampleGroups } from './sample-groups.ts';
import { meaningOf, type SeriesMeaning, type SeriesNaming } from './series-meaning.ts';
import { kindOf, type Outcome, type RecordParser, type Rejection, reject, type SourceContext } from './source.ts';

/** Distinct label texts remembered: one per device, partition and workload, so a file has far fewer. */
const MAX_SERIES = 50_000;

type Series = SampleIdentity | Rejection;

/** Labels of one series as the text prints them, read once. Errors: wrong_shape for malformed labels, else those of the exporter's family. */
class SeriesCache {
  private readonly seen = new Map<string, Series>();
  private readonly wellFormed = new Set<string>();
  private readonly naming: SeriesNaming;

  constructor(naming: SeriesNaming) {
    this.naming = naming;
  }

  get(meaning: SeriesMeaning, labelText: string): Series {
    const key = `${meaning.family}|${labelText}`;
    const known = this.seen.get(key);
    if (known !== undefined) return known;
    const labels = parseLabels(labelText);
    const series = labels === null ? reject('wrong_shape', 'labels') : meaning.identify(labels, this.naming);
    if (this.seen.size >= MAX_SERIES) this.seen.clear();
    this.seen.set(key, series);
    return series;
  }

  /** True when the text is labels at all. */
  isWellFormed(labelText: string): boolean {
    if (this.wellFormed.has(labelText)) return true;
    if (parseLabels(labelText) === null) return false;
    if (this.wellFormed.size >= MAX_SERIES) this.wellFormed.clear();
    this.wellFormed.add(labelText);
    return true;
  }
}

/** The instant of a line: its own milliseconds, else when the scrape was received. */
function instantOf(timestamp: string | null, receivedAtMs: number, reader: FieldReader): number | null {
  if (timestamp === null) return receivedAtMs;
  if (!/^-?\d{1,19}$/.test(timestamp)) return reader.fail('bad_timestamp', 'timestamp', kindOf(timestamp));
  return reader.instantMs(Number(timestamp), 'timestamp');
}

/**
 * Comments and empty lines are blank. A line of a metric that is not stored is valid and makes no row: only its form can be wrong.
 * Without a printed timestamp (or with `ignoreTimestamps`) the instant is the object's receivedAtMs; a printed one (ms) is kept, so one
 * file may hold many scrapes.
 */
export function expositionParser(context: SourceContext, naming: SeriesNaming, ignoreTimestamps = false): RecordParser {
  const cache = new SeriesCache(naming);
  const groups = new SampleGroups(context.siteId);
  return {
    parse(record, place, emit): Outcome {
      if (typeof record !== 'string') return reject('wrong_shape', null, kindOf(record));
      const line = record.trim();
      if (line === '' || line.startsWith('#')) return 'blank';
      const sample = splitSampleLine(line);
      if (sample === null || !isMetricValue(sample.value)) return reject('wrong_shape', null, kindOf(line));
      const meaning = meaningOf(sample.name);
      if (meaning === null) return cache.isWellFormed(sample.labelText) ? 'valid' : reject('wrong_shape', 'labels');

      const reader = new FieldReader();
      const series = cache.get(meaning, sample.labelText);
      if ('reason' in series) reader.fail(series.reason, series.field ?? 'labels', series.found);
      const instantMs = instantOf(ignoreTimestamps ? null : sample.timestamp, context.receivedAtMs, reader);
      const value = meaning.read(sample.value, reader);
      if (reader.rejection !== null || 'reason' in series || instantMs === null || value === null) {
        return reader.rejection ?? reject('wrong_shape');
      }
      if (!groups.add(series, instantMs, meaning.column, value, place.line, meaning.rank)) return reject('duplicate_series', sample.name);
      groups.relieve(emit);
      return 'valid';
    },
    finish: (emit) => groups.drain(emit),
  };
}
