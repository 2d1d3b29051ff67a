/**
 * What each request to the receiver means. An answer of 2xx is given only when the delivery is on the disk: accepted is never lost, also not
 * by a kill. Deliveries may come twice (a lost answer makes a sender repeat), and the facts count once.
 *
 * Landed are `<source>/<site>/<yyyy>/<mm>/<dd>/<ms>-<id>.<extension>`, the source being the one that reads them: prometheus-remote-write,
 * otlp-metrics, otel-genai (traces). Logs (`otlp-logs`) are landed too; no listed source reads them, so the ingest holds them as
 * source_unknown until a rule of kashi.yaml names a source for `otlp-logs/**`.
 */
import type { Admission, Clock, HttpAnswer, HttpRequestHead, HttpService, ObjectStore } from '../ports.ts';
import { otlp, plain, type Refuse } from './answers.ts';
import type { LineBatches } from './batches.ts';
import { landedKey } from './landed-key.ts';
import type { ReceiveLimits } from './limits.ts';
import { otlpLine, refuseOtlpHead } from './otlp-json.ts';
import { acceptRemoteWrite, refuseRemoteWriteHead, remoteWriteVersion } from './remote-write.ts';
import { siteOfAuthorization, type Token } from './tokens.ts';

export interface ReceiverDependencies {
  /** The landing place. */
  readonly store: ObjectStore;
  /** Takes lines that share objects; fulfilled when a line cannot be lost any more. */
  readonly batches: Pick<LineBatches, 'append'>;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly limits: ReceiveLimits;
  /** Null: nobody is asked who they are, and `siteId` sent it. Only for a receiver that the network cannot reach. */
  readonly tokens: readonly Token[] | null;
  readonly siteId: string;
  /** Told of a delivery that could not be stored. */
  readonly onFault: (fault: unknown) => void;
}

interface OtlpSignal {
  /** Member of the export request that holds its records. */
  readonly member: string;
  /** First folder of what is landed. */
  readonly folder: string;
}

const REMOTE_WRITE_PATH = '/api/v1/write';
const OTLP: ReadonlyMap<string, OtlpSignal> = new Map([
  ['/v1/metrics', { member: 'resourceMetrics', folder: 'otlp-metrics' }],
  ['/v1/traces', { member: 'resourceSpans', folder: 'otel-genai' }],
  ['/v1/logs', { member: 'resourceLogs', folder: 'otlp-logs' }],
]);

/** The receiver's decisions. `draining()` true: it is shutting down and takes nothing new. */
export function makeReceiver(dependencies: ReceiverDependencies, draining: () => boolean): HttpService {
  const { tokens, siteId } = dependencies;
  return {
    admit(head): Admission | HttpAnswer {
      if (head.path === '/healthz') return draining() ? plain(503, 'shutting down') : plain(200, 'ok');
      const signal = OTLP.get(head.path);
      if (signal === undefined && head.path !== REMOTE_WRITE_PATH)
        return plain(404, `allowed ${[REMOTE_WRITE_PATH, ...OTLP.keys(), '/healthz'].join(', ')}`);
      const refuse = signal === undefined ? plain : otlp;
      if (head.method !== 'POST') return withHeader(refuse(405, 'allowed POST'), 'allow', 'POST');
      const site = tokens === null ? siteId : siteOfAuthorization(head.header('authorization'), tokens);
      if (site === null) return refuse(401, 'a bearer token of a site is needed');
      if (draining()) return refuse(503, 'shutting down');
      return signal === undefined ? admitRemoteWrite(head, site, dependencies) : admitOtlp(head, site, signal, dependencies);
    },
  };
}

function withHeader(answer: HttpAnswer, name: string, value: string): HttpAnswer {
  return { ...answer, headers: { ...answer.headers, [name]: value } };
}

function admitRemoteWrite(head: HttpRequestHead, site: string, dependencies: ReceiverDependencies): Admission | HttpAnswer {
  const { store, clock, newId, limits, onFault } = dependencies;
  const contentType = head.header('content-type');
  const refusal = refuseRemoteWriteHead(contentType, head.header('content-encoding'));
  if (refusal !== null) return refusal;
  const version = remoteWriteVersion(contentType) ?? '1.0';
  return {
    maxBodyBytes: limits.remoteWriteBytes,
    refuse: plain,
    accept: (body) => {
      const key = landedKey(`prometheus-remote-write/${site}`, clock.now(), newId(), 'snappy');
      return orUnavailable(() => acceptRemoteWrite(body, version, key, store), plain, onFault);
    },
  };
}

function admitOtlp(
  head: HttpRequestHead,
  site: string,
  { member, folder }: OtlpSignal,
  dependencies: ReceiverDependencies,
): Admission | HttpAnswer {
  const { batches, limits, onFault } = dependencies;
  const encoding = head.header('content-encoding');
  const refusal = refuseOtlpHead(head.header('content-type'), encoding);
  if (refusal !== null) return refusal;
  const accept = async (body: Uint8Array): Promise<HttpAnswer> => {
    const read = await otlpLine(body, encoding, member, limits.otlpBytes);
    if ('refusal' in read) return read.refusal;
    if (read.line !== null) await batches.append(`${folder}/${site}`, read.line);
    return { status: 200, headers: { 'content-type': 'application/json' }, body: '{}' };
  };
  return { maxBodyBytes: limits.otlpBytes, refuse: otlp, accept: (body) => orUnavailable(() => accept(body), otlp, onFault) };
}

/** Whatever the disk does, the sender hears 503 and repeats later: the outcome may be unknown, and a repeat does no harm. */
async function orUnavailable(accept: () => Promise<HttpAnswer>, refuse: Refuse, onFault: (fault: unknown) => void): Promise<HttpAnswer> {
  try {
    return await accept();
  } catch (error) {
    onFault(error);
    return refuse(503, 'not stored, try again');
  }
}
