/**
 * Amazon ECR through its own API: parts instead of chunks, because its OCI endpoint takes none. Repositories are made when something is pushed,
 * with immutable tags. Source: docs.aws.amazon.com/AmazonECR/latest/APIReference.
 */

import {
  BatchCheckLayerAvailabilityCommand,
  BatchGetImageCommand,
  CompleteLayerUploadCommand,
  CreateRepositoryCommand,
  type ECRClient,
  GetDownloadUrlForLayerCommand,
  InitiateLayerUploadCommand,
  ListImageReferrersCommand,
  PutImageCommand,
  UploadLayerPartCommand,
} from '@aws-sdk/client-ecr';
import { sha256Hex } from '../domain/canonical-json.ts';
import { KashiError } from '../domain/errors.ts';
import { type Descriptor, isDigest, MEDIA } from '../domain/oci.ts';
import { type BlobSource, type BlobTransfer, type ImageRegistry, type StoredManifest, TransientStoreError } from '../ports.ts';
import { readPatiently } from './blob-reads.ts';
import { corruptBlob, tagTaken } from './registry-oci.ts';
import { chunksOf } from './registry-oci-upload.ts';

export interface EcrOptions {
  readonly client: ECRClient;
  /** `<account>.dkr.ecr.<region>.amazonaws.com`. */
  readonly host: string;
  /** Links a blob of another repository, true when it did; needs the account setting BLOB_MOUNTING. The API itself cannot. */
  readonly mount?: (repository: string, digest: string, from: string) => Promise<boolean>;
  /** Bytes of a part: 5 to 10 MiB but for the last. */
  readonly partBytes?: number;
}

const PART_BYTES = 10 * 1024 * 1024;
const WAIT_MS = 120_000;

export function ecrRegistry(options: EcrOptions): ImageRegistry {
  return new EcrRegistry(options);
}

/** Errors of the service by name; what is ours to name is thrown again as it came. */
export function isNamed(error: unknown, ...names: readonly string[]): boolean {
  return error instanceof Error && names.includes(error.name);
}

/** Runs a request; what the network or the service broke is transient. The SDK has tried three times by then. */
export async function asked<T>(host: string, act: Promise<T>): Promise<T> {
  try {
    return await act;
  } catch (error) {
    const { name, message, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } };
    const status = $metadata?.httpStatusCode ?? 0;
    if (status >= 500 || status === 0 || /Throttl|TooManyRequests|Timeout|ServerException/.test(name))
      throw new TransientStoreError(`registry ${host}: ${name}: ${message}`, { cause: error });
    throw error;
  }
}

class EcrRegistry implements ImageRegistry {
  readonly host: string;
  private readonly client: ECRClient;
  private readonly mount: EcrOptions['mount'];
  private readonly partBytes: number;

  constructor({ client, host, mount, partBytes = PART_BYTES }: EcrOptions) {
    this.client = client;
    this.host = host;
    this.mount = mount;
    this.partBytes = partBytes;
  }

  async manifest(repository: string, reference: string): Promise<StoredManifest | null> {
    const imageId = isDigest(reference) ? { imageDigest: reference } : { imageTag: reference };
    const command = new BatchGetImageCommand({
      repositoryName: repository,
      imageIds: [imageId],
      acceptedMediaTypes: [MEDIA.manifest, MEDIA.index],
    });
    const answer = await asked(this.host, this.client.send(command)).catch(noRepository);
    const image = answer?.images?.[0];
    if (image?.imageManifest === undefined) return null;
    const bytes = new TextEncoder().encode(image.imageManifest);
    const digest = `sha256:${sha256Hex(bytes)}`;
    const claimed = isDigest(reference) ? reference : (image.imageId?.imageDigest ?? digest);
    if (claimed !== digest) throw corruptBlob(`${this.host}/${repository}`, claimed, digest);
    return { mediaType: image.imageManifestMediaType ?? MEDIA.manifest, digest, bytes };
  }

  async putManifest(
    repository: string,
    { mediaType, bytes }: Pick<StoredManifest, 'mediaType' | 'bytes'>,
    tag: string | null,
  ): Promise<string> {
    const digest = `sha256:${sha256Hex(bytes)}`;
    if (tag !== null) {
      const stands = await this.manifest(repository, tag);
      if (stands?.digest === digest) return digest;
      if (stands !== null) throw tagTaken(this.host, repository, tag, stands.digest, digest);
    }
    const command = new PutImageCommand({
      repositoryName: repository,
      imageManifest: new TextDecoder().decode(bytes),
      imageManifestMediaType: mediaType,
      imageDigest: digest,
      ...(tag === null ? {} : { imageTag: tag }),
    });
    try {
      await this.inRepository(repository, () => this.client.send(command));
    } catch (error) {
      if (isNamed(error, 'ImageTagAlreadyExistsException') && tag !== null)
        throw tagTaken(this.host, repository, tag, 'another image', digest);
      if (isNamed(error, 'LayersNotFoundException', 'ReferencedImagesNotFoundException'))
        throw new KashiError(
          'not_found',
          'a blob of the manifest is missing',
          { where: `${this.host}/${repository}`, found: (error as Error).message },
          { cause: error },
        );
      if (!isNamed(error, 'ImageAlreadyExistsException')) throw error;
    }
    return digest;
  }

