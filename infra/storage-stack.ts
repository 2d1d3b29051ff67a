/** Everything that must survive: raw logs, warehouse, bills, exports, and the keys. Deleting the stack leaves all of it. */
import { CfnOutput, Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import { AnyPrincipal, Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Key, KeySpec, KeyUsage } from 'aws-cdk-lib/aws-kms';
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  type BucketProps,
  type CfnBucket,
  ObjectLockRetention,
  ObjectOwnership,
} from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import { BILLS_PREFIXES, PREFIX, WRITE_ONCE_PREFIXES } from '../functions/contract.ts';
import type { BucketName } from './access.ts';
import { acknowledge } from './acknowledge.ts';
import type { StageConfig } from './config.ts';

export interface StorageStackProps extends StackProps {
  readonly config: StageConfig;
}

const YEAR_DAYS = 365;
/** A version that is no longer current is kept so long: time to notice a mistake. */
const UNDO_DAYS = 30;
/** What tables of the catalog read is made anew in every month in which the function publish runs. */
const PUBLISHED_DAYS = 90;

export class StorageStack extends Stack {
  readonly buckets: Readonly<Record<BucketName, Bucket>>;
  readonly signingKey: Key;
  readonly logs: Bucket;

  constructor(scope: Construct, id: string, { config, ...props }: StorageStackProps) {
    super(scope, id, props);
    this.logs = this.logBucket();
    this.buckets = {
      landing: this.landing(config),
      warehouse: this.warehouse(),
      bills: this.bills(config),
      export: this.bucket('Export', {}),
    };
    this.signingKey = this.makeSigningKey();
    for (const [name, bucket] of Object.entries(this.buckets)) new CfnOutput(this, `${name}Bucket`, { value: bucket.bucketName });
    new CfnOutput(this, 'signingKeyId', { value: this.signingKey.keyId });
  }

  /** Raw logs as producers leave them; what lands is announced to EventBridge. */
  private landing({ landing }: StageConfig): Bucket {
    const expiration = Duration.days(landing.retention_days);
    const bucket = this.bucket('Landing', {
      lifecycleRules: [{ expiration, noncurrentVersionExpiration: expiration, abortIncompleteMultipartUploadAfter: Duration.days(7) }],
    });
    // On the resource itself: bucket.enableEventBridgeNotification would deploy a function of its own with rights on every bucket.
    (bucket.node.defaultChild as CfnBucket).notificationConfiguration = { eventBridgeConfiguration: { eventBridgeEnabled: true } };
    return bucket;
  }

  private warehouse(): Bucket {
    const bucket = this.bucket('Warehouse', {
      lifecycleRules: [
        { prefix: PREFIX.data, noncurrentVersionExpiration: Duration.days(UNDO_DAYS) },
        // Pointed at anew every month: nothing older is read.
        { prefix: PREFIX.tables, expiration: Duration.days(PUBLISHED_DAYS), noncurrentVersionExpiration: Duration.days(1) },
      ],
    });
    this.createOnly(
      bucket,
      WRITE_ONCE_PREFIXES.filter((prefix) => !BILLS_PREFIXES.includes(prefix)),
    );
    // A delete marker would open a slot again.
    const { commits, snapshots, segments, config, seen, quarantine, models, releases, fleet, hooks } = PREFIX;
    bucket.addLifecycleRule({ prefix: PREFIX.heard, noncurrentVersionExpiration: Duration.days(1) });
    // A delivery that comes again is known for so long. The policy below binds people and programs, not this rule.
    bucket.addLifecycleRule({ prefix: PREFIX.hooks, expiration: Duration.days(90), noncurrentVersionExpiration: Duration.days(UNDO_DAYS) });
    this.keep(bucket, [commits, snapshots, segments, config, seen, quarantine, models, releases, fleet, hooks]);
    this.ownAccountOnly(bucket);
    return bucket;
  }

  private bills({ bills }: StageConfig): Bucket {
    const duration = Duration.days(bills.lock_years * YEAR_DAYS);
    const bucket = this.bucket('Bills', {
      objectLockDefaultRetention:
        bills.lock_mode === 'compliance' ? ObjectLockRetention.compliance(duration) : ObjectLockRetention.governance(duration),
    });
    this.createOnly(bucket, BILLS_PREFIXES);
    this.keep(bucket, ['']);
    this.deny(bucket, 'NoLockBypass', ['s3:BypassGovernanceRetention'], ['']);
    this.ownAccountOnly(bucket);
    return bucket;
  }

  private bucket(id: string, props: BucketProps): Bucket {
    const name = id.toLowerCase();
    const encryptionKey = new Key(this, `${id}Key`, {
      description: `kashi ${this.stackName}: objects of the ${name} bucket`,
      enableKeyRotation: true,
      removalPolicy: RemovalPolicy.RETAIN,
    });
    return new Bucket(this, id, {
      encryption: BucketEncryption.KMS,
      encryptionKey,
      bucketKeyEnabled: true,
      versioned: true,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      serverAccessLogsBucket: this.logs,
      serverAccessLogsPrefix: `${name}/`,
      removalPolicy: RemovalPolicy.RETAIN,
      ...props,
    });
  }

  private logBucket(): Bucket {
    const bucket = new Bucket(this, 'AccessLogs', {
      encryption: BucketEncryption.S3_MANAGED,
      versioned: true,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      lifecycleRules: [{ expiration: Duration.days(400), noncurrentVersionExpiration: Duration.days(UNDO_DAYS) }],
      removalPolicy: RemovalPolicy.RETAIN,
    });
    acknowledge(bucket, 'S1', 'This is where the access logs go; logging the log bucket into itself would never end.');
    return bucket;
  }

  /** Signs bills. The private half never leaves the key service, so a lost machine cannot forge a bill, and a lost key cannot be remade. */
  private makeSigningKey(): Key {
    return new Key(this, 'SigningKey', {
      description: `kashi ${this.stackName}: signs bills, corrections and waivers`,
      keySpec: KeySpec.ECC_NIST_P256,
      keyUsage: KeyUsage.SIGN_VERIFY,
      removalPolicy: RemovalPolicy.RETAIN,
    });
  }

  /** Objects can be created there, never replaced: a put must say If-None-Match. */
  private createOnly(bucket: Bucket, prefixes: readonly string[]): void {
    this.deny(bucket, 'CreateOnly', ['s3:PutObject'], prefixes, { Null: { 's3:if-none-match': 'true' } });
  }

  private keep(bucket: Bucket, prefixes: readonly string[]): void {
    this.deny(bucket, 'NoDelete', ['s3:DeleteObject', 's3:DeleteObjectVersion'], prefixes);
  }

  /** Whatever another policy says: nobody from outside, but for services of AWS that act for this account. */
  private ownAccountOnly(bucket: Bucket): void {
    this.deny(bucket, 'OwnAccountOnly', ['s3:*Object*'], [''], {
      StringNotEquals: { 'aws:PrincipalAccount': this.account },
      Bool: { 'aws:PrincipalIsAWSService': 'false' },
    });
  }

  private deny(
    bucket: Bucket,
    sid: string,
    actions: string[],
    prefixes: readonly string[],
    conditions: Record<string, unknown> = {},
  ): void {
    bucket.addToResourcePolicy(
      new PolicyStatement({
        sid,
        effect: Effect.DENY,
        principals: [new AnyPrincipal()],
        actions,
        resources: prefixes.map((prefix) => bucket.arnForObjects(`${prefix}*`)),
        conditions,
      }),
    );
  }
}
