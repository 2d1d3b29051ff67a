/** An ECR endpoint on loopback for the SDK's real client: JSON 1.1, typed errors, parts in order, immutable tags, layers before manifests. */
import { createHash } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { TestContext } from 'node:test';
import { ECRClient } from '@aws-sdk/client-ecr';

type Fields = Record<string, unknown>;

interface Repository {
  readonly layers: Map<string, Buffer>;
  readonly images: Map<string, { manifest: string; mediaType: string }>;
  readonly tags: Map<string, string>;
}

class Refused extends Error {
  readonly type: string;

  constructor(type: string, message = type) {
    super(message);
    this.type = type;
  }
}

const sha256 = (bytes: Buffer | string): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const listOf = (value: unknown): Fields[] => (Array.isArray(value) ? (value as Fields[]) : []);

export class EcrEndpoint {
  readonly repositories = new Map<string, Repository>();
  readonly calls: string[] = [];
  /** What the next call of an operation answers instead: an error type, or a status code. */
  readonly faults = new Map<string, string[]>();
  /** Answers of operations that only report. */
  readonly reports: Record<string, unknown> = {};
  readonly uploads = new Map<string, Buffer[]>();
  readonly minPartBytes: number;
  rules: unknown = { rules: [] };
  readonly templates: Fields[] = [];
  readonly backfills: Fields[] = [];
  url = '';

  constructor(minPartBytes: number) {
    this.minPartBytes = minPartBytes;
  }

  perform(operation: string, input: Fields): unknown {
    const act = this.operations[operation];
    if (act === undefined) throw new Refused('UnknownOperationException');
    return act(input);
  }

  private repository({ repositoryName }: Fields): Repository {
    const found = this.repositories.get(String(repositoryName));
    if (found === undefined) throw new Refused('RepositoryNotFoundException');
    return found;
  }

