/**
 * Hooks of model registries over HTTP. An answer of 202 is given only when the hook is in the queue on the disk; what it says is never acted on,
 * only where it points: the worker asks the registry itself.
 */
import { sha256Hex } from '../domain/canonical-json.ts';
import { type InboundSecrets, type SignatureForm, verifyHook } from '../domain/hook-verify.ts';
import type { Admission, Clock, HttpAnswer, HttpRequestHead, HttpService, ObjectStore } from '../ports.ts';
import { type EventForm, readHook } from './hook-events.ts';
import { accept } from './intake-queue.ts';

export interface Endpoint {
  /** Last part of the path: POST /v1/hooks/<name>. */
  readonly name: string;
  readonly signature: SignatureForm;
  readonly events: EventForm;
  readonly secrets: InboundSecrets;
}

export interface IntakeDependencies {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly endpoints: readonly Endpoint[];
  /** Told why a hook was refused, without any of its content, and of faults of the store. */
  readonly onNote: (note: string) => void;
}

export const MAX_HOOK_BYTES = 256 * 1024;
const PATH = /^\/v1\/hooks\/([a-z0-9][a-z0-9-]{0,62})$/;

export function makeIntake(dependencies: IntakeDependencies): HttpService {
  const endpoints = new Map(dependencies.endpoints.map((endpoint) => [endpoint.name, endpoint]));
  return {
    admit(head): Admission | HttpAnswer {
      if (head.path === '/healthz') return answer(200, 'ok', 'alive');
      const endpoint = endpoints.get(PATH.exec(head.path)?.[1] ?? '');
      if (endpoint === undefined) return answer(404, 'not found', 'allowed POST /v1/hooks/<endpoint>');
      if (head.method !== 'POST') return { ...answer(405, 'refused', 'allowed POST'), headers: { ...JSON_TYPE, allow: 'POST' } };
      // What is decompressed is not what was signed.
      if (head.header('content-encoding') !== null) return answer(415, 'refused', 'header content-encoding: allowed none');
      return {
        maxBodyBytes: MAX_HOOK_BYTES,
        refuse: (status, message) => answer(status, 'refused', message),
        accept: (body) => receive(dependencies, endpoint, head, body),
      };
    },
  };
}

async function receive(
  { store, clock, onNote }: IntakeDependencies,
  endpoint: Endpoint,
  head: HttpRequestHead,
  body: Uint8Array,
): Promise<HttpAnswer> {
  const { name, signature, events, secrets } = endpoint;
  const now = clock.now();
  const verdict = verifyHook(signature, { header: (header) => head.header(header), body }, secrets, now);
  if (verdict.is === 'malformed') return answer(400, 'refused', verdict.why);
  if (verdict.is === 'refused') {
    onNote(`${name}: ${verdict.why}`);
    return answer(401, 'refused', 'the signature or its time is not accepted');
  }
  const parsed = parse(body);
  if (parsed === undefined) return answer(400, 'refused', 'body: allowed JSON in UTF-8');
  const read = readHook(events, parsed);
  if (read.is === 'refused') return answer(400, 'refused', `${read.field}: found ${read.found}`);
  if (read.is === 'ignored' || read.pointers.length === 0) return answer(200, 'ignored', read.type);
  try {
    const outcome = await accept(store, {
      endpoint: name,
      delivery_id: verdict.deliveryId,
      body_sha256: sha256Hex(body),
      type: read.type,
      pointers: read.pointers,
      received_at_ms: now,
    });
    if (outcome === 'accepted') return answer(202, 'accepted', read.type);
    return outcome === 'duplicate'
      ? answer(200, 'duplicate', read.type)
      : answer(409, 'refused', 'this delivery id came with another body');
  } catch (error) {
    onNote(`${name}: not stored: ${error instanceof Error ? error.message : String(error)}`);
    return { ...answer(503, 'refused', 'not stored, try again'), headers: { ...JSON_TYPE, 'retry-after': '1' } };
  }
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    return undefined;
  }
}

const JSON_TYPE: Readonly<Record<string, string>> = { 'content-type': 'application/json' };

function answer(status: number, said: string, detail: string): HttpAnswer {
  return { status, headers: JSON_TYPE, body: JSON.stringify({ status: said, detail }) };
}
