/** Images between registries, and between repositories of one: what is there is not sent, what is next door is mounted, every byte counted. */
import { KashiError } from '../domain/errors.ts';
import type { Descriptor, ImageManifest } from '../domain/oci.ts';
import type { ImageRegistry, StoredManifest } from '../ports.ts';

export interface CopyRequest {
  readonly from: ImageRegistry;
  readonly repository: string;
  readonly to: ImageRegistry;
  /** Default: as `repository`. */
  readonly toRepository?: string;
  readonly digest: string;
  /** Tag at the destination; null for none. */
  readonly tag: string | null;
  /** Repositories of the destination that may have blobs, such as the staging one. */
  readonly mountFrom?: readonly string[];
  /** Asked before bytes are sent on, and waits: a bandwidth cap. */
  readonly pace?: (bytes: number) => Promise<void>;
  /** Told of each blob when it is there. */
  readonly onBlob?: (done: CopiedBlob) => void;
}

export interface CopiedBlob {
  readonly digest: string;
  readonly bytes: number;
  readonly how: 'exists' | 'mounted' | 'uploaded';
  readonly bytesMoved: number;
}

export interface Copied {
  readonly digest: string;
  /** Of blobs that were sent; manifests are not counted. */
  readonly bytesMoved: number;
  /** Of config and layers. */
  readonly bytesTotal: number;
  readonly blobs: readonly CopiedBlob[];
  /** Digests of the referrers that came along. */
  readonly referrers: readonly string[];
}

/**
 * Copies an image by digest, then its referrers, so that the digest arrives with its attestation. The manifest is last: what is there is whole.
 * Errors: KashiError not_found when the source has no such image, store_corrupt for wrong bytes, conflict for a tag that stands elsewhere.
 */
export async function copyImage(request: CopyRequest): Promise<Copied> {
  const { from, repository, to, toRepository = repository, digest, tag } = request;
  const image = await from.manifest(repository, digest);
  if (image === null) throw new KashiError('not_found', 'there is no such image', { where: `${from.host}/${repository}`, found: digest });
  const blobs = await copyBlobs(request, toRepository, blobsOf(image));
  await to.putManifest(toRepository, image, tag);
  const referrers: string[] = [];
  for (const referrer of await from.referrers(repository, digest)) {
    const manifest = await from.manifest(repository, referrer.digest);
    if (manifest === null)
      throw new KashiError('not_found', 'a referrer is missing', { where: `${from.host}/${repository}`, found: referrer.digest });
    blobs.push(...(await copyBlobs(request, toRepository, blobsOf(manifest))));
    await to.putManifest(toRepository, manifest, null);
    referrers.push(referrer.digest);
  }
  const own = new Set(blobsOf(image).map((blob) => blob.digest));
  return {
    digest,
    bytesMoved: blobs.reduce((sum, { bytesMoved }) => sum + bytesMoved, 0),
    bytesTotal: blobs.reduce((sum, blob) => sum + (own.has(blob.digest) ? blob.bytes : 0), 0),
    blobs,
    referrers,
  };
}

/** Config and layers of a manifest, each once. Example: two layers with the same bytes → one. */
export function blobsOf({ bytes }: Pick<StoredManifest, 'bytes'>): Descriptor[] {
  const { config, layers } = JSON.parse(Buffer.from(bytes).toString('utf8')) as ImageManifest;
  return [...new Map([config, ...layers].map((blob) => [blob.digest, blob])).values()];
}

async function copyBlobs(request: CopyRequest, toRepository: string, blobs: readonly Descriptor[]): Promise<CopiedBlob[]> {
  const copied: CopiedBlob[] = [];
  for (const blob of blobs) {
    const done = await copyBlob(request, toRepository, blob);
    request.onBlob?.(done);
    copied.push(done);
  }
  return copied;
}

async function copyBlob(
  { from, repository, to, mountFrom, pace }: CopyRequest,
  toRepository: string,
  blob: Descriptor,
): Promise<CopiedBlob> {
  const { digest, size } = blob;
  const near = from === to ? [repository, ...(mountFrom ?? [])] : (mountFrom ?? []);
  let mount: string | undefined;
  for (const place of near) if (mount === undefined && (await to.blobBytes(place, digest)) !== null) mount = place;
  const open = (fromByte: number): AsyncIterable<Uint8Array> => paced(from.readBlob(repository, blob, fromByte), pace);
  const transfer = await to.putBlob(toRepository, { digest, size, open }, mount);
  return { digest, bytes: size, ...transfer };
}

async function* paced(bytes: AsyncIterable<Uint8Array>, pace: ((bytes: number) => Promise<void>) | undefined): AsyncIterable<Uint8Array> {
  for await (const piece of bytes) {
    if (pace !== undefined) await pace(piece.length);
    yield piece;
  }
}