  private readonly operations: Readonly<Record<string, (input: Fields) => unknown>> = {
    CreateRepository: ({ repositoryName, imageTagMutability }) => {
      if (this.repositories.has(String(repositoryName))) throw new Refused('RepositoryAlreadyExistsException');
      if (imageTagMutability !== 'IMMUTABLE') throw new Refused('InvalidParameterException');
      this.repositories.set(String(repositoryName), { layers: new Map(), images: new Map(), tags: new Map() });
      return { repository: { repositoryName } };
    },
    BatchCheckLayerAvailability: (input) => {
      const { layers } = this.repository(input);
      const digests = (input['layerDigests'] as string[]) ?? [];
      return {
        layers: digests.flatMap((layerDigest) =>
          layers.has(layerDigest) ? [{ layerDigest, layerAvailability: 'AVAILABLE', layerSize: layers.get(layerDigest)?.length }] : [],
        ),
        failures: digests.flatMap((layerDigest) => (layers.has(layerDigest) ? [] : [{ layerDigest, failureCode: 'MissingLayerDigest' }])),
      };
    },
    InitiateLayerUpload: (input) => {
      this.repository(input);
      const uploadId = `upload-${this.uploads.size}`;
      this.uploads.set(uploadId, []);
      return { uploadId, partSize: 20_971_520 };
    },
    UploadLayerPart: ({ uploadId, partFirstByte, partLastByte, layerPartBlob }) => {
      const parts = this.uploads.get(String(uploadId));
      if (parts === undefined) throw new Refused('UploadNotFoundException');
      const part = Buffer.from(String(layerPartBlob), 'base64');
      const at = parts.reduce((sum, { length }) => sum + length, 0);
      if (partFirstByte !== at || partLastByte !== at + part.length - 1) throw new Refused('InvalidLayerPartException');
      parts.push(part);
      return { uploadId, lastByteReceived: partLastByte };
    },
    CompleteLayerUpload: (input) => {
      const { layers } = this.repository(input);
      const parts = this.uploads.get(String(input['uploadId']));
      const [layerDigest = ''] = (input['layerDigests'] as string[]) ?? [];
      if (parts === undefined) throw new Refused('UploadNotFoundException');
      if (parts.slice(0, -1).some(({ length }) => length < this.minPartBytes)) throw new Refused('LayerPartTooSmallException');
      const bytes = Buffer.concat(parts);
      if (sha256(bytes) !== layerDigest) throw new Refused('InvalidLayerException');
      if (layers.has(layerDigest)) throw new Refused('LayerAlreadyExistsException');
      layers.set(layerDigest, bytes);
      return { layerDigest };
    },
    GetDownloadUrlForLayer: (input) => {
      const layerDigest = String(input['layerDigest']);
      if (!this.repository(input).layers.has(layerDigest)) throw new Refused('LayersNotFoundException');
      return { downloadUrl: `${this.url}/layer?repository=${input['repositoryName']}&digest=${layerDigest}`, layerDigest };
    },
    PutImage: (input) => {
      const { layers, images, tags } = this.repository(input);
      const manifest = String(input['imageManifest']);
      const digest = sha256(manifest);
      if (input['imageDigest'] !== undefined && input['imageDigest'] !== digest) throw new Refused('ImageDigestDoesNotMatchException');
      const { config, layers: listed = [] } = JSON.parse(manifest) as { config?: Fields; layers?: Fields[] };
      const missing = [...(config === undefined ? [] : [config]), ...listed].find(({ digest: one }) => !layers.has(String(one)));
      if (missing !== undefined) throw new Refused('LayersNotFoundException', `layers with digests '${missing['digest']}' not found`);
      const tag = input['imageTag'] === undefined ? null : String(input['imageTag']);
      if (tag !== null && tags.has(tag))
        throw new Refused(tags.get(tag) === digest ? 'ImageAlreadyExistsException' : 'ImageTagAlreadyExistsException');
      if (tag === null && images.has(digest)) throw new Refused('ImageAlreadyExistsException');
      images.set(digest, { manifest, mediaType: String(input['imageManifestMediaType']) });
      if (tag !== null) tags.set(tag, digest);
      return { image: { imageId: { imageDigest: digest } } };
    },
    BatchGetImage: (input) => {
      const { images, tags } = this.repository(input);
      const [{ imageTag, imageDigest } = {}] = listOf(input['imageIds']);
      const digest = String(imageDigest ?? tags.get(String(imageTag)) ?? '');
      const found = images.get(digest);
      if (found === undefined) return { images: [], failures: [{ failureCode: 'ImageNotFound' }] };
      return {
        images: [{ imageId: { imageDigest: digest }, imageManifest: found.manifest, imageManifestMediaType: found.mediaType }],
        failures: [],
      };
    },
    ListImageReferrers: (input) => {
      const subject = (input['subjectId'] as Fields)['imageDigest'];
      const wanted = ((input['filter'] as Fields | undefined)?.['artifactTypes'] as string[] | undefined) ?? null;
      const all = [...this.repository(input).images].flatMap(([digest, { manifest, mediaType }]) => {
        const { subject: about, artifactType } = JSON.parse(manifest) as { subject?: Fields; artifactType?: string };
        const fits = about?.['digest'] === subject && (wanted === null || wanted.includes(artifactType ?? ''));
        return fits ? [{ digest, mediaType, artifactType, size: Buffer.byteLength(manifest), artifactStatus: 'ACTIVE' }] : [];
      });
      // One a page, so that whoever stops after the first page is found out.
      const at = Number(input['nextToken'] ?? 0);
      return { referrers: all.slice(at, at + 1), ...(at + 1 < all.length ? { nextToken: String(at + 1) } : {}) };
    },
    DescribeRegistry: () => ({ registryId: '123456789012', replicationConfiguration: this.rules }),
    PutReplicationConfiguration: ({ replicationConfiguration }) => {
      this.rules = replicationConfiguration;
      return { replicationConfiguration };
    },
    DescribeRepositoryCreationTemplates: ({ prefixes }) => {
      const found = this.templates.filter(({ prefix }) => (prefixes as unknown[]).includes(prefix));
      if (found.length === 0) throw new Refused('TemplateNotFoundException');
      return { repositoryCreationTemplates: found };
    },
    CreateRepositoryCreationTemplate: (input) => {
      this.templates.push(input);
      return { repositoryCreationTemplate: input };
    },
    StartReplicationBackfill: ({ destination }) => {
      const { region } = destination as Fields;
      const running = this.backfills.filter(({ status }) => status === 'PREPARING' || status === 'IN_PROGRESS');
      if (running.some((one) => (one['destination'] as Fields)['region'] === region))
        throw new Refused('ReplicationBackfillInProgressException');
      if (running.length >= 10) throw new Refused('LimitExceededException');
      const replicationBackfillId = `backfill-${this.backfills.length}`;
      this.backfills.push({ replicationBackfillId, destination, status: 'PREPARING', startedAt: 1_795_161_600 });
      return { replicationBackfillId, destination, status: 'PREPARING', startedAt: 1_795_161_600 };
    },
    ListReplicationBackfills: () => ({ backfills: this.backfills }),
    DescribeReplicationBackfillResults: ({ replicationBackfillId }) => {
      const found = this.backfills.find((one) => one['replicationBackfillId'] === replicationBackfillId);
      if (found === undefined) throw new Refused('ReplicationBackfillNotFoundException');
      return { ...found, results: [] };
    },
    DescribeImageReplicationStatus: () => this.reports['DescribeImageReplicationStatus'],
    DescribeImageSigningStatus: () => this.reports['DescribeImageSigningStatus'],
    DescribeImageScanFindings: () => {
      if (this.reports['DescribeImageScanFindings'] === undefined) throw new Refused('ScanNotFoundException');
      return this.reports['DescribeImageScanFindings'];
    },
  };
}

