/** An object store in a bucket. One request decides: a PutObject with `If-None-Match: *` makes the whole object appear, or fails because the key is taken. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  type HeadObjectOutput,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3';
import { PREFIX } from '../contract.ts';
import { KashiError } from '../domain/errors.ts';
import { type ObjectBody, type ObjectInfo, type ObjectStore, TransientStoreError } from '../ports.ts';
import { awsError, hasOwnEndpoint, statusOf } from './aws.ts';
import { localCopies } from './local-copies.ts';
import { checkDeletable, checkKey, checkPrefix, isKey } from './object-key.ts';
import { type S3Place, s3Url } from './s3-place.ts';

export interface S3StoreOptions extends S3Place {
  /** Local folder for copies of objects; several processes may share it. */
  readonly workDirectory: string;
  /** Over the SDK's own search for region, credentials and endpoint (AWS_REGION, AWS_PROFILE, AWS_ENDPOINT_URL_S3 …). */
  readonly client?: S3ClientConfig;
  /** Keys asked for in one page of a listing. */
  readonly pageKeys?: number;
}

export interface S3Store extends ObjectStore {
  /** Closes the connections. */
  close(): void;
}

/** One PutObject takes so much; a Parquet file of kashi is far smaller. */
const LARGEST_PUT_BYTES = 5 * 1024 ** 3;
/** Tries of a put that met another one under way (409), which decides nothing. */
const CONFLICT_TRIES = 8;
const READ_TRIES = 5;
const LONGEST_PAUSE_MS = 5000;

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

/**
 * The store under `prefix` of a bucket. S3 dates objects by whole seconds, so `lastModifiedMs` is the end of that second: never before the write.
 * Keys are flat here: one may be an object and the beginning of others.
 * Errors: as ObjectStore says; KashiError store_unsuitable for what somebody must mend (credentials, rights, bucket, region).
 */
export function s3Store(options: S3StoreOptions): S3Store {
  const { bucket, prefix, pageKeys } = options;
  const config = { forcePathStyle: hasOwnEndpoint(), ...options.client };
  const reads = new S3Client({ ...config, maxAttempts: READ_TRIES });
  // A second try of the SDK would hide what became of the first. Silent, because a taken key is an answer to us and a warning to it.
  const writes = new S3Client({ ...config, maxAttempts: 1, logger: SILENT });
  const copies = localCopies(options.workDirectory);
  const place = (key: string): { Bucket: string; Key: string } => ({ Bucket: bucket, Key: objectKey(prefix, key) });
  const where = (key: string): string => s3Url({ bucket, prefix }, key);
  /** Puts in a row that came to nothing: the next one waits longer. */
  let failures = 0;

  async function send(key: string, body: ObjectBody): Promise<'created' | 'exists' | 'conflict'> {
    const sent = body instanceof Uint8Array ? { Body: body, ...(await bytesSums(body)) } : await fileBody(body.file);
    try {
      const Metadata = { [OWN_SUM]: Buffer.from(sent.ChecksumSHA256, 'base64').toString('hex') };
      await writes.send(new PutObjectCommand({ ...place(key), ...sent, Metadata, IfNoneMatch: '*' }));
      return 'created';
    } catch (error) {
      if (statusOf(error) === 412) return 'exists';
      if (statusOf(error) === 409) return 'conflict';
      throw error;
    } finally {
      if (!(sent.Body instanceof Uint8Array)) sent.Body.destroy();
    }
  }

  async function put(key: string, body: ObjectBody): Promise<'created' | 'exists'> {
    for (let tries = 1; tries <= CONFLICT_TRIES; tries += 1) {
      const outcome = await send(key, body);
      if (outcome !== 'conflict') return outcome;
      await pause(tries);
    }
    throw new TransientStoreError(`${where(key)}: another write is under way`);
  }

  async function headOf(key: string): Promise<HeadObjectOutput | null> {
    return await orNull(where(key), () => reads.send(new HeadObjectCommand({ ...place(key), ChecksumMode: 'ENABLED' })));
  }

  async function localFile(key: string, head: HeadObjectOutput): Promise<string> {
    const wanted = { name: `${bucket}/${prefix}${key}`, bytes: head.ContentLength ?? 0, sha256: sha256Of(head), tag: head.ETag ?? '' };
    return await copies.file(wanted, where(key), async () => {
      const answer = await orNull(where(key), () => reads.send(new GetObjectCommand(place(key))));
      if (answer?.Body === undefined) throw missing(where(key));
      return answer.Body as Readable;
    });
  }

  return {
    async putIfAbsent(key, body) {
      checkKey(key);
      try {
        const outcome = await put(key, body);
        failures = 0;
        return outcome;
      } catch (error) {
        const known = isMissingFile(error) ? missingFile(where(key), error) : awsError(error, where(key));
        // Whoever reads the key back and tries again does so at once: the pause is ours to make.
        if (known instanceof TransientStoreError) {
          failures += 1;
          await pause(failures);
        }
        throw known;
      }
    },

    async get(key) {
      checkKey(key);
      if (key.startsWith(PREFIX.data)) {
        // Large, immutable and needed again as a local file: fetched once.
        const head = await headOf(key);
        return head === null ? null : new Uint8Array(await readFile(await localFile(key, head)));
      }
      return await orNull(where(key), async () => {
        const { Body } = await reads.send(new GetObjectCommand(place(key)));
        return (await Body?.transformToByteArray()) ?? new Uint8Array();
      });
    },

    async head(key) {
      checkKey(key);
      const head = await headOf(key);
      return head === null ? null : infoOf(key, head.ContentLength, head.LastModified);
    },

    async *list(under, after) {
      checkPrefix(under);
      let token: string | undefined;
      do {
        const page: ListObjectsV2CommandOutput = await asKnown(where(under), () =>
          reads.send(
            new ListObjectsV2Command({
              Bucket: bucket,
              Prefix: prefix + under,
              ...(after === undefined ? {} : { StartAfter: prefix + after }),
              ...(token === undefined ? {} : { ContinuationToken: token }),
              ...(pageKeys === undefined ? {} : { MaxKeys: pageKeys }),
            }),
          ),
        );
        for (const { Key = '', Size, LastModified } of page.Contents ?? []) {
          const key = Key.slice(prefix.length);
          // Folder markers of other tools, and whatever else kashi cannot have written.
          if (isKey(key)) yield infoOf(key, Size, LastModified);
        }
        token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
      } while (token !== undefined);
    },

    async delete(key) {
      checkDeletable(key);
      await asKnown(where(key), () => reads.send(new DeleteObjectCommand(place(key))));
    },

    async localFile(key) {
      checkKey(key);
      const head = await headOf(key);
      if (head === null) throw missing(where(key));
      return await localFile(key, head);
    },

    close() {
      reads.destroy();
      writes.destroy();
    },
  };
}

