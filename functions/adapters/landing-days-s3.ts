/** Landed objects in a bucket. Read-only; an object that a producer overwrote is read as the version that was announced. */
import { GetObjectCommand, HeadObjectCommand, ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3';
import { KashiError } from '../domain/errors.ts';
import type { LandedObject } from '../ports.ts';
import { awsError, statusOf } from './aws.ts';

/** One object as an event or a listing names it. */
export interface LandedReference {
  readonly key: string;
  /** Absent: the newest version. */
  readonly versionId?: string;
}

/** The object, its bytes not yet read. Errors: KashiError gone when there is none, store_unsuitable; TransientStoreError. */
export async function landedInBucket(client: S3Client, bucket: string, { key, versionId }: LandedReference): Promise<LandedObject> {
  const where = `s3://${bucket}/${key}`;
  const version = versionId === undefined ? {} : { VersionId: versionId };
  const found = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: key, ...version })).catch((error: unknown) => {
    throw orGone(error, where);
  });
  const { ContentLength: bytes = 0, LastModified: modified, VersionId: pinned = versionId } = found;
  // A store without versions says 'null' or nothing; the entity tag then shows that the object was replaced.
  const same = pinned === undefined || pinned === 'null' ? { IfMatch: found.ETag } : { VersionId: pinned };
  const open = async function* (): AsyncGenerator<Uint8Array> {
    if (bytes === 0) return;
    try {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key, ...same }));
      yield* Body as AsyncIterable<Uint8Array>;
    } catch (error) {
      throw orGone(error, where);
    }
  };
  return { name: key, bytes, lastModifiedMs: modified?.getTime() ?? 0, open };
}

function orGone(error: unknown, where: string): unknown {
  const status = statusOf(error);
  if (status === 404) return new KashiError('gone', 'an object has gone since it was announced', { where }, { cause: error });
  if (status === 412) return new KashiError('conflict', 'an object was replaced while it was read', { where }, { cause: error });
  return awsError(error, where);
}

/** What a listing says of a landed object. */
export type ListedObject = Pick<LandedObject, 'name' | 'bytes' | 'lastModifiedMs'>;

const DAY_FOLDER = /(?:^|\/)(\d{4})\/(?:(\d{2})\/(?:(\d{2})\/)?)?$/;

/**
 * Objects of the bucket by folder. With `sinceDay` (yyyy-mm-dd, UTC), folders of earlier days (…/yyyy/mm/dd/) are passed over, so that a listing
 * costs what came in lately, not what was kept; objects in other folders are always listed. Errors: those of the store.
 */
export async function* listLandedBucket(client: S3Client, bucket: string, sinceDay: string | null = null): AsyncGenerator<ListedObject> {
  const folders = [''];
  for (let folder = folders.shift(); folder !== undefined; folder = folders.shift()) {
    let token: string | undefined;
    do {
      const input = { Bucket: bucket, Prefix: folder, ContinuationToken: token, ...(sinceDay === null ? {} : { Delimiter: '/' }) };
      const page = await client.send(new ListObjectsV2Command(input)).catch((error: unknown) => {
        throw awsError(error, `s3://${bucket}/${folder}`);
      });
      for (const { Key: name = '', Size: bytes = 0, LastModified: modified } of page.Contents ?? [])
        if (!name.endsWith('/')) yield { name, bytes, lastModifiedMs: modified?.getTime() ?? 0 };
      for (const { Prefix: inner = '' } of page.CommonPrefixes ?? []) if (isRecent(inner, sinceDay)) folders.push(inner);
      token = page.NextContinuationToken;
    } while (token !== undefined);
  }
}

/** False for a folder of a year, month or day that ended before `sinceDay`. Example: ('gw/2026/09/', '2026-10-05') → false. */
export function isRecent(folder: string, sinceDay: string | null): boolean {
  const [, year, month, day] = DAY_FOLDER.exec(folder) ?? [];
  if (sinceDay === null || year === undefined) return true;
  const last = [year, month ?? '99', day ?? '99'].join('-');
  return last >= sinceDay;
}
