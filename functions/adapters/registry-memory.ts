/** An image registry in memory, for tests and simulations: as strict as a real one. */
import { sha256Hex } from '../domain/canonical-json.ts';
import { KashiError } from '../domain/errors.ts';
import type { Descriptor, ImageManifest } from '../domain/oci.ts';
import type { BlobSource, BlobTransfer, ImageRegistry, StoredManifest } from '../ports.ts';
import { corruptBlob, tagTaken } from './registry-oci.ts';

interface Repository {
  readonly blobs: Set<string>;
  readonly manifests: Map<string, StoredManifest>;
  readonly tags: Map<string, string>;
}

export class MemoryRegistry implements ImageRegistry {
  readonly host: string;
  private readonly bytes = new Map<string, Uint8Array>();
  private readonly repositories = new Map<string, Repository>();

  constructor(host: string) {
    this.host = host;
  }

  async manifest(repository: string, reference: string): Promise<StoredManifest | null> {
    const found = this.repositories.get(repository);
    const manifest = found?.manifests.get(found.tags.get(reference) ?? reference);
    if (manifest === undefined) return null;
    const digest = `sha256:${sha256Hex(manifest.bytes)}`;
    if (digest !== manifest.digest) throw corruptBlob(`${this.host}/${repository}`, manifest.digest, digest);
    return manifest;
  }

  async putManifest(
    repository: string,
    { mediaType, bytes }: Pick<StoredManifest, 'mediaType' | 'bytes'>,
    tag: string | null,
  ): Promise<string> {
    const digest = `sha256:${sha256Hex(bytes)}`;
    const into = this.repository(repository);
    const { config, layers = [], manifests = [] } = parsed(bytes);
    const missing = [...(config === undefined ? [] : [config]), ...layers].find((blob) => !into.blobs.has(blob.digest));
    const absent = manifests.find((one) => !into.manifests.has(one.digest));
    if (missing !== undefined || absent !== undefined)
      throw new KashiError('not_found', 'the registry refuses', {
        where: `${this.host}/${repository}`,
        found: (missing ?? absent)?.digest ?? '',
      });
    const stands = tag === null ? undefined : into.tags.get(tag);
    if (tag !== null && stands !== undefined && stands !== digest) throw tagTaken(this.host, repository, tag, stands, digest);
    into.manifests.set(digest, { mediaType, digest, bytes });
    if (tag !== null) into.tags.set(tag, digest);
    return digest;
  }

  async blobBytes(repository: string, digest: string): Promise<number | null> {
    return this.repositories.get(repository)?.blobs.has(digest) ? (this.bytes.get(digest)?.length ?? null) : null;
  }

  async *readBlob(
    repository: string,
    { digest, size }: Pick<Descriptor, 'digest' | 'size'>,
    fromByte = 0,
    toByte = size,
  ): AsyncIterable<Uint8Array> {
    const bytes = this.repositories.get(repository)?.blobs.has(digest) ? this.bytes.get(digest) : undefined;
    if (bytes === undefined)
      throw new KashiError('not_found', 'the registry refuses', { where: `${this.host}/${repository}`, found: digest });
    yield bytes.subarray(fromByte, toByte);
    const found = `sha256:${sha256Hex(bytes)}`;
    if (fromByte === 0 && toByte === size && found !== digest) throw corruptBlob(`${this.host}/${repository}`, digest, found);
  }

  async putBlob(repository: string, blob: BlobSource, mountFrom?: string): Promise<BlobTransfer> {
    const into = this.repository(repository);
    if (into.blobs.has(blob.digest)) return { how: 'exists', bytesMoved: 0 };
    const mounted = mountFrom !== undefined && this.repositories.get(mountFrom)?.blobs.has(blob.digest) === true;
    if (!mounted) {
      const pieces: Uint8Array[] = [];
      for await (const piece of blob.open(0)) pieces.push(piece);
      const bytes = Buffer.concat(pieces);
      const found = `sha256:${sha256Hex(bytes)}`;
      if (found !== blob.digest) throw corruptBlob(`${this.host}/${repository}`, blob.digest, found);
      this.bytes.set(blob.digest, bytes);
    }
    into.blobs.add(blob.digest);
    return mounted ? { how: 'mounted', bytesMoved: 0 } : { how: 'uploaded', bytesMoved: blob.size };
  }

  async referrers(repository: string, digest: string, artifactType?: string): Promise<readonly Descriptor[]> {
    const found: Descriptor[] = [];
    for (const manifest of this.repositories.get(repository)?.manifests.values() ?? []) {
      const { subject, artifactType: type, annotations } = parsed(manifest.bytes);
      if (subject?.digest !== digest || (artifactType !== undefined && type !== artifactType)) continue;
      const { mediaType, digest: own, bytes } = manifest;
      found.push({
        mediaType,
        digest: own,
        size: bytes.length,
        ...(type === undefined ? {} : { artifactType: type }),
        ...(annotations === undefined ? {} : { annotations }),
      });
    }
    return found;
  }

  /** Replaces the stored bytes of a blob, as a broken disk does. */
  corruptBlob(digest: string, bytes: Uint8Array): void {
    this.bytes.set(digest, bytes);
  }

  /** Forgets the bytes of a blob everywhere. */
  dropBlob(digest: string): void {
    this.bytes.delete(digest);
    for (const { blobs } of this.repositories.values()) blobs.delete(digest);
  }

  private repository(name: string): Repository {
    const found = this.repositories.get(name) ?? { blobs: new Set(), manifests: new Map(), tags: new Map() };
    this.repositories.set(name, found);
    return found;
  }
}

function parsed(bytes: Uint8Array): Partial<ImageManifest> & { readonly manifests?: readonly Descriptor[] } {
  return JSON.parse(Buffer.from(bytes).toString('utf8')) as Partial<ImageManifest> & { manifests?: readonly Descriptor[] };
}
