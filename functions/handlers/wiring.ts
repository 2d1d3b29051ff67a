/** Environment → adapters. The only file of the deployed functions that knows AWS. */
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { S3Client } from '@aws-sdk/client-s3';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SQSClient } from '@aws-sdk/client-sqs';
import { hasOwnEndpoint } from '../adapters/aws.ts';
import { glueCatalog } from '../adapters/catalog-glue.ts';
import { listLandedDays } from '../adapters/landing-days-s3.ts';
import { s3Landing } from '../adapters/landing-s3.ts';
import { objectText, replaceObject } from '../adapters/put-s3.ts';
import { messagesIn, sendMessages } from '../adapters/queue-sqs.ts';
import { rememberedSegments } from '../adapters/remembered-segments.ts';
import { secretText } from '../adapters/secret.ts';
import { kmsPublicKey, kmsSigner } from '../adapters/signer-kms.ts';
import { s3Store } from '../adapters/store-s3.ts';
import { type Centre, openCentre, systemClock } from '../cli/wiring.ts';
import type { Hindrance } from '../close/gate.ts';
import type { Announced } from '../cloud/landed-message.ts';
import type { Publishing } from '../cloud/publish-tables.ts';
import { routedStore } from '../cloud/routed-store.ts';
import { BILLS_PREFIXES, ENV } from '../contract.ts';
import { KashiError } from '../domain/errors.ts';
import type { LandedObject, ObjectStore, Signer } from '../ports.ts';

/** The only folder that a function may write to. */
const WORK_DIRECTORY = join(tmpdir(), 'kashi');

const s3 = new S3Client({ forcePathStyle: hasOwnEndpoint() });
const sqs = new SQSClient({});

/** Errors: KashiError config_missing. */
export function setting(name: keyof typeof ENV): string {
  const value = process.env[ENV[name]] ?? '';
  if (value === '') throw new KashiError('config_missing', 'a setting of the function is missing', { where: `environment ${ENV[name]}` });
  return value;
}

function has(name: keyof typeof ENV): boolean {
  return (process.env[ENV[name]] ?? '') !== '';
}

function bucketStore(bucket: string): ObjectStore {
  return s3Store({ bucket, prefix: '', workDirectory: WORK_DIRECTORY });
}

/** Warehouse and bills as one store; functions without rights on one of the buckets do not name it. */
function store(): ObjectStore {
  const warehouse = rememberedSegments(bucketStore(setting('warehouseBucket')), `${WORK_DIRECTORY}/segments`);
  return has('billsBucket') ? routedStore(warehouse, bucketStore(setting('billsBucket')), BILLS_PREFIXES) : warehouse;
}

let opened: Promise<Centre> | null = null;

/** The centre as configured in the bundle, its objects in the buckets. Once per instance of a function. */
export function deployedCentre(): Promise<Centre> {
  opened ??= openDeployed().catch((error: unknown) => {
    opened = null;
    throw error;
  });
  return opened;
}

async function openDeployed(): Promise<Centre> {
  const centre = openCentre({ config: setting('config'), warehouse: WORK_DIRECTORY });
  const key = has('signingKey') ? setting('signingKey') : null;
  const signer: Signer | null = key === null ? null : kmsSigner(key, await kmsPublicKey(key));
  return {
    ...centre,
    store: store(),
    deployed: { signer, landed: () => landing.list(null), hindrances: deadLetters, engineMemory: setting('engineMemory') },
  };
}

/** Raw objects as their producers left them. */
export const landing = {
  /** Errors: KashiError gone. */
  open: async ({ key, versionId }: Announced): Promise<LandedObject> => {
    const object = await s3Landing({ bucket: setting('landingBucket'), root: '' }).object(key, versionId);
    if (object === null) throw new KashiError('gone', 'an object has gone since it was announced', { where: key });
    return object;
  },
  list: (sinceDay: string | null) => listLandedDays(s3, setting('landingBucket'), sinceDay),
  /** A place to deliver to. */
  store: () => bucketStore(setting('landingBucket')),
};

/** To any queue of the stage. */
export const post = (queue: 'intakeQueue' | 'rolloutQueue', body: string) => sendMessages(sqs, setting(queue), [body]);

export const announce = (bodies: readonly string[]) => sendMessages(sqs, setting('ingestQueue'), bodies);

async function deadLetters(): Promise<Hindrance[]> {
  const count = await messagesIn(sqs, setting('deadLetters'));
  if (count === 0) return [];
  return [
    { subject: 'queue:dead-letters', problem: `${count} announcements could not be ingested: RUNBOOK, dead letters`, waivable: false },
  ];
}

/** Derived documents, replaced whole. */
export const derived = {
  read: (key: string) => objectText(s3, setting('warehouseBucket'), key),
  replace: (key: string, document: unknown) => replaceObject(s3, setting('warehouseBucket'), key, `${JSON.stringify(document, null, 1)}\n`),
};

/** Tables of the catalog over the warehouse bucket. The engine is loaded when rows are written. */
export function publishing(): Publishing {
  return {
    catalog: glueCatalog(setting('catalog')),
    urlOf: (key) => `s3://${setting('warehouseBucket')}/${key}`,
    writeRows: async (name, columns, rows) => {
      const { writeParquet } = await import('../adapters/write-parquet.ts');
      const folder = join(WORK_DIRECTORY, '.tmp', 'publish');
      mkdirSync(folder, { recursive: true });
      const file = join(folder, `${name}.parquet`);
      await writeParquet(file, { columns, rows });
      return file;
    },
    digestOf: async (file) =>
      createHash('sha256')
        .update(await readFile(file))
        .digest('hex'),
  };
}

export const exports = () => bucketStore(setting('exportBucket'));

/** The warehouse bucket alone: models, releases, hooks and the fleet lie there. */
export const warehouse = () => bucketStore(setting('warehouseBucket'));

const secrets = new SecretsManagerClient({});

/** Text of the tokens that senders present. */
export const tokens = secretText(secrets, () => setting('tokensSecret'), systemClock);
export const hookSecrets = secretText(secrets, () => setting('hooksSecret'), systemClock);
export const fleetSecrets = secretText(secrets, () => setting('fleetSecret'), systemClock);

export { newAttempt as newId, systemClock } from '../cli/wiring.ts';
