/**
 * The parser of every source that is a saved scrape in the Prometheus text format. One line is one reading; the readings of one
 * device, instant and workload become one gpu_sample row.
 */
import type { SampleIdentity } from './dcgm-labels.ts';
import { isMetricValue, type MetricValue } from './dcgm-metrics.ts';
import { parseLabels, splitSampleLine } from './exposition.ts';
import { FieldReader, MAX_INSTANT_MS, MIN_INSTANT_MS } from './fields.ts';
import { SampleGroups } from './sample-groups.ts';
import { SeriesLines } from './series-lines.ts';
import { meaningOf, type SeriesMeaning, type SeriesNaming } from './series-meaning.ts';
import { type Emit, kindOf, type Outcome, type RecordParser, type Rejection, reject, type SourceContext } from './source.ts';

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
  const short = new ShortLines(context.receivedAtMs, cache, groups, ignoreTimestamps);
  return {
    parseBytes: (bytes, start, end, line, emit) => short.parse(bytes, start, end, line, emit),
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

/** What a line that begins like this is: a comment, a sample that is not stored, or a reading. */
type LineMeaning = 'comment' | 'ignored' | Stored;

interface Stored {
  readonly name: string;
  readonly meaning: SeriesMeaning;
  readonly series: SampleIdentity;
  /** Values by their text, of all series of the metric: clocks, percentages and zeros repeat. */
  readonly values: Map<string, MetricValue>;
}

/** Values remembered of one metric: those that are short, because long ones do not repeat. */
const MOST_VALUES = 4096;
const SHORT_VALUE_BYTES = 4;
const SPACE = 0x20;
const POINT = 0x2e;
const MOST_VALUE_BYTES = 40;

/** The short way: lines of series that were read before, single spaces, plain values. It refuses nothing but a second value of one reading. */
class ShortLines {
  private readonly receivedAtMs: number;
  private readonly groups: SampleGroups;
  private readonly ignoreTimestamps: boolean;
  private readonly lines: SeriesLines<LineMeaning>;
  private readonly reader = new FieldReader();

  constructor(receivedAtMs: number, cache: SeriesCache, groups: SampleGroups, ignoreTimestamps: boolean) {
    this.receivedAtMs = receivedAtMs;
    this.groups = groups;
    this.ignoreTimestamps = ignoreTimestamps;
    const values = new Map<SeriesMeaning, Map<string, MetricValue>>();
    this.lines = new SeriesLines((start) => learned(start, cache, values));
  }

  parse(bytes: Buffer, start: number, end: number, line: number, emit: Emit): Outcome | null {
    const known = this.lines.startOf(bytes, start, end);
    if (known === null) return null;
    const { meaning } = known;
    if (meaning === 'comment') return 'blank';
    const from = start + known.bytes.length + 1;
    let to = from;
    let points = 0;
    let digits = 0;
    for (; to < end; to++) {
      const byte = bytes[to]!;
      if (byte <= SPACE || byte >= 0x7f) break;
      if (isDigit(byte)) digits++;
      else if (byte === POINT && digits > 0) points++;
    }
    if (to === from || to - from > MOST_VALUE_BYTES) return null;
    const instantMs = to === end ? this.receivedAtMs : this.timestamp(bytes, to, end);
    if (instantMs === null) return null;
    const isPlain = digits + points === to - from && points <= 1 && isDigit(bytes[to - 1]!);
    if (meaning === 'ignored') return isPlain || isMetricValue(bytes.toString('latin1', from, to)) ? 'valid' : null;
    const value = this.valueOf(meaning, bytes.toString('latin1', from, to), isPlain);
    if (value === null) return null;
    const { series, name } = meaning;
    const { column, rank } = meaning.meaning;
    if (!this.groups.add(series, this.ignoreTimestamps ? this.receivedAtMs : instantMs, column, value, line, rank))
      return reject('duplicate_series', name);
    this.groups.relieve(emit);
    return 'valid';
  }

  /** Milliseconds in the digits behind the space at `at`. */
  private timestamp(bytes: Uint8Array, at: number, end: number): number | null {
    if (bytes[at] !== SPACE || end - at > 15 || end - at < 2) return null;
    let ms = 0;
    for (let i = at + 1; i < end; i++) {
      const digit = bytes[i]! - 0x30;
      if (!(digit >= 0 && digit <= 9)) return null;
      ms = ms * 10 + digit;
    }
    return ms >= MIN_INSTANT_MS && ms < MAX_INSTANT_MS ? ms : null;
  }

  /** `isPlain`: the text is digits, or digits, a point and digits. */
  private valueOf({ meaning, values }: Stored, text: string, isPlain: boolean): MetricValue | null {
    if (text.length > SHORT_VALUE_BYTES) return (isPlain ? meaning.readPlain(text) : null) ?? this.read(meaning, text);
    const known = values.get(text);
    if (known !== undefined) return known;
    const value = this.read(meaning, text);
    if (value === null) return null;
    if (values.size >= MOST_VALUES) values.clear();
    values.set(text, value);
    return value;
  }

  private read(meaning: SeriesMeaning, text: string): MetricValue | null {
    this.reader.rejection = null;
    const value = isMetricValue(text) ? meaning.read(text, this.reader) : null;
    return this.reader.rejection === null ? value : null;
  }
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function learned(start: string, cache: SeriesCache, values: Map<SeriesMeaning, Map<string, MetricValue>>): LineMeaning | null {
  if (start.startsWith('#')) return 'comment';
  const sample = splitSampleLine(`${start} 0`);
  // Anything else between the brace and the end would be part of a value.
  if (sample === null || sample.value !== '0' || sample.timestamp !== null || start.trim() !== start || !start.endsWith('}')) return null;
  const meaning = meaningOf(sample.name);
  if (meaning === null) return cache.isWellFormed(sample.labelText) ? 'ignored' : null;
  const series = cache.get(meaning, sample.labelText);
  if ('reason' in series) return null;
  const own = values.get(meaning) ?? new Map<string, MetricValue>();
  values.set(meaning, own);
  return { name: sample.name, meaning, series, values: own };
}
