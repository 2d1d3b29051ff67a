/** What an edge believes: a message of headquarters is refused unless everything about it is right. Pure; the disk is the caller's. */
import { KashiError } from '../domain/errors.ts';
import { isDigest } from '../domain/oci.ts';
import { openRecord } from '../ledger/signed.ts';
import type { EdgeMessage, EdgeService } from './edge-message.ts';

/** Kept on the disk of the edge: what it trusted last. Without it an old message could be played back. */
export interface Trusted {
  readonly sequence: number;
  /** SHA-256 of that message. */
  readonly sha256: string | null;
  /** Service → newest generation that was acted upon. */
  readonly generations: Readonly<Record<string, number>>;
}

export const NOTHING_TRUSTED: Trusted = { sequence: 0, sha256: null, generations: {} };

/** In the order in which they are looked for. */
export type Refusal = 'signature' | 'malformed' | 'audience' | 'sequence' | 'chain' | 'not_yet' | 'expired' | 'generation';

export type Verified =
  | { readonly accepted: true; readonly message: EdgeMessage; readonly trusted: Trusted }
  | { readonly accepted: false; readonly why: Refusal; readonly found: string };

/** How far the clock of headquarters may be ahead of the edge's. */
export const CLOCK_SKEW_MS = 300_000;

export function verifyMessage(bytes: Uint8Array, edge: string, hqKey: string, trusted: Trusted, nowMs: number): Verified {
  let opened: { value: EdgeMessage; sha256: string };
  try {
    opened = openRecord<EdgeMessage>(bytes, 'message', hqKey);
  } catch (error) {
    if (!(error instanceof KashiError)) throw error;
    return refused('signature', error.details.found ?? error.message);
  }
  const { value: message, sha256 } = opened;
  const fault = faultOf(message);
  if (fault !== null) return refused('malformed', fault);
  if (message.edge !== edge) return refused('audience', message.edge);
  if (message.sequence <= trusted.sequence) return refused('sequence', `${message.sequence}, trusted ${trusted.sequence}`);
  if (message.sequence === trusted.sequence + 1 && message.previous !== trusted.sha256) return refused('chain', String(message.previous));
  if (message.issued_at_ms > nowMs + CLOCK_SKEW_MS) return refused('not_yet', new Date(message.issued_at_ms).toISOString());
  if (message.expires_at_ms <= nowMs) return refused('expired', new Date(message.expires_at_ms).toISOString());
  const older = message.services.find(({ service, generation }) => generation < (trusted.generations[service] ?? 0));
  if (older !== undefined)
    return refused('generation', `${older.service} ${older.generation}, trusted ${trusted.generations[older.service]}`);
  const generations = { ...trusted.generations };
  for (const { service, generation } of message.services) generations[service] = generation;
  return { accepted: true, message, trusted: { sequence: message.sequence, sha256, generations } };
}

function refused(why: Refusal, found: string): Verified {
  return { accepted: false, why, found };
}

function isCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
}

/** What is wrong with the form of a signed message; null when nothing is. */
function faultOf(message: EdgeMessage): string | null {
  if (typeof message !== 'object' || message === null) return 'no object';
  const { type, edge, sequence, issued_at_ms, expires_at_ms, previous, services } = message;
  if (type !== 'dev.kashi.edge.desired.v1') return 'type';
  if (typeof edge !== 'string' || edge === '') return 'edge';
  if (!isCount(sequence)) return 'sequence';
  if (!isCount(issued_at_ms)) return 'issued_at_ms';
  if (!isCount(expires_at_ms) || expires_at_ms <= issued_at_ms) return 'expires_at_ms';
  if (previous === null ? sequence !== 1 : !/^[0-9a-f]{64}$/.test(String(previous))) return 'previous';
  if (!Array.isArray(services)) return 'services';
  const wrong = services.find((service: EdgeService) => serviceFault(service) !== null);
  return wrong === undefined ? null : `services: ${serviceFault(wrong)}`;
}

const TEXTS = ['service', 'release_id', 'model', 'model_version', 'repository', 'image', 'commit'] as const;

function serviceFault(service: EdgeService): string | null {
  if (typeof service !== 'object' || service === null) return 'no object';
  const missing = TEXTS.find((name) => typeof service[name] !== 'string' || service[name] === '');
  if (missing !== undefined) return missing;
  if (!isCount(service.generation)) return 'generation';
  if (!isDigest(service.image_digest)) return 'image_digest';
  if (!isDigest(service.attestation_digest)) return 'attestation_digest';
  return service.image.endsWith(`/${service.repository}@${service.image_digest}`) ? null : 'image is not the digest';
}
