/** A client of the OCI distribution specification 1.1: every digest is checked, tags never move, blobs are mounted rather than sent. */
import { canonicalJson, sha256Hex } from '../domain/canonical-json.ts';
import { KashiError } from '../domain/errors.ts';
import { type Descriptor, type ImageManifest, isDigest, MEDIA } from '../domain/oci.ts';
import type { BlobSource, BlobTransfer, ImageRegistry, StoredManifest } from '../ports.ts';
import { readPatiently } from './blob-reads.ts';
import { type RegistryAddress, RegistryHttp } from './registry-oci-http.ts';
import { CHUNK_BYTES, NO_MEMORY, type UploadMemory, uploadBlob } from './registry-oci-upload.ts';

export interface OciRegistryOptions extends RegistryAddress {
  readonly uploads?: UploadMemory;
  readonly chunkBytes?: number;
}

const ACCEPT = [
  MEDIA.manifest,
  MEDIA.index,
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
].join(', ');
/** A manifest is a list of blobs, not one. */
const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;
/** Times that a read goes on after its connection broke. */

/** Errors: KashiError config_invalid for an address that is none. */
export function ociRegistry(options: OciRegistryOptions): ImageRegistry {
  return new OciRegistry(options);
}

class OciRegistry implements ImageRegistry {
  readonly host: string;
  private readonly http: RegistryHttp;
  private readonly uploads: UploadMemory;
  private readonly chunkBytes: number;

  constructor(options: OciRegistryOptions) {
    this.http = new RegistryHttp(options);
    this.host = this.http.host;
    this.uploads = options.uploads ?? NO_MEMORY;
    this.chunkBytes = options.chunkBytes ?? CHUNK_BYTES;
  }

  async manifest(repository: string, reference: string): Promise<StoredManifest | null> {
    const path = `/v2/${repository}/manifests/${reference}`;
    const answer = await this.http.request({ method: 'GET', path, headers: { accept: ACCEPT }, expects: [200, 404] });
    if (answer.status === 404) {
      await answer.body?.cancel();
      return null;
    }
    const bytes = await boundedBytes(answer, `${this.host}/${repository}:${reference}`);
    const digest = `sha256:${sha256Hex(bytes)}`;
    const claimed = isDigest(reference) ? reference : (answer.headers.get('docker-content-digest') ?? digest);
    if (claimed !== digest) throw corruptBlob(`${this.host}/${repository}`, claimed, digest);
    return { mediaType: answer.headers.get('content-type')?.split(';')[0] ?? MEDIA.manifest, digest, bytes };
  }

  async putManifest(repository: string, manifest: Pick<StoredManifest, 'mediaType' | 'bytes'>, tag: string | null): Promise<string> {
    const digest = `sha256:${sha256Hex(manifest.bytes)}`;
    if (tag !== null) {
      const stands = await this.manifest(repository, tag);
      if (stands !== null && stands.digest !== digest) throw tagTaken(this.host, repository, tag, stands.digest, digest);
    }
    const indexed = await this.put(repository, manifest, tag ?? digest);
    const { subject, artifactType, config, annotations } = JSON.parse(Buffer.from(manifest.bytes).toString('utf8')) as ImageManifest;
    if (subject !== undefined && !indexed) {
      const type = artifactType ?? config?.mediaType;
      await this.listReferrer(repository, subject.digest, {
        mediaType: manifest.mediaType,
        digest,
        size: manifest.bytes.length,
        ...(type === undefined ? {} : { artifactType: type }),
        ...(annotations === undefined ? {} : { annotations }),
      });
    }
    return digest;
  }

  async blobBytes(repository: string, digest: string): Promise<number | null> {
    const answer = await this.http.request({ method: 'HEAD', path: `/v2/${repository}/blobs/${digest}`, expects: [200, 404] });
    return answer.status === 404 ? null : Number(answer.headers.get('content-length') ?? 0);
  }

  readBlob(repository: string, blob: Pick<Descriptor, 'digest' | 'size'>, fromByte = 0, toByte = blob.size): AsyncIterable<Uint8Array> {
    const open = (at: number) => this.bytesFrom(repository, blob.digest, at, toByte);
    return readPatiently({ host: this.host, where: `${this.host}/${repository}`, blob, fromByte, toByte, open });
  }

  async putBlob(repository: string, blob: BlobSource, mountFrom?: string): Promise<BlobTransfer> {
    if ((await this.blobBytes(repository, blob.digest)) !== null) return { how: 'exists', bytesMoved: 0 };
    if (mountFrom !== undefined && mountFrom !== repository && (await mounted(this.http, repository, blob.digest, mountFrom)))
      return { how: 'mounted', bytesMoved: 0 };
    return { how: 'uploaded', bytesMoved: await uploadBlob(this.http, repository, blob, this.uploads, this.chunkBytes) };
  }

