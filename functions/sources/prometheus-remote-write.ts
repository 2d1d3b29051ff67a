/**
 * `prometheus-remote-write`: the body of one remote-write request, 1.0 or 2.0, as a sender posted it (one snappy block).
 * The unit is one sample of one series. A retried request has the same bytes, so it is the same object and counts once.
 */
import { readOptions } from './options.ts';
import { VARINT, WireReader } from './protobuf-wire.ts';
import { decodeRemoteWrite, SeriesSample } from './remote-write-message.ts';
import { meaningOf, namingOf, SERIES_OPTIONS } from './series-meaning.ts';
import { SeriesSamples } from './series-samples.ts';
import { snappyHeader } from './snappy-block.ts';
import { kindOf, type Outcome, reject, type Source } from './source.ts';

const NAME = 'prometheus-remote-write';

/**
 * True when the block's first bytes are those of a message. Nothing can be copied yet at the start of a block, so its first element is a
 * literal, and the message begins in clear: 1.0 with a time series (labels with a name) or metadata, 2.0 with the empty symbol.
 */
function beginsMessage(bytes: Uint8Array): boolean {
  const header = snappyHeader(bytes);
  if (header === null || header.length === 0) return false;
  const literal = literalAt(bytes, header.start);
  if (literal === null || literal.length < 6) return false;
  const [tag, , third] = literal;
  if (tag === 0x22) return literal[1] === 0 && (third === 0x22 || third === 0x2a);
  const inner = submessage(literal, tag === 0x0a || tag === 0x1a ? tag : -1, header.length);
  if (inner === null) return false;
  if (tag === 0x1a) return inner.bytes[0] === (1 << 3) + VARINT || inner.bytes[0] === 0x12;
  const label = submessage(inner.bytes, 0x0a, inner.length);
  return label !== null && (submessage(label.bytes, 0x0a, label.length) !== null || label.bytes[0] === 0x12);
}

/** The bytes of the literal element at `at` that lie in the head; null for a copy. */
function literalAt(bytes: Uint8Array, at: number): Uint8Array | null {
  const tag = bytes[at];
  if (tag === undefined || (tag & 3) !== 0) return null;
  const size = tag >> 2;
  const lengthBytes = size < 60 ? 0 : size - 59;
  let length = size;
  if (lengthBytes > 0) {
    length = 0;
    for (let i = 0; i < lengthBytes; i++) length += (bytes[at + 1 + i] ?? 0) * 2 ** (8 * i);
  }
  const start = at + 1 + lengthBytes;
  return bytes.subarray(start, start + length + 1);
}

/** The start of a length-delimited field with this one-byte tag, and its length; null when it does not fit into `within`. */
function submessage(bytes: Uint8Array, tag: number, within: number): { readonly bytes: Uint8Array; readonly length: number } | null {
  if (bytes[0] !== tag) return null;
  const reader = new WireReader(bytes, 1);
  const length = reader.varint();
  const rest = bytes.subarray(length < 128 ? 2 : length < 16_384 ? 3 : length < 2_097_152 ? 4 : 5);
  return reader.failed || length === 0 || length >= within ? null : { bytes: rest, length };
}

/**
 * A sample that marks the end of its series (the stale marker) is blank; a NaN otherwise is a sentinel. Samples of metrics that are not
 * stored are valid and make no row. Histograms, exemplars and metadata are not read: a request with nothing else is one blank unit.
 * Timestamps are the sender's milliseconds. A message that cannot be decoded is one refused unit (wrong_shape; `found` says why).
 * Options: `node` and `npu_device_from` (series-meaning.ts).
 */
export const prometheusRemoteWrite: Source = {
  name: NAME,
  fact: 'gpu_sample',
  framing: 'binary',
  detect: (head) => beginsMessage(head.bytes),
  units(value) {
    const message = value instanceof Uint8Array ? decodeRemoteWrite(value) : { fault: kindOf(value) };
    return 'fault' in message ? null : message.samples;
  },
  open(context) {
    const samples = new SeriesSamples(context.siteId, namingOf(readOptions(NAME, context, SERIES_OPTIONS)));
    return {
      parse(record, place, emit): Outcome {
        if (!(record instanceof SeriesSample)) {
          const message = record instanceof Uint8Array ? decodeRemoteWrite(record) : { fault: kindOf(record) };
          return reject('wrong_shape', null, 'fault' in message ? message.fault : null);
        }
        const { series, timestampMs } = record;
        if (series.name === null) return reject('missing_field', '__name__');
        const meaning = meaningOf(series.name);
        if (meaning === null) return 'valid';
        if (record.stale) return 'blank';
        return samples.add(
          {
            name: series.name,
            meaning,
            series,
            labels: series.labels,
            instantMs: (reader) => reader.instantMs(timestampMs, 'timestamp'),
            value: String(record.value),
          },
          place,
          emit,
        );
      },
      finish: (emit) => samples.drain(emit),
    };
  },
};
