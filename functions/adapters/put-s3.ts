/** Objects that are replaced whole, again and again: derived documents only, never what anything is decided by. */
import { GetObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { awsError, statusOf } from './aws.ts';

/** Errors: TransientStoreError, KashiError store_unsuitable. */
export async function replaceObject(client: S3Client, bucket: string, key: string, body: string): Promise<void> {
  const input = { Bucket: bucket, Key: key, Body: body, ContentType: 'application/json' };
  await client.send(new PutObjectCommand(input)).catch((error: unknown) => {
    throw awsError(error, `s3://${bucket}/${key}`);
  });
}

/** Text of an object, or null when there is none. Errors: as replaceObject. */
export async function objectText(client: S3Client, bucket: string, key: string): Promise<string | null> {
  try {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    return (await Body?.transformToString()) ?? '';
  } catch (error) {
    if (statusOf(error) === 404) return null;
    throw awsError(error, `s3://${bucket}/${key}`);
  }
}
