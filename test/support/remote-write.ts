/** Writes remote-write bodies, for tests: an encoder of its own, so that the decoder is not tested against itself. */
import { snappyCompress } from 'hysnappy';

export interface TestSeries {
  readonly labels: Readonly<Record<string, string>>;
  /** A bigint is the value's 64 bits: a signalling NaN does not survive as a number. */
  readonly samples: readonly (readonly [value: number | bigint, timestampMs: number])[];
}

function varint(value: number | bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  return [...bytes, Number(rest)];
}

function bytesField(field: number, bytes: readonly number[]): number[] {
  return [...varint(field * 8 + 2), ...varint(bytes.length), ...bytes];
}

function text(field: number, value: string): number[] {
  return bytesField(field, [...Buffer.from(value)]);
}

function sample([value, timestampMs]: readonly [number | bigint, number]): number[] {
  const double = Buffer.alloc(8);
  if (typeof value === 'bigint') double.writeBigUInt64LE(value);
  else double.writeDoubleLE(value);
  return bytesField(2, [9, ...double, 16, ...varint(timestampMs)]);
}

/** prometheus.WriteRequest, not compressed. */
export function message1(series: readonly TestSeries[]): Uint8Array {
  return Uint8Array.from(
    series.flatMap(({ labels, samples }) =>
      bytesField(1, [
        ...Object.entries(labels).flatMap(([name, value]) => bytesField(1, [...text(1, name), ...text(2, value)])),
        ...samples.flatMap(sample),
      ]),
    ),
  );
}

/** io.prometheus.write.v2.Request, not compressed. */
export function message2(series: readonly TestSeries[]): Uint8Array {
  const symbols = [''];
  const ref = (symbol: string): number => {
    const at = symbols.indexOf(symbol);
    return at >= 0 ? at : symbols.push(symbol) - 1;
  };
  const encoded = series.map(({ labels, samples }) => {
    const refs = Object.entries(labels).flatMap(([name, value]) => [...varint(ref(name)), ...varint(ref(value))]);
    return bytesField(5, [...bytesField(1, refs), ...samples.flatMap(sample)]);
  });
  return Uint8Array.from([...symbols.flatMap((symbol) => text(4, symbol)), ...encoded.flat()]);
}

/** The body that a sender posts. */
export function snappy(message: Uint8Array): Uint8Array {
  return message.length === 0 ? new Uint8Array([0]) : snappyCompress(message);
}

/** One reading of one device: GPU-<device> on node n1. */
export function gpuReading(device: number, timestampMs: number, value = 42): TestSeries {
  const labels = { __name__: 'DCGM_FI_DEV_GPU_UTIL', Hostname: 'n1', UUID: `GPU-${device}`, gpu: '0' };
  return { labels, samples: [[value, timestampMs]] };
}

/** The same reading as an OTLP/JSON export request. */
export function otlpReading(device: number, timestampMs: number, value = 42): unknown {
  const attributes = [
    { key: 'UUID', value: { stringValue: `GPU-${device}` } },
    { key: 'Hostname', value: { stringValue: 'n1' } },
  ];
  const dataPoints = [{ asDouble: value, timeUnixNano: `${timestampMs}000000`, attributes }];
  return { resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: 'DCGM_FI_DEV_GPU_UTIL', gauge: { dataPoints } }] }] }] };
}
