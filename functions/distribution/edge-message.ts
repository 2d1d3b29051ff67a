/**
 * What headquarters tells an edge: one signed message that says all there is to know (every service of the edge, by digest), numbered without a
 * hole, each naming the one before by hash. The newest is enough; a message is never changed. Posted or polled, it is the same bytes.
 */
import { PREFIX } from '../contract.ts';
import { imageReference } from '../domain/oci.ts';
import { patientReads, putAnyhow } from '../ledger/patient.ts';
import { openRecord, signRecord } from '../ledger/signed.ts';
import type { Clock, ObjectStore, Signer } from '../ports.ts';
import type { DeployedRelease } from './fleet.ts';

export interface EdgeService {
  readonly service: string;
  readonly generation: number;
  readonly release_id: string;
  readonly model: string;
  readonly model_version: string;
  readonly repository: string;
  /** In the edge's own registry, by digest. */
  readonly image: string;
  readonly image_digest: string;
  readonly attestation_digest: string;
  /** Git commit that says the same; CARRIED where a bundle says it. */
  readonly commit: string;
}

export interface EdgeMessage {
  readonly type: 'dev.kashi.edge.desired.v1';
  /** Whom it is for: an edge takes no other's. */
  readonly edge: string;
  /** Counted from 1. */
  readonly sequence: number;
  readonly issued_at_ms: number;
  readonly expires_at_ms: number;
  /** SHA-256 of the message before; null for the first. */
  readonly previous: string | null;
  /** By name. */
  readonly services: readonly EdgeService[];
}

/** How long a message may be acted upon. An edge that was away for longer asks for a new one. */
export const MESSAGE_LIFETIME_MS = 7 * 24 * 3_600_000;

/** In place of a commit: the edge has no way to Git, and is told by a bundle alone. */
export const CARRIED = 'carried';

const DIGITS = 10;

/** Example: ('eu-1', 12) → 'fleet/edges/eu-1/0000000012.json'. */
export function messageKey(edge: string, sequence: number): string {
  return `${PREFIX.fleet}edges/${edge}/${String(sequence).padStart(DIGITS, '0')}.json`;
}

export interface StoredMessage {
  readonly bytes: Uint8Array;
  readonly message: EdgeMessage;
  /** SHA-256 of the bytes. */
  readonly sha256: string;
}

/** The newest message at or behind `from`; null when there is none. Errors: KashiError store_corrupt. */
export async function newestMessage(store: ObjectStore, edge: string, from: number): Promise<StoredMessage | null> {
  let newest: StoredMessage | null = null;
  for (let sequence = Math.max(1, from); ; sequence += 1) {
    const key = messageKey(edge, sequence);
    const bytes = await patientReads(store).get(key);
    if (bytes === null) return newest;
    const { value: message, sha256 } = openRecord<EdgeMessage>(bytes, key, null);
    newest = { bytes, message, sha256 };
  }
}

export interface Issue {
  readonly store: ObjectStore;
  readonly signer: Signer;
  readonly clock: Clock;
  /** Default: MESSAGE_LIFETIME_MS. */
  readonly lifetimeMs?: number;
}

/**
 * Issues a message with these services, unless the newest says so already. Services of the newest message that are further than the given
 * ones stay: of two writers neither takes the other's back. Returns what stands.
 */
export async function issueMessage(
  { store, signer, clock, lifetimeMs = MESSAGE_LIFETIME_MS }: Issue,
  edge: string,
  known: number,
  services: readonly EdgeService[],
): Promise<StoredMessage> {
  for (;;) {
    const before = await newestMessage(store, edge, known);
    const merged = mergeServices(before?.message.services ?? [], services);
    const now = clock.now();
    const fresh = before !== null && now < before.message.expires_at_ms - lifetimeMs / 2;
    if (fresh && JSON.stringify(merged) === JSON.stringify(before.message.services)) return before;
    const message: EdgeMessage = {
      type: 'dev.kashi.edge.desired.v1',
      edge,
      sequence: (before?.message.sequence ?? 0) + 1,
      issued_at_ms: now,
      expires_at_ms: now + lifetimeMs,
      previous: before?.sha256 ?? null,
      services: merged,
    };
    const key = messageKey(edge, message.sequence);
    await putAnyhow(store, key, await signRecord(signer, message));
    const stands = await newestMessage(store, edge, message.sequence);
    if (stands !== null && JSON.stringify(mergeServices(stands.message.services, services)) === JSON.stringify(stands.message.services))
      return stands;
  }
}

/** Of each service the higher generation. Shape: by name. */
export function mergeServices(one: readonly EdgeService[], other: readonly EdgeService[]): EdgeService[] {
  const merged = new Map<string, EdgeService>();
  for (const service of [...one, ...other]) {
    const known = merged.get(service.service);
    if (known === undefined || service.generation > known.generation) merged.set(service.service, sorted(service));
  }
  return [...merged.values()].sort((left, right) => (left.service < right.service ? -1 : 1));
}

/** Members in one order, so that equal services have equal texts. */
function sorted(service: EdgeService): EdgeService {
  return Object.fromEntries(Object.entries(service).sort(([left], [right]) => (left < right ? -1 : 1))) as unknown as EdgeService;
}

export function edgeService(registry: string, release: DeployedRelease, generation: number, commit: string): EdgeService {
  const { service, releaseId, model, modelVersion, repository, digest, attestationDigest } = release;
  return {
    service,
    generation,
    release_id: releaseId,
    model,
    model_version: modelVersion,
    repository,
    image: imageReference(registry, repository, digest),
    image_digest: digest,
    attestation_digest: attestationDigest,
    commit,
  };
}
