/**
 * Prometheus remote write: prometheus.WriteRequest (1.0) and io.prometheus.write.v2.Request (2.0) → samples.
 * Which of the two it is shows in its fields: 1.0 uses 1 (timeseries) and 3 (metadata), 2.0 reserves those and uses 4 (symbols) and 5.
 * Histograms, exemplars and metadata are counted or passed over. Source: prometheus/prometheus prompb/{types,remote}.proto, prompb/io/prometheus/write/v2/types.proto.
 */
import type { Labels } from './dcgm-labels.ts';
import { BYTES, FIXED64, VARINT, WireReader } from './protobuf-wire.ts';
import { unpackSnappyBlock } from './snappy-block.ts';

/** A decompressed message; senders stay far below (2,000 samples by default). */
export const MAX_MESSAGE_BYTES = 64 * 1024 ** 2;
/** An empty sample takes two bytes, so bytes alone would not bound the memory. */
export const MAX_SAMPLES = 1_000_000;

/** One series as sent. Labels are decoded when asked for: most series of a Prometheus are not accelerators. */
export interface Series {
  /** `__name__`; null when there is none. */
  readonly name: string | null;
  /** All labels; null when one is not UTF-8 or occurs twice. */
  readonly labels: () => Labels | null;
}

/** One reading of a series. `stale`: the series ended here (a NaN with bits 0x7ff0000000000002), which is not a reading. */
export class SeriesSample {
  readonly series: Series;
  readonly value: number;
  readonly stale: boolean;
  readonly timestampMs: number;

  constructor(series: Series, value: number, stale: boolean, timestampMs: number) {
    this.series = series;
    this.value = value;
    this.stale = stale;
    this.timestampMs = timestampMs;
  }
}

export interface RemoteWriteMessage {
  /** Null for an empty message, which is a message of either. */
  readonly version: '1.0' | '2.0' | null;
  readonly samples: readonly SeriesSample[];
  readonly histograms: number;
  readonly exemplars: number;
}

type Span = readonly [start: number, end: number];
type Value = { readonly value: number; readonly stale: boolean; readonly timestampMs: number };

/** What a time series holds before its labels are resolved. Labels of 1.0 lie in it, those of 2.0 are numbers of symbols. */
interface RawSeries {
  readonly pairs: (readonly [Span, Span])[];
  readonly refs: number[];
  readonly values: Value[];
}

const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const NAME_LABEL = '__name__';

/** The message in a request body (one snappy block), or why it cannot be decoded. */
export function decodeRemoteWrite(body: Uint8Array): RemoteWriteMessage | { readonly fault: string } {
  const unpacked = unpackSnappyBlock(body, MAX_MESSAGE_BYTES);
  return 'fault' in unpacked ? unpacked : decodeMessage(unpacked.bytes);
}

/** As decodeRemoteWrite, for a message that is unpacked already. */
export function decodeMessage(bytes: Uint8Array): RemoteWriteMessage | { readonly fault: string } {
  const request = new WireReader(bytes);
  const state = { histograms: 0, exemplars: 0, samples: 0 };
  const first: RawSeries[] = [];
  const second: RawSeries[] = [];
  const symbols: Span[] = [];
  let metadata = false;
  while (request.next()) {
    if (request.type !== BYTES) request.skip();
    else if (request.field === 1) first.push(readSeries(request, true, state));
    else if (request.field === 4) symbols.push(request.span());
    else if (request.field === 5) second.push(readSeries(request, false, state));
    else {
      metadata ||= request.field === 3;
      request.skip();
    }
    if (state.samples > MAX_SAMPLES) return { fault: `allowed ${MAX_SAMPLES} samples, found more` };
  }
  if (request.failed) return { fault: 'no protobuf message' };
  const isFirst = first.length > 0 || metadata;
  const isSecond = second.length > 0 || symbols.length > 0;
  if (isFirst && isSecond) return { fault: 'fields of both versions' };
  for (const series of second) {
    for (let i = 0; i < series.refs.length; i += 2) {
      const [name, value] = [symbols[series.refs[i]!], symbols[series.refs[i + 1] ?? -1]];
      if (name === undefined || value === undefined) return { fault: 'a label refers to no symbol' };
      series.pairs.push([name, value]);
    }
  }
  const samples = [...first, ...second].flatMap((raw) => samplesOf(bytes, raw));
  const version = isFirst ? '1.0' : isSecond ? '2.0' : null;
  return { version, samples, histograms: state.histograms, exemplars: state.exemplars };
}

