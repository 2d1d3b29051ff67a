/** Landed objects in a bucket. Read-only; an upload to S3 is whole when it is seen, so nothing here grows. */
import {
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3';
import { KashiError } from '../domain/errors.ts';
import { type LandedObject, TransientStoreError } from '../ports.ts';
import { awsError, hasOwnEndpoint, statusOf } from './aws.ts';
import { isUnfinishedName } from './landing-local.ts';
import { type S3Place, s3Url } from './s3-place.ts';

export interface S3LandingOptions {
  readonly bucket: string;
  /** Names are relative to it: '' or ends with '/'. */
  readonly root: string;
  /** Over the SDK's own search for region, credentials and endpoint. */
  readonly client?: S3ClientConfig;
}

export interface S3Landing {
  /** Objects under a prefix of the bucket, in key order. Folder markers and unfinished names (isUnfinishedName) are left alone. */
  list(prefix: string): AsyncIterable<LandedObject>;
  /** One object by its key; of one version when the bucket keeps versions and it is named. Null when there is none. */
  object(key: string, versionId?: string): Promise<LandedObject | null>;
  close(): void;
}

/** What names the bytes of an object: its key may get others, its tag or version cannot. */
interface Named {
  readonly Bucket: string;
  readonly Key: string;
  readonly IfMatch?: string;
  readonly VersionId?: string;
}

/** Times that a download which broke off goes on from where it was. */
const RESUMPTIONS = 8;

/** Errors: KashiError store_unsuitable for what somebody must mend, TransientStoreError; an object's as LandedObject says. */
export function s3Landing({ bucket, root, client }: S3LandingOptions): S3Landing {
  const s3 = new S3Client({ forcePathStyle: hasOwnEndpoint(), maxAttempts: 5, ...client });

  function landed(named: Named, bytes: number, modified: Date | undefined): LandedObject {
    const name = named.Key.startsWith(root) ? named.Key.slice(root.length) : named.Key;
    // Whole seconds: a listing and a head say the same.
    const lastModifiedMs = Math.floor((modified?.getTime() ?? 0) / 1000) * 1000;
    return { name, bytes, lastModifiedMs, open: () => download(s3, named, bytes) };
  }

  return {
    async *list(prefix) {
      let token: string | undefined;
      do {
        const page = await pageOf(s3, { bucket, prefix }, token);
        for (const { Key = '', Size = 0, LastModified, ETag } of page.Contents ?? []) {
          if (Key.endsWith('/') || Key.slice(prefix.length).split('/').some(isUnfinishedName)) continue;
          yield landed({ Bucket: bucket, Key, ...(ETag === undefined ? {} : { IfMatch: ETag }) }, Size, LastModified);
        }
        token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
      } while (token !== undefined);
    },

    async object(key, versionId) {
      const named = { Bucket: bucket, Key: key, ...(versionId === undefined ? {} : { VersionId: versionId }) };
      try {
        const { ContentLength = 0, LastModified, ETag } = await s3.send(new HeadObjectCommand(named));
        return landed({ ...named, ...(ETag === undefined ? {} : { IfMatch: ETag }) }, ContentLength, LastModified);
      } catch (error) {
        if (statusOf(error) === 404) return null;
        throw awsError(error, s3Url({ bucket, prefix: '' }, key));
      }
    },

    close: () => s3.destroy(),
  };
}

async function pageOf(s3: S3Client, place: S3Place, token: string | undefined): Promise<ListObjectsV2CommandOutput> {
  try {
    const more = token === undefined ? {} : { ContinuationToken: token };
    return await s3.send(new ListObjectsV2Command({ Bucket: place.bucket, Prefix: place.prefix, ...more }));
  } catch (error) {
    throw awsError(error, s3Url(place));
  }
}

/** The object's bytes from the start. A connection that breaks is taken up again at the byte where it broke. */
async function* download(s3: S3Client, named: Named, bytes: number): AsyncGenerator<Uint8Array> {
  const where = s3Url({ bucket: named.Bucket, prefix: '' }, named.Key);
  let at = 0;
  for (let left = RESUMPTIONS; at < bytes; left -= 1) {
    try {
      const range = at === 0 ? {} : { Range: `bytes=${at}-` };
      const { Body } = await s3.send(new GetObjectCommand({ ...named, ...range }));
      for await (const chunk of (Body ?? []) as AsyncIterable<Uint8Array>) {
        at += chunk.length;
        yield chunk;
      }
      if (at >= bytes) break;
      throw new TransientStoreError(`${where}: ${at} of ${bytes} bytes came`);
    } catch (error) {
      const known = downloadError(error, where);
      if (known instanceof KashiError || left <= 0) throw known;
    }
  }
  if (at !== bytes) throw changed(where, `${at} bytes, where ${bytes} were listed`);
}

function downloadError(error: unknown, where: string): Error {
  const status = statusOf(error);
  if (status === 404 && (error as Error).name !== 'NoSuchBucket')
    return new KashiError('gone', 'an object has gone since it was listed', { where }, { cause: error });
  if (status === 412) return changed(where, 'other bytes');
  return awsError(error, where);
}

function changed(where: string, found: string): KashiError {
  return new KashiError('conflict', 'an object changed while it was read', {
    where,
    allowed: 'the bytes that were listed',
    found,
    hint: 'ingest it again',
  });
}
