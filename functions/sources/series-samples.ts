/** Readings of named series → gpu_sample rows: what remote write and OTLP do alike once a reading has a name, labels, an instant and a value. */
import type { Labels, SampleIdentity } from './dcgm-labels.ts';
import { FieldReader } from './fields.ts';
import { SampleGroups } from './sample-groups.ts';
import type { SeriesMeaning, SeriesNaming } from './series-meaning.ts';
import { type Emit, type Outcome, type RecordPlace, type Rejection, type Row, reject } from './source.ts';

export interface Reading {
  readonly name: string;
  readonly meaning: SeriesMeaning;
  /** Holds the series' labels; equal objects are read once. */
  readonly series: object;
  readonly labels: () => Labels | null;
  /** The instant, or null with the fault in the reader. */
  readonly instantMs: (reader: FieldReader) => number | null;
  readonly value: string;
}

export class SeriesSamples {
  private readonly groups: SampleGroups;
  private readonly naming: SeriesNaming;
  private readonly seen = new WeakMap<object, SampleIdentity | Rejection>();

  constructor(siteId: string, naming: SeriesNaming) {
    this.groups = new SampleGroups(siteId);
    this.naming = naming;
  }

  /** Errors: wrong_shape for labels that cannot be read or name one twice, those of the family, duplicate_series. */
  add(reading: Reading, place: RecordPlace, emit: Emit): Outcome {
    const { name, meaning } = reading;
    const reader = new FieldReader();
    const series = this.identityOf(reading);
    if ('reason' in series) reader.fail(series.reason, series.field ?? 'labels', series.found);
    const instantMs = reading.instantMs(reader);
    const value = meaning.read(reading.value, reader);
    if (reader.rejection !== null || 'reason' in series || instantMs === null || value === null) {
      return reader.rejection ?? reject('wrong_shape');
    }
    if (!this.groups.add(series, instantMs, meaning.column, value, place.line, meaning.rank)) return reject('duplicate_series', name);
    this.groups.relieve(emit);
    return 'valid';
  }

  drain(emit: (row: Row, line: number) => void): void {
    this.groups.drain(emit);
  }

  private identityOf({ series, labels, meaning }: Reading): SampleIdentity | Rejection {
    const known = this.seen.get(series);
    if (known !== undefined) return known;
    const read = labels();
    const identity = read === null ? reject('wrong_shape', 'labels') : meaning.identify(read, this.naming);
    this.seen.set(series, identity);
    return identity;
  }
}
