/** `s3://bucket/prefix` as a person writes it. */
import { KashiError } from '../domain/errors.ts';
import { checkPrefix } from './object-key.ts';

export interface S3Place {
  readonly bucket: string;
  /** '' or ends with '/'. */
  readonly prefix: string;
}

const SCHEME = 's3://';
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

export function isS3Url(text: string): boolean {
  return text.startsWith(SCHEME);
}

/** Example: 's3://acme-kashi/prod' → { bucket: 'acme-kashi', prefix: 'prod/' }. Errors: KashiError usage. */
export function parseS3Place(url: string): S3Place {
  const [, bucket = '', path = ''] = /^s3:\/\/([^/]*)\/?(.*)$/s.exec(url) ?? [];
  if (!BUCKET.test(bucket)) {
    throw new KashiError('usage', 'not a place in S3', {
      where: url,
      allowed: 's3://bucket or s3://bucket/prefix',
      found: JSON.stringify(bucket),
    });
  }
  const prefix = path === '' || path.endsWith('/') ? path : `${path}/`;
  checkPrefix(prefix);
  return { bucket, prefix };
}

export function s3Url({ bucket, prefix }: S3Place, key = ''): string {
  return `${SCHEME}${bucket}/${prefix}${key}`;
}
