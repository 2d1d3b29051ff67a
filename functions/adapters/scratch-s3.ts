/** Scratch folders of one session in a bucket. */
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { DeleteObjectCommand, PutObjectCommand, S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { awsError, hasOwnEndpoint } from './aws.ts';
import { parseS3Place, s3Url } from './s3-place.ts';
import type { EngineScratch } from './sql-service.ts';

/** Below `url`. What may not be deleted is left: a lifecycle rule on the prefix takes it. */
export function bucketScratch(url: string, client: S3ClientConfig = {}): EngineScratch {
  const { bucket, prefix } = parseS3Place(url);
  const s3 = new S3Client({ forcePathStyle: hasOwnEndpoint(), maxAttempts: 5, ...client });
  const session = `session-${randomUUID()}`;
  const keys: string[] = [];
  return {
    async put(name, file) {
      const folder = `${prefix}${session}/${name}-${keys.length}`;
      const Key = `${folder}/rows.parquet`;
      try {
        await s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body: createReadStream(file), ContentLength: (await stat(file)).size }));
      } catch (error) {
        throw awsError(error, s3Url({ bucket, prefix: '' }, Key));
      }
      keys.push(Key);
      return s3Url({ bucket, prefix: '' }, folder);
    },
    async remove() {
      await Promise.allSettled(keys.map(async (Key) => await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key }))));
      s3.destroy();
    },
  };
}
