/** Names of landed objects in a bucket, of the last days only: a listing then costs what came in lately, not what was kept. */
import { ListObjectsV2Command, type ListObjectsV2CommandOutput, type S3Client } from '@aws-sdk/client-s3';
import type { LandedObject } from '../ports.ts';
import { awsError } from './aws.ts';

/** What a listing says of a landed object. */
export type ListedObject = Pick<LandedObject, 'name' | 'bytes' | 'lastModifiedMs'>;

const DAY_FOLDER = /(?:^|\/)(\d{4})\/(?:(\d{2})\/(?:(\d{2})\/)?)?$/;

/**
 * Objects of the bucket. With `sinceDay` (yyyy-mm-dd, UTC), folders of earlier days (…/yyyy/mm/dd/) are passed over; objects in other folders are
 * always listed. Null: everything. Errors: those of awsError.
 */
export async function* listLandedDays(client: S3Client, bucket: string, sinceDay: string | null): AsyncGenerator<ListedObject> {
  const folders = [''];
  for (let folder = folders.shift(); folder !== undefined; folder = folders.shift()) {
    let token: string | undefined;
    do {
      const page = await pageOf(client, bucket, folder, sinceDay !== null, token);
      for (const { Key: name = '', Size: bytes = 0, LastModified: modified } of page.Contents ?? [])
        if (!name.endsWith('/')) yield { name, bytes, lastModifiedMs: wholeSecond(modified) };
      for (const { Prefix: inner = '' } of page.CommonPrefixes ?? []) if (isRecent(inner, sinceDay)) folders.push(inner);
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }
}

/** A listing and a head say the same second. */
function wholeSecond(modified: Date | undefined): number {
  return Math.floor((modified?.getTime() ?? 0) / 1000) * 1000;
}

/** False for a folder of a year, month or day that ended before `sinceDay`. Example: ('gw/2026/09/', '2026-10-05') → false. */
export function isRecent(folder: string, sinceDay: string | null): boolean {
  const [, year, month, day] = DAY_FOLDER.exec(folder) ?? [];
  if (sinceDay === null || year === undefined) return true;
  return [year, month ?? '99', day ?? '99'].join('-') >= sinceDay;
}

async function pageOf(
  client: S3Client,
  bucket: string,
  folder: string,
  byFolder: boolean,
  token: string | undefined,
): Promise<ListObjectsV2CommandOutput> {
  const more = { ...(byFolder ? { Delimiter: '/' } : {}), ...(token === undefined ? {} : { ContinuationToken: token }) };
  try {
    return await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: folder, ...more }));
  } catch (error) {
    throw awsError(error, `s3://${bucket}/${folder}`);
  }
}