  async blobBytes(repository: string, digest: string): Promise<number | null> {
    const command = new BatchCheckLayerAvailabilityCommand({ repositoryName: repository, layerDigests: [digest] });
    const answer = await asked(this.host, this.client.send(command)).catch(noRepository);
    const layer = answer?.layers?.[0];
    return layer?.layerAvailability === 'AVAILABLE' ? (layer.layerSize ?? 0) : null;
  }

  readBlob(repository: string, blob: Pick<Descriptor, 'digest' | 'size'>, fromByte = 0, toByte = blob.size): AsyncIterable<Uint8Array> {
    const open = (at: number) => this.download(repository, blob.digest, at, toByte);
    return readPatiently({ host: this.host, where: `${this.host}/${repository}`, blob, fromByte, toByte, open });
  }

  async putBlob(repository: string, blob: BlobSource, mountFrom?: string): Promise<BlobTransfer> {
    if ((await this.blobBytes(repository, blob.digest)) !== null) return { how: 'exists', bytesMoved: 0 };
    if (mountFrom !== undefined && (await this.mount?.(repository, blob.digest, mountFrom)) === true)
      return { how: 'mounted', bytesMoved: 0 };
    const started = await this.inRepository(repository, () =>
      this.client.send(new InitiateLayerUploadCommand({ repositoryName: repository })),
    );
    const uploadId = started.uploadId ?? '';
    let at = 0;
    for await (const part of chunksOf(blob.open(0), this.partBytes)) {
      const range = { partFirstByte: at, partLastByte: at + part.length - 1 };
      const command = new UploadLayerPartCommand({ repositoryName: repository, uploadId, ...range, layerPartBlob: part });
      await asked(this.host, this.client.send(command));
      at += part.length;
    }
    const command = new CompleteLayerUploadCommand({ repositoryName: repository, uploadId, layerDigests: [blob.digest] });
    await asked(this.host, this.client.send(command)).catch((error: unknown) => {
      if (isNamed(error, 'InvalidLayerException')) throw corruptBlob(`${this.host}/${repository}`, blob.digest, 'other bytes');
      // Another writer of the same bytes was faster.
      if (!isNamed(error, 'LayerAlreadyExistsException')) throw error;
    });
    return { how: 'uploaded', bytesMoved: at };
  }

  async referrers(repository: string, digest: string, artifactType?: string): Promise<readonly Descriptor[]> {
    const found: Descriptor[] = [];
    let nextToken: string | undefined;
    do {
      const command = new ListImageReferrersCommand({
        repositoryName: repository,
        subjectId: { imageDigest: digest },
        ...(artifactType === undefined ? {} : { filter: { artifactTypes: [artifactType] } }),
        ...(nextToken === undefined ? {} : { nextToken }),
      });
      const answer = await asked(this.host, this.client.send(command)).catch(noRepository);
      for (const { digest: own = '', mediaType = MEDIA.manifest, size = 0, artifactType: type, annotations } of answer?.referrers ?? [])
        found.push({
          digest: own,
          mediaType,
          size,
          ...(type === undefined ? {} : { artifactType: type }),
          ...(annotations === undefined ? {} : { annotations }),
        });
      nextToken = answer?.nextToken;
    } while (nextToken !== undefined);
    return artifactType === undefined ? found : found.filter((one) => one.artifactType === artifactType);
  }

  /** Makes the repository when it is missing, unless a template of the registry does so by itself. */
  private async inRepository<T>(repositoryName: string, act: () => Promise<T>): Promise<T> {
    try {
      return await asked(this.host, act());
    } catch (error) {
      if (!isNamed(error, 'RepositoryNotFoundException')) throw error;
      const create = new CreateRepositoryCommand({
        repositoryName,
        imageTagMutability: 'IMMUTABLE',
        imageScanningConfiguration: { scanOnPush: true },
      });
      await asked(this.host, this.client.send(create)).catch((failure: unknown) => {
        if (!isNamed(failure, 'RepositoryAlreadyExistsException')) throw failure;
      });
      return await asked(this.host, act());
    }
  }

  private async download(repositoryName: string, layerDigest: string, from: number, to: number): Promise<AsyncIterable<Uint8Array>> {
    const { downloadUrl = '' } = await asked(
      this.host,
      this.client.send(new GetDownloadUrlForLayerCommand({ repositoryName, layerDigest })),
    );
    const answer = await fetch(downloadUrl, { headers: { range: `bytes=${from}-${to - 1}` }, signal: AbortSignal.timeout(WAIT_MS) });
    // The address is signed for one object; without 206 its range was not kept.
    if (answer.body === null || !(answer.status === 206 || (answer.status === 200 && from === 0)))
      throw new TransientStoreError(`registry ${this.host}: HTTP ${answer.status} for a layer`);
    return answer.body as unknown as AsyncIterable<Uint8Array>;
  }
}

function noRepository(error: unknown): null {
  if (isNamed(error, 'RepositoryNotFoundException', 'ImageNotFoundException')) return null;
  throw error;
}