function objectKey(prefix: string, key: string): string {
  const whole = prefix + key;
  if (whole.length <= 1024) return whole;
  throw new KashiError('usage', 'object key refused', {
    allowed: 'at most 1,024 characters with the prefix of the warehouse',
    found: JSON.stringify(whole.slice(0, 200)),
  });
}

function infoOf(key: string, bytes: number | undefined, modified: Date | undefined): ObjectInfo {
  const second = Math.floor((modified?.getTime() ?? 0) / 1000);
  return { key, bytes: bytes ?? 0, lastModifiedMs: second * 1000 + 999 };
}

/** What a store that keeps no checksums gives back all the same. */
const OWN_SUM = 'kashi-sha256';

/** Hexadecimal; null for an object that kashi did not write and of which the service kept none. */
function sha256Of({ ChecksumSHA256: sum, ChecksumType, Metadata }: HeadObjectOutput): string | null {
  if (sum !== undefined && ChecksumType !== 'COMPOSITE') return Buffer.from(sum, 'base64').toString('hex');
  return Metadata?.[OWN_SUM] ?? null;
}

async function bytesSums(bytes: Uint8Array): Promise<{ ContentLength: number; ChecksumSHA256: string }> {
  return { ContentLength: bytes.length, ChecksumSHA256: createHash('sha256').update(bytes).digest('base64') };
}

/** A finished file is read twice, for its sum and on its way out, and never held in memory. Errors: those of the disk; KashiError usage when it is too large. */
async function fileBody(file: string): Promise<{ Body: Readable; ContentLength: number; ChecksumSHA256: string }> {
  const { size } = await stat(file);
  if (size > LARGEST_PUT_BYTES)
    throw new KashiError('usage', 'the file is too large for one object', {
      where: file,
      allowed: `${LARGEST_PUT_BYTES} bytes`,
      found: `${size}`,
    });
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return { Body: createReadStream(file), ContentLength: size, ChecksumSHA256: hash.digest('base64') };
}

async function asKnown<T>(where: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw awsError(error, where);
  }
}

async function orNull<T>(where: string, act: () => Promise<T>): Promise<T | null> {
  try {
    return await act();
  } catch (error) {
    if (statusOf(error) === 404 && (error as Error).name !== 'NoSuchBucket') return null;
    throw awsError(error, where);
  }
}

function missing(where: string): KashiError {
  return new KashiError('store_corrupt', 'the object is missing', { where });
}

function isMissingFile(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function missingFile(where: string, cause: unknown): KashiError {
  return new KashiError(
    'not_found',
    'a file or folder that the write needs is missing',
    { where, found: (cause as Error).message },
    { cause },
  );
}

/** Longer after each failure in a row, and never the same for two writers. */
async function pause(failures: number): Promise<void> {
  await wait(Math.random() * Math.min(LONGEST_PAUSE_MS, 50 * 2 ** Math.min(failures, 10)));
}
