/** What the AWS clients share: where they call, and what their errors mean for a person. */
import { KashiError } from '../domain/errors.ts';
import { TransientStoreError } from '../ports.ts';

/** An S3-compatible store at an address of its own (MinIO, an emulator) knows buckets by path, not by host name. */
export function hasOwnEndpoint(env: Readonly<Record<string, string | undefined>> = process.env): boolean {
  return (env.AWS_ENDPOINT_URL_S3 ?? env.AWS_ENDPOINT_URL ?? '') !== '';
}

/** HTTP status of a failed call; null when no answer came. */
export function statusOf(error: unknown): number | null {
  const metadata = (error as { $metadata?: { httpStatusCode?: number } }).$metadata;
  return metadata?.httpStatusCode ?? null;
}

const CREDENTIALS_HINT =
  'set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role is given (aws sts get-caller-identity shows who you are)';

/** Error names that no second try mends → what to tell. */
const TO_MEND: Readonly<Record<string, readonly [message: string, hint: string]>> = {
  CredentialsProviderError: ['there are no AWS credentials', CREDENTIALS_HINT],
  ExpiredToken: ['the AWS credentials have expired', CREDENTIALS_HINT],
  ExpiredTokenException: ['the AWS credentials have expired', CREDENTIALS_HINT],
  TokenProviderError: ['the AWS sign-in has expired', 'aws sso login'],
  InvalidAccessKeyId: ['the AWS access key is unknown', CREDENTIALS_HINT],
  InvalidClientTokenId: ['the AWS access key is unknown', CREDENTIALS_HINT],
  UnrecognizedClientException: ['the AWS access key is unknown', CREDENTIALS_HINT],
  SignatureDoesNotMatch: ['the AWS secret key does not belong to the access key', CREDENTIALS_HINT],
  RequestTimeTooSkewed: ['the clock of this machine is wrong', 'set it by NTP'],
  NoSuchBucket: ['there is no such bucket', 'name an existing bucket: s3://bucket/prefix'],
  PermanentRedirect: ['the bucket is in another region', 'set AWS_REGION to the region of the bucket'],
  AuthorizationHeaderMalformed: ['the bucket is in another region', 'set AWS_REGION to the region of the bucket'],
};

/**
 * What a failed call means: KashiError store_unsuitable for what somebody must mend (credentials, rights, bucket, region), else
 * TransientStoreError: no answer, a throttle or a fault of the service, after which the outcome is unknown.
 */
export function awsError(error: unknown, where: string): KashiError | TransientStoreError {
  if (error instanceof KashiError || error instanceof TransientStoreError) return error;
  const { name = 'Error', message = String(error) } = error as Partial<Error>;
  const mend = /region is missing|region not accepted/i.test(message)
    ? (['no AWS region is set', 'set AWS_REGION, such as cn-north-1'] as const)
    : TO_MEND[name];
  const found = `${name}: ${message}`;
  if (mend !== undefined) return new KashiError('store_unsuitable', mend[0], { where, found, hint: mend[1] }, { cause: error });
  const status = statusOf(error);
  if (status === 403 || name === 'AccessDenied' || name === 'AccessDeniedException') {
    const hint =
      'the role in use needs the right for this call; on a bucket also s3:ListBucket, without which a missing object looks forbidden';
    return new KashiError('store_unsuitable', 'AWS refuses the call', { where, found, hint }, { cause: error });
  }
  return new TransientStoreError(`${where}: ${found}`, { cause: error });
}
