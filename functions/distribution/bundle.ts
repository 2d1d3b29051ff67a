/**
 * A release for an edge that no network reaches, as a folder: an OCI image layout that holds only the blobs the edge lacks, the signed message
 * that tells it what to run, and a signed record that ties the two together. This is the end at headquarters; bundle-import.ts is the other.
 */
import { KashiError } from '../domain/errors.ts';
import { isDigest } from '../domain/oci.ts';
import { openRecord, signRecord } from '../ledger/signed.ts';
import type { ImageRegistry, Signer } from '../ports.ts';
import { blobsOf, type CopiedBlob, copyImage } from './copy-image.ts';
import { CARRIED, type EdgeService, edgeService } from './edge-message.ts';
import { type DeployedRelease, type EdgeRollout, type Fleet, isCommitted, type Target } from './fleet.ts';
import { type Gate, gateOf } from './gate.ts';
import { isFrozen } from './switches.ts';

export interface BundleImage {
  readonly service: string;
  readonly repository: string;
  /** '' for none. */
  readonly tag: string;
  readonly digest: string;
  /** Manifests about it that go with it; one of them attests it. */
  readonly referrers: readonly string[];
}

/** Signed by the key that signs messages. */
export interface BundleRecord {
  readonly type: 'dev.kashi.bundle.v1';
  readonly edge: string;
  readonly made_at_ms: number;
  /** SHA-256 of the message's bytes: a bundle goes with no other. */
  readonly message: string;
  readonly images: readonly BundleImage[];
  /** Blobs in the folder. */
  readonly blobs: readonly { readonly digest: string; readonly size: number }[];
  /** Images that the edge has whole: their blobs were left out. Sorted. */
  readonly base: readonly string[];
}

/** Of one service: what is to be carried to the edge now, or why nothing is. */
export type ToCarry =
  | { readonly is: 'due'; readonly release: DeployedRelease; readonly generation: number; readonly base: readonly string[] }
  | { readonly is: 'live' | 'frozen' | 'nothing' }
  | { readonly is: 'gated'; readonly gate: Exclude<Gate, { open: true }> };

/** Carrying is what a commit is elsewhere: the same waves, windows and freezes hold it. */
export function toCarry(fleet: Fleet, service: string, edge: string, nowMs: number): ToCarry {
  const state = fleet.services[service];
  const target = state?.targets[edge];
  if (state === undefined || target === undefined) return { is: 'nothing' };
  const { upcoming, settled } = target;
  const rollout = upcoming !== null && upcoming.exit === null && !isCommitted(upcoming) ? upcoming : settled;
  const release = rollout === null ? undefined : state.releases[rollout.releaseId];
  if (rollout === null || release === undefined) return { is: 'nothing' };
  if (target.live?.generation === rollout.generation) return { is: 'live' };
  const run = state.runs.find(({ generation }) => generation === rollout.generation);
  if (rollout === upcoming && run !== undefined) {
    const gate = gateOf(fleet, state, run, rollout.wave, nowMs);
    if (!gate.open) return { is: 'gated', gate };
    if (run.kind === 'promotion' && isFrozen(fleet, service, edge)) return { is: 'frozen' };
  }
  return { is: 'due', release, generation: rollout.generation, base: heldDigests(target) };
}

/** Images that the edge had live, and keeps for the way back. Newest first. */
export function heldDigests({ live, kept }: Target): string[] {
  return [...new Set([...(live === null ? [] : [live.digest]), ...kept.map(({ digest }) => digest)])];
}

/** What the message of a bundle says: of each service what is carried, else what the edge was told before. By name. */
export function carriedServices(fleet: Fleet, edge: string, due: ReadonlyMap<string, Extract<ToCarry, { is: 'due' }>>): EdgeService[] {
  const registry = fleet.edges[edge]?.registry ?? '';
  return Object.values(fleet.services)
    .sort((left, right) => (left.service < right.service ? -1 : 1))
    .flatMap(({ service, targets, releases }) => {
      const carried = due.get(service);
      if (carried !== undefined) return [edgeService(registry, carried.release, carried.generation, CARRIED)];
      const settled: EdgeRollout | null = targets[edge]?.settled ?? null;
      const release = settled === null ? undefined : releases[settled.releaseId];
      return settled === null || release === undefined
        ? []
        : [edgeService(registry, release, settled.generation, settled.commit ?? CARRIED)];
    });
}

export interface BundleOrder {
  readonly hq: ImageRegistry;
  /** A folder that takes manifests whose blobs it does not have. */
  readonly folder: ImageRegistry;
  readonly signer: Signer;
  readonly edge: string;
  readonly nowMs: number;
  /** SHA-256 of the message that goes with it. */
  readonly messageSha256: string;
  /** Each with the images of its repository that the edge has whole. */
  readonly images: readonly { readonly release: DeployedRelease; readonly base: readonly string[] }[];
  readonly onBlob?: (done: CopiedBlob) => void;
}

