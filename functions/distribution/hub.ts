/** What headquarters answers over HTTP: edges that poll and report, registries that notify. It decides; an adapter listens. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Admission, Clock, HttpAnswer, HttpRequestHead, HttpService, ObjectStore } from '../ports.ts';
import { MESSAGE_CONTENT_TYPE } from './edge-delivery.ts';
import { newestMessage } from './edge-message.ts';
import { eventOfReport, keepReport, readReport } from './edge-report.ts';
import type { FleetEvent } from './fleet-event.ts';
import { type RegistryEvent, readDistributionEvents, readEcrEvent } from './registry-event.ts';

export interface HubOptions {
  readonly store: ObjectStore;
  readonly clock: Clock;
  /** Public key (PEM) of an edge's agent; null for an edge that has none, or that nobody knows. */
  readonly keyOf: (edge: string) => string | null;
  /** Digests (SHA-256) of the bearer tokens of an edge's registry. */
  readonly registryTokens: (edge: string) => readonly Uint8Array[];
  /** Takes an event; true when it says something new. */
  readonly record: (event: FleetEvent) => Promise<boolean>;
  /** An edge was heard of. */
  readonly heard: (edge: string, atMs: number) => Promise<void>;
}

const MAX_BODY_BYTES = 256 * 1024;

function answer(status: number, body: string, type = 'text/plain; charset=utf-8'): HttpAnswer {
  return { status, headers: { 'content-type': type }, body };
}

const refuse = (status: number, message: string): HttpAnswer => answer(status, `${message}\n`);

export function makeHub(options: HubOptions): HttpService {
  return {
    admit: (head) => {
      if (head.method === 'GET' && head.path === '/healthz') return answer(200, 'ok\n');
      const [, kind = '', name = ''] = /^\/v1\/(edges|registries)\/([a-z0-9][a-z0-9.-]*)$/.exec(head.path) ?? [];
      if (kind === '') return refuse(404, 'no such address');
      if (head.method !== 'POST') return refuse(405, 'POST');
      return kind === 'edges' ? admitEdge(options, name) : admitRegistry(options, name, head);
    },
  };
}

function admitEdge(options: HubOptions, edge: string): Admission | HttpAnswer {
  const key = options.keyOf(edge);
  // The same answer as for a wrong signature: who guesses names learns nothing.
  if (key === null) return refuse(401, 'signature');
  return { maxBodyBytes: MAX_BODY_BYTES, refuse, accept: (body) => takeFromEdge(options, edge, key, body) };
}

async function takeFromEdge({ store, clock, heard, record }: HubOptions, edge: string, key: string, body: Uint8Array): Promise<HttpAnswer> {
  const read = readReport(body, edge, key, clock.now());
  if (read.is === 'refused') return refuse(read.status, read.why);
  await heard(edge, clock.now());
  if (read.is === 'poll') {
    const message = await newestMessage(store, edge, read.poll.after + 1);
    if (message === null) return { status: 204, headers: {}, body: '' };
    return answer(200, Buffer.from(message.bytes).toString('utf8'), MESSAGE_CONTENT_TYPE);
  }
  const kept = await keepReport(store, read.report, body);
  if (kept === 'other') return refuse(409, 'the number of the report is taken');
  // Also a known one: whoever kept it may have died before it was recorded.
  const isNew = await record(eventOfReport(read.report));
  return answer(isNew ? 202 : 200, 'taken\n');
}

function admitRegistry(options: HubOptions, edge: string, head: HttpRequestHead): Admission | HttpAnswer {
  const [, token = ''] = /^Bearer (\S+)$/.exec(head.header('authorization') ?? '') ?? [];
  const digest = createHash('sha256').update(token).digest();
  if (!options.registryTokens(edge).some((known) => timingSafeEqual(known, digest))) return refuse(401, 'token');
  return { maxBodyBytes: MAX_BODY_BYTES, refuse, accept: (body) => takeFromRegistry(options, edge, body) };
}

/** A notification of a distribution registry, or an event of EventBridge (an API destination posts it as it is). */
async function takeFromRegistry({ record, clock }: HubOptions, edge: string, body: Uint8Array): Promise<HttpAnswer> {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(body).toString('utf8'));
  } catch {
    return refuse(400, 'not JSON');
  }
  const isBridge = typeof value === 'object' && value !== null && 'source' in value && 'detail' in value;
  for (const read of isBridge ? [readEcrEvent(value)] : readDistributionEvents(value, edge)) {
    const event = read.is === 'event' ? fleetEventOf(read.event, edge, clock.now()) : null;
    if (event !== null) await record(event);
  }
  return answer(202, 'taken\n');
}

/**
 * What a registry's event means to the fleet; null for one that means nothing. `edge`: the edge whose registry it is. What is pushed to the
 * registry of an edge has arrived there.
 */
export function fleetEventOf(event: RegistryEvent, edge: string, nowMs: number): FleetEvent | null {
  const { kind, repository, digest, succeeded } = event;
  if (kind !== 'replicated' && kind !== 'pushed') return null;
  const about = { atMs: nowMs, edge, repository, digest, by: 'event' } as const;
  if (succeeded) return { ...about, type: 'replicated', bytesMoved: 0 };
  return { ...about, type: 'replication_failed', fault: 'the registry says that replication failed', retryAtMs: nowMs };
}