/** One TimeSeries. 1.0: labels 1, samples 2, exemplars 3, histograms 4. 2.0: labels_refs 1, samples 2, histograms 3, exemplars 4. */
function readSeries(request: WireReader, isFirst: boolean, state: { histograms: number; exemplars: number; samples: number }): RawSeries {
  const reader = request.message();
  const series: RawSeries = { pairs: [], refs: [], values: [] };
  while (reader.next()) {
    const { field, type } = reader;
    if (field === 1 && isFirst && type === BYTES) series.pairs.push(readLabel(reader));
    else if (field === 1 && !isFirst && type === VARINT) series.refs.push(reader.varint());
    else if (field === 1 && !isFirst && type === BYTES) readPacked(reader, series.refs);
    else if (field === 2 && type === BYTES) {
      const value = readSample(reader);
      if (++state.samples <= MAX_SAMPLES) series.values.push(value);
    } else {
      if (field === (isFirst ? 4 : 3)) state.histograms++;
      else if (field === (isFirst ? 3 : 4)) state.exemplars++;
      reader.skip();
    }
  }
  if (reader.failed) request.fail();
  return series;
}

function readLabel(series: WireReader): readonly [Span, Span] {
  const reader = series.message();
  let name: Span = [0, 0];
  let value: Span = [0, 0];
  while (reader.next()) {
    if (reader.field === 1 && reader.type === BYTES) name = reader.span();
    else if (reader.field === 2 && reader.type === BYTES) value = reader.span();
    else reader.skip();
  }
  if (reader.failed) series.fail();
  return [name, value];
}

function readPacked(series: WireReader, into: number[]): void {
  const reader = series.message();
  while (reader.more) into.push(reader.varint());
  if (reader.failed) series.fail();
}

/** Sample: value 1 (double), timestamp 2 (int64 ms); a zero is not sent. */
function readSample(series: WireReader): Value {
  const reader = series.message();
  let value = 0;
  let stale = false;
  let timestampMs = 0;
  while (reader.next()) {
    if (reader.field === 1 && reader.type === FIXED64) {
      const read = reader.double();
      value = read.value;
      stale = read.high === 0x7ff0_0000 && read.low === 2;
    } else if (reader.field === 2 && reader.type === VARINT) timestampMs = reader.int64();
    else reader.skip();
  }
  if (reader.failed) series.fail();
  return { value, stale, timestampMs };
}

function samplesOf(bytes: Uint8Array, raw: RawSeries): SeriesSample[] {
  const named = raw.pairs.find(([name]) => isNameLabel(bytes, name));
  const series: Series = {
    name: named === undefined ? null : textOf(bytes, named[1]),
    labels: () => labelsOf(bytes, raw.pairs),
  };
  return raw.values.map(({ value, stale, timestampMs }) => new SeriesSample(series, value, stale, timestampMs));
}

function isNameLabel(bytes: Uint8Array, [start, end]: Span): boolean {
  if (end - start !== NAME_LABEL.length) return false;
  for (let i = 0; i < NAME_LABEL.length; i++) if (bytes[start + i] !== NAME_LABEL.charCodeAt(i)) return false;
  return true;
}

function textOf(bytes: Uint8Array, [start, end]: Span): string | null {
  try {
    return DECODER.decode(bytes.subarray(start, end));
  } catch {
    return null;
  }
}

function labelsOf(bytes: Uint8Array, pairs: RawSeries['pairs']): Labels | null {
  const labels = new Map<string, string>();
  for (const [nameSpan, valueSpan] of pairs) {
    const name = textOf(bytes, nameSpan);
    const value = textOf(bytes, valueSpan);
    if (name === null || value === null || labels.has(name)) return null;
    labels.set(name, value);
  }
  return labels;
}