  async referrers(repository: string, digest: string, artifactType?: string): Promise<readonly Descriptor[]> {
    const path = `/v2/${repository}/referrers/${digest}`;
    const answer = await this.http.request({ method: 'GET', path, headers: { accept: MEDIA.index }, expects: [200, 404] });
    const bytes = await boundedBytes(answer, path);
    const fallback = answer.status === 200 ? null : await this.manifest(repository, fallbackTag(digest));
    const text = answer.status === 200 ? bytes : (fallback?.bytes ?? null);
    const { manifests = [] } = text === null ? {} : (JSON.parse(Buffer.from(text).toString('utf8')) as { manifests?: Descriptor[] });
    return artifactType === undefined ? manifests : manifests.filter((one) => one.artifactType === artifactType);
  }

  private async *bytesFrom(repository: string, digest: string, from: number, to: number): AsyncIterable<Uint8Array> {
    const answer = await this.http.request({
      method: 'GET',
      path: `/v2/${repository}/blobs/${digest}`,
      headers: { range: `bytes=${from}-${to - 1}` },
      expects: [200, 206],
    });
    if (answer.body === null) return;
    // A registry without ranges sends all: what is not wanted is read past.
    let skip = answer.status === 206 ? 0 : from;
    for await (const piece of answer.body as unknown as AsyncIterable<Uint8Array>) {
      const wanted = piece.subarray(Math.min(skip, piece.length));
      skip -= piece.length - wanted.length;
      if (wanted.length > 0) yield wanted;
    }
  }

  /** True when the registry itself keeps track of what the manifest is about. */
  private async put(
    repository: string,
    { mediaType, bytes }: Pick<StoredManifest, 'mediaType' | 'bytes'>,
    reference: string,
  ): Promise<boolean> {
    const path = `/v2/${repository}/manifests/${reference}`;
    const answer = await this.http.request({ method: 'PUT', path, headers: { 'content-type': mediaType }, body: bytes, expects: [201] });
    await answer.body?.cancel();
    return answer.headers.has('oci-subject');
  }

  /**
   * Adds to the index under the tag that the specification names for registries without the referrers API. Two at the same time may lose
   * one: the copier and the verifier ask again, and putting a referrer again lists it again.
   */
  private async listReferrer(repository: string, subject: string, descriptor: Descriptor): Promise<void> {
    const listed = await this.referrers(repository, subject);
    if (listed.some(({ digest }) => digest === descriptor.digest)) return;
    const index = { schemaVersion: 2, mediaType: MEDIA.index, manifests: [...listed, descriptor] };
    await this.put(repository, { mediaType: MEDIA.index, bytes: new TextEncoder().encode(canonicalJson(index)) }, fallbackTag(subject));
  }
}

/** As putBlob of an OCI registry mounts, for a registry whose own API cannot. True when the blob is linked. */
export async function mountBlob(address: RegistryAddress, repository: string, digest: string, from: string): Promise<boolean> {
  return await mounted(new RegistryHttp(address), repository, digest, from);
}

/** True when the registry linked it; otherwise it began an upload, which is left to expire. */
async function mounted(http: RegistryHttp, repository: string, digest: string, from: string): Promise<boolean> {
  const path = `/v2/${repository}/blobs/uploads/?mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(from)}`;
  const answer = await http.request({ method: 'POST', path, headers: { 'content-length': '0' }, expects: [201, 202] });
  await answer.body?.cancel();
  return answer.status === 201;
}

/** Example: 'sha256:ab…' → 'sha256-ab…'. */
function fallbackTag(digest: string): string {
  return digest.replace(':', '-');
}

async function boundedBytes(answer: Response, where: string): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let held = 0;
  for await (const piece of (answer.body ?? []) as unknown as AsyncIterable<Uint8Array>) {
    held += piece.length;
    if (held > MAX_MANIFEST_BYTES)
      throw new KashiError('store_corrupt', 'a manifest is too large', { where, allowed: `${MAX_MANIFEST_BYTES} bytes`, found: 'more' });
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

export function corruptBlob(where: string, wanted: string, found: string): KashiError {
  return new KashiError('store_corrupt', 'a registry gives other bytes than the digest says', { where, allowed: wanted, found });
}

export function tagTaken(host: string, repository: string, tag: string, stands: string, digest: string): KashiError {
  return new KashiError('conflict', 'a tag never moves', {
    where: `${host}/${repository}:${tag}`,
    allowed: stands,
    found: digest,
    hint: 'register a new version; the same version gives the same image',
  });
}
