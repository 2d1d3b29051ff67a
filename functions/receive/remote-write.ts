/**
 * POST /api/v1/write. One request is one object, byte for byte as sent: a retry lands as another object with the same content, which the
 * ingest knows by its digest and counts once. Source: Prometheus remote-write specifications 1.0 and 2.0.
 */
import type { HttpAnswer, ObjectStore } from '../ports.ts';
import { decodeRemoteWrite, type RemoteWriteMessage } from '../sources/remote-write-message.ts';
import { plain } from './answers.ts';

export type RemoteWriteVersion = '1.0' | '2.0';

const VERSION_OF_PROTO: Readonly<Record<string, RemoteWriteVersion>> = {
  'prometheus.WriteRequest': '1.0',
  'io.prometheus.write.v2.Request': '2.0',
};

/** Version that a content type names (1.0 without a `proto`), or null when it is none of remote write. */
export function remoteWriteVersion(contentType: string | null): RemoteWriteVersion | null {
  const [type = '', ...parameters] = (contentType ?? '').split(';').map((part) => part.trim());
  if (type.toLowerCase() !== 'application/x-protobuf') return null;
  const proto = parameters.map((one) => /^proto="?([^"]*)"?$/i.exec(one)?.[1]).find((one) => one !== undefined);
  return proto === undefined ? '1.0' : (VERSION_OF_PROTO[proto] ?? null);
}

/** Why a head is refused, or null. Absent encoding means snappy, as Prometheus' own receiver reads it. */
export function refuseRemoteWriteHead(contentType: string | null, encoding: string | null): HttpAnswer | null {
  if (remoteWriteVersion(contentType) === null) {
    return plain(415, `content type: allowed application/x-protobuf, with proto=${Object.keys(VERSION_OF_PROTO).join(' or proto=')}`);
  }
  const snappy = encoding === null || encoding.toLowerCase() === 'snappy';
  return snappy ? null : plain(415, 'content encoding: allowed snappy (block format)');
}

/**
 * Lands a body that decodes, under `key`. 204 when it is on the disk; 400 (never retried) for what cannot be decoded or is of the other version;
 * 503 (retried) when the disk refuses. The counts that 2.0 asks for are of what is stored: all of the message.
 */
export async function acceptRemoteWrite(
  body: Uint8Array,
  stated: RemoteWriteVersion,
  key: string,
  store: ObjectStore,
): Promise<HttpAnswer> {
  const message = decodeRemoteWrite(body);
  if ('fault' in message) return plain(400, `body: ${message.fault}`);
  if (message.version !== null && message.version !== stated) {
    return plain(400, `body: the content type says ${stated}, the message is ${message.version}`);
  }
  // An empty message asks for nothing: there is nothing to keep.
  if (message.version !== null && (await store.putIfAbsent(key, body)) === 'exists') return plain(503, 'name taken, try again');
  return { status: 204, headers: stated === '2.0' ? written(message) : {}, body: '' };
}

function written({ samples, histograms, exemplars }: RemoteWriteMessage): Record<string, string> {
  return {
    'x-prometheus-remote-write-samples-written': String(samples.length),
    'x-prometheus-remote-write-histograms-written': String(histograms),
    'x-prometheus-remote-write-exemplars-written': String(exemplars),
  };
}
