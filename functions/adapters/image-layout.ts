/** An OCI image layout in a folder: what a build writes, a push reads, and other tools unpack. Source: image-spec 1.1 image-layout.md. */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson, sha256Hex } from '../domain/canonical-json.ts';
import { KashiError } from '../domain/errors.ts';
import { type Descriptor, type ImageManifest, isDigest, MEDIA } from '../domain/oci.ts';
import type { BlobSource, BlobTransfer, ImageLayout, StoredManifest } from '../ports.ts';
import { corruptBlob, tagTaken } from './registry-oci.ts';

const REF_NAME = 'org.opencontainers.image.ref.name';
const READ_BYTES = 1024 * 1024;

interface LayoutIndex {
  readonly schemaVersion: 2;
  readonly mediaType: string;
  readonly manifests: readonly Descriptor[];
}

/**
 * The layout of a folder, which is made. It has no repositories: whatever name is asked for, there is one. `partial`: manifests may name blobs
 * that are not here, because who gets the folder has them.
 */
export function imageLayout(folder: string, { partial = false }: { readonly partial?: boolean } = {}): ImageLayout {
  return new FolderLayout(folder, partial);
}

class FolderLayout implements ImageLayout {
  readonly host = 'oci-layout';
  private readonly folder: string;
  private readonly partial: boolean;

  constructor(folder: string, partial: boolean) {
    this.folder = folder;
    this.partial = partial;
  }

  async addBlob(bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<{ readonly digest: string; readonly size: number }> {
    this.prepare();
    const temporary = join(this.folder, 'blobs', 'sha256', `.${randomUUID()}`);
    const hash = createHash('sha256');
    let size = 0;
    const file = await open(temporary, 'wx');
    try {
      for await (const piece of bytes) {
        hash.update(piece);
        size += piece.length;
        await file.writeFile(piece);
      }
      await file.close();
      const digest = `sha256:${hash.digest('hex')}`;
      renameSync(temporary, this.blobPath(digest));
      return { digest, size };
    } finally {
      await file.close().catch(() => {});
      rmSync(temporary, { force: true });
    }
  }

  async manifest(_repository: string, reference: string): Promise<StoredManifest | null> {
    const listed = this.index().manifests.find((one) => (isDigest(reference) ? one.digest : one.annotations?.[REF_NAME]) === reference);
    if (listed === undefined) return null;
    const path = this.blobPath(listed.digest);
    if (!existsSync(path)) throw new KashiError('not_found', 'a manifest is missing', { where: this.folder, found: listed.digest });
    const bytes = readFileSync(path);
    const digest = `sha256:${sha256Hex(bytes)}`;
    if (digest !== listed.digest) throw corruptBlob(this.folder, listed.digest, digest);
    return { mediaType: listed.mediaType, digest, bytes };
  }

  async putManifest(
    repository: string,
    { mediaType, bytes }: Pick<StoredManifest, 'mediaType' | 'bytes'>,
    tag: string | null,
  ): Promise<string> {
    const { artifactType, config, layers = [] } = JSON.parse(Buffer.from(bytes).toString('utf8')) as Partial<ImageManifest>;
    for (const blob of [...(config === undefined ? [] : [config]), ...layers]) {
      if (!this.partial && (await this.blobBytes(repository, blob.digest)) === null)
        throw new KashiError('not_found', 'a blob of the manifest is missing', { where: this.folder, found: blob.digest });
    }
    const { digest, size } = await this.addBlob([bytes]);
    const { manifests } = this.index();
    const stands = tag === null ? undefined : manifests.find(({ annotations }) => annotations?.[REF_NAME] === tag);
    if (tag !== null && stands !== undefined && stands.digest !== digest)
      throw tagTaken(this.folder, repository, tag, stands.digest, digest);
    if (tag !== null ? stands === undefined : !manifests.some((one) => one.digest === digest)) {
      const own: Descriptor = {
        mediaType,
        digest,
        size,
        ...(artifactType === undefined ? {} : { artifactType }),
        ...(tag === null ? {} : { annotations: { [REF_NAME]: tag } }),
      };
      this.writeIndex([...manifests.filter((one) => one.digest !== digest || one.annotations?.[REF_NAME] !== undefined), own]);
    }
    return digest;
  }

  async blobBytes(_repository: string, digest: string): Promise<number | null> {
    return statSync(this.blobPath(digest), { throwIfNoEntry: false })?.size ?? null;
  }

  async *readBlob(
    _repository: string,
    { digest, size }: Pick<Descriptor, 'digest' | 'size'>,
    fromByte = 0,
    toByte = size,
  ): AsyncIterable<Uint8Array> {
    if (!existsSync(this.blobPath(digest))) throw new KashiError('not_found', 'a blob is missing', { where: this.folder, found: digest });
    if (toByte <= fromByte) return;
    const hash = createHash('sha256');
    for await (const piece of createReadStream(this.blobPath(digest), { start: fromByte, end: toByte - 1, highWaterMark: READ_BYTES })) {
      hash.update(piece as Uint8Array);
      yield piece as Uint8Array;
    }
    const found = `sha256:${hash.digest('hex')}`;
    if (fromByte === 0 && toByte === size && found !== digest) throw corruptBlob(this.folder, digest, found);
  }

  async putBlob(repository: string, blob: BlobSource): Promise<BlobTransfer> {
    if ((await this.blobBytes(repository, blob.digest)) !== null) return { how: 'exists', bytesMoved: 0 };
    const { digest, size } = await this.addBlob(blob.open(0));
    if (digest !== blob.digest) {
      rmSync(this.blobPath(digest), { force: true });
      throw corruptBlob(this.folder, blob.digest, digest);
    }
    return { how: 'uploaded', bytesMoved: size };
  }

  async referrers(_repository: string, digest: string, artifactType?: string): Promise<readonly Descriptor[]> {
    const found: Descriptor[] = [];
    for (const one of this.index().manifests) {
      const { bytes = new Uint8Array() } = (await this.manifest('', one.digest)) ?? {};
      const { subject, artifactType: type, annotations } = JSON.parse(Buffer.from(bytes).toString('utf8')) as ImageManifest;
      if (subject?.digest !== digest || (artifactType !== undefined && type !== artifactType)) continue;
      found.push({ ...one, ...(annotations === undefined ? {} : { annotations }) });
    }
    return found;
  }

  private blobPath(digest: string): string {
    if (!isDigest(digest)) throw new KashiError('usage', 'not a digest', { allowed: 'sha256:<64 hex>', found: digest });
    return join(this.folder, 'blobs', 'sha256', digest.slice('sha256:'.length));
  }

  private prepare(): void {
    mkdirSync(join(this.folder, 'blobs', 'sha256'), { recursive: true });
    if (!existsSync(join(this.folder, 'oci-layout'))) writeFileSync(join(this.folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  }

  private index(): LayoutIndex {
    const path = join(this.folder, 'index.json');
    if (!existsSync(path)) return { schemaVersion: 2, mediaType: MEDIA.index, manifests: [] };
    try {
      const index = JSON.parse(readFileSync(path, 'utf8')) as LayoutIndex;
      if (Array.isArray(index?.manifests)) return index;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
    throw new KashiError('store_corrupt', 'it is no index of an image layout', { where: path });
  }

  /** Whole or not at all: readers never see half an index. */
  private writeIndex(manifests: readonly Descriptor[]): void {
    const temporary = join(this.folder, `.index.${randomUUID()}`);
    writeFileSync(temporary, canonicalJson({ schemaVersion: 2, mediaType: MEDIA.index, manifests }));
    renameSync(temporary, join(this.folder, 'index.json'));
  }
}
