/** Names and documents of OCI images, as far as kashi writes and reads them. Source: opencontainers/image-spec 1.1. */
import { KashiError } from './errors.ts';

export const MEDIA = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  empty: 'application/vnd.oci.empty.v1+json',
} as const;

/** What a descriptor of `{}` is: the config of an artifact that needs none. */
export const EMPTY_BLOB = new TextEncoder().encode('{}');

export interface Descriptor {
  readonly mediaType: string;
  /** `sha256:<64 hex>`. */
  readonly digest: string;
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface ImageManifest {
  readonly schemaVersion: 2;
  readonly mediaType: string;
  readonly artifactType?: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  /** What this manifest is about: it is a referrer of it. */
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

const DIGEST = /^sha256:[0-9a-f]{64}$/;
const REPOSITORY = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

export function isDigest(text: string): boolean {
  return DIGEST.test(text);
}

export function isTag(text: string): boolean {
  return TAG.test(text);
}

export function isRepository(text: string): boolean {
  return text.length <= 255 && REPOSITORY.test(text);
}

export interface ImageReference {
  /** `host[:port]`. */
  readonly host: string;
  readonly repository: string;
  /** A tag or a digest. */
  readonly reference: string;
}

/**
 * Parts of `host/repository:tag` or `host/repository@sha256:…`.
 * Errors: KashiError usage. Example: '127.0.0.1:5101/staging-models/a@sha256:…' → host '127.0.0.1:5101', repository 'staging-models/a'.
 */
export function parseImageReference(text: string): ImageReference {
  const [, host = '', repository = '', digest, tag] = /^([^/]+)\/([^@:]+)(?:@(.+)|:(.+))$/.exec(text) ?? [];
  const reference = digest ?? tag ?? '';
  if (host !== '' && isRepository(repository) && (digest === undefined ? isTag(reference) : isDigest(reference)))
    return { host, repository, reference };
  throw new KashiError('usage', 'not an image reference', {
    allowed: 'host/repository@sha256:<64 hex> or host/repository:tag',
    found: text,
  });
}

/** Example: ('127.0.0.1:5102', 'production-models/a-service', 'sha256:…') → '127.0.0.1:5102/production-models/a-service@sha256:…'. */
export function imageReference(host: string, repository: string, reference: string): string {
  return `${host}/${repository}${isDigest(reference) ? '@' : ':'}${reference}`;
}