/** Starts an endpoint; `minPartBytes`: what AWS sets at 5 MiB. */
export async function startEcr(
  t: TestContext | { after(stop: () => void): void },
  minPartBytes = 5 * 1024 * 1024,
): Promise<{ endpoint: EcrEndpoint; client: ECRClient }> {
  const endpoint = new EcrEndpoint(minPartBytes);
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'http://ecr.test');
      if (url.pathname === '/layer') layer(endpoint, url, request.headers.range, response);
      else call(endpoint, String(request.headers['x-amz-target']), Buffer.concat(chunks), response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  endpoint.url = `http://127.0.0.1:${address.port}`;
  const client = new ECRClient({
    endpoint: endpoint.url,
    region: 'eu-west-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  });
  t.after(() => {
    client.destroy();
    server.closeAllConnections();
    server.close();
  });
  return { endpoint, client };
}

function call(endpoint: EcrEndpoint, target: string, body: Buffer, response: ServerResponse): void {
  const operation = target.replace('AmazonEC2ContainerRegistry_V20150921.', '');
  endpoint.calls.push(operation);
  const fault = endpoint.faults.get(operation)?.shift();
  const answer = (status: number, value: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(value));
  };
  try {
    if (fault !== undefined && /^\d+$/.test(fault)) answer(Number(fault), { __type: 'ServerException', message: 'injected' });
    else if (fault !== undefined) answer(400, { __type: fault, message: 'injected' });
    else answer(200, endpoint.perform(operation, JSON.parse(body.toString('utf8')) as Fields));
  } catch (error) {
    if (error instanceof Refused) answer(400, { __type: error.type, message: error.message });
    else answer(500, { __type: 'ServerException', message: String(error) });
  }
}

function layer(endpoint: EcrEndpoint, url: URL, range: string | undefined, response: ServerResponse): void {
  const bytes = endpoint.repositories.get(url.searchParams.get('repository') ?? '')?.layers.get(url.searchParams.get('digest') ?? '');
  if (bytes === undefined) {
    response.writeHead(404).end();
    return;
  }
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
  if (from === undefined) response.writeHead(200).end(bytes);
  else response.writeHead(206).end(bytes.subarray(Number(from), Number(to) + 1));
}