export interface Bundled {
  readonly record: BundleRecord;
  /** The record as it is stored. */
  readonly bytes: Uint8Array;
  /** In the folder; all of the images. */
  readonly bytesCarried: number;
  readonly bytesTotal: number;
}

/** Fills the folder. Errors: KashiError not_found for an image or a base that headquarters does not have. */
export async function exportBundle({ hq, folder, signer, edge, nowMs, messageSha256, images, onBlob }: BundleOrder): Promise<Bundled> {
  const carried = new Map<string, number>();
  const listed: BundleImage[] = [];
  let bytesTotal = 0;
  for (const { release, base } of images) {
    const { repository, digest, tag, service } = release;
    const held = await blobsOfImages(hq, repository, base);
    // As if the folder had these blobs already.
    const delta = viewOf(folder, {
      blobBytes: async (name, blob) => held.get(blob) ?? (await folder.blobBytes(name, blob)),
      putBlob: async (name, blob) => (held.has(blob.digest) ? { how: 'exists', bytesMoved: 0 } : await folder.putBlob(name, blob)),
    });
    const done = await copyImage({ from: hq, repository, to: delta, digest, tag: null, ...(onBlob === undefined ? {} : { onBlob }) });
    for (const blob of done.blobs) if (blob.how === 'uploaded') carried.set(blob.digest, blob.bytes);
    bytesTotal += done.bytesTotal;
    listed.push({ service, repository, tag, digest, referrers: done.referrers });
  }
  const record: BundleRecord = {
    ...{ type: 'dev.kashi.bundle.v1', edge, made_at_ms: nowMs, message: messageSha256, images: listed },
    blobs: [...carried].map(([digest, size]) => ({ digest, size })),
    base: [...new Set(images.flatMap(({ base }) => base))].sort(),
  };
  const bytesCarried = [...carried.values()].reduce((sum, size) => sum + size, 0);
  return { record, bytes: await signRecord(signer, record), bytesCarried, bytesTotal };
}

/** Blobs of these images, as headquarters knows them. */
async function blobsOfImages(hq: ImageRegistry, repository: string, digests: readonly string[]): Promise<Map<string, number>> {
  const blobs = new Map<string, number>();
  for (const digest of digests) {
    const image = await hq.manifest(repository, digest);
    if (image === null)
      throw new KashiError('not_found', 'headquarters does not have the image that the edge is said to have', {
        where: `${hq.host}/${repository}`,
        found: digest,
        hint: 'name another with --have, or carry everything with --whole',
      });
    for (const blob of blobsOf(image)) blobs.set(blob.digest, blob.size);
  }
  return blobs;
}

/** The same registry, but for what is done otherwise. */
export function viewOf(registry: ImageRegistry, otherwise: Partial<ImageRegistry>): ImageRegistry {
  return {
    host: registry.host,
    manifest: (repository, reference) => registry.manifest(repository, reference),
    putManifest: (repository, manifest, tag) => registry.putManifest(repository, manifest, tag),
    blobBytes: (repository, digest) => registry.blobBytes(repository, digest),
    readBlob: (repository, blob, from, to) => registry.readBlob(repository, blob, from, to),
    putBlob: (repository, blob, mountFrom) => registry.putBlob(repository, blob, mountFrom),
    referrers: (repository, digest, type) => registry.referrers(repository, digest, type),
    ...otherwise,
  };
}

/** The record of a bundle. Errors: KashiError store_corrupt for another key or a changed byte, config_invalid for another form. */
export function openBundle(bytes: Uint8Array, where: string, hqKey: string): BundleRecord {
  const { value } = openRecord<BundleRecord>(bytes, where, hqKey);
  const blob = (one: BundleRecord['blobs'][number]): boolean => isDigest(one?.digest) && Number.isSafeInteger(one.size) && one.size >= 0;
  const image = (one: BundleImage): boolean =>
    isDigest(one?.digest) && Array.isArray(one.referrers) && one.referrers.every(isDigest) && typeof one.repository === 'string';
  const good =
    value?.type === 'dev.kashi.bundle.v1' &&
    Array.isArray(value.images) &&
    value.images.every(image) &&
    Array.isArray(value.blobs) &&
    value.blobs.every(blob) &&
    Array.isArray(value.base);
  if (good) return value;
  throw new KashiError('config_invalid', 'it is no bundle', { where, allowed: 'dev.kashi.bundle.v1', found: String(value?.type) });
}
