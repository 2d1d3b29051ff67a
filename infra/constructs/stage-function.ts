/** One function of the bundle: its own role with the rights of ACCESS and no other, its log group, its environment. */
import { Duration, RemovalPolicy, Size } from 'aws-cdk-lib';
import { Effect, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { Architecture, Code, Function as LambdaFunction, LoggingFormat, Runtime, Tracing } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { ENV, type FunctionName } from '../../functions/contract.ts';
import { ACCESS, type Access, type BucketName, type BucketRights } from '../access.ts';
import { acknowledge, acknowledgeWildcard } from '../acknowledge.ts';
import type { Bundles } from '../bundle.ts';
import { allowOnDatabase } from './glue-rights.ts';

/** What functions of a stage share. */
export interface StageParts {
  readonly stage: string;
  readonly architecture: 'arm64' | 'x64';
  readonly bundles: Bundles;
  readonly buckets: Readonly<Record<BucketName, Bucket>>;
  readonly signingKey: IKey;
}

export interface StageFunctionProps extends StageParts {
  readonly name: FunctionName;
  readonly description: string;
  readonly memoryMb: number;
  readonly timeoutS: number;
  /** Of /tmp. @default 512 */
  readonly diskMb?: number;
  /** @default none, the account's */
  readonly reservedConcurrency?: number;
  /** @default false */
  readonly prints?: true;
  readonly queue?: Queue;
  readonly deadLetters?: Queue;
  readonly tokens?: Secret;
  /** Name of the catalog's database. */
  readonly catalog?: string;
}

/** Share of the memory that the engine may take; Node and its buffers need the rest (RELIABILITY 1.13). */
const ENGINE_SHARE = 0.6;

const ACTIONS = { get: ['s3:GetObject', 's3:GetObjectVersion'], put: ['s3:PutObject'], delete: ['s3:DeleteObject'] } as const;

export class StageFunction extends Construct {
  readonly function: LambdaFunction;
  readonly role: Role;
  private readonly access: Access;

  constructor(scope: Construct, props: StageFunctionProps) {
    super(scope, props.name.charAt(0).toUpperCase() + props.name.slice(1));
    this.access = ACCESS[props.name];
    const logGroup = new LogGroup(this, 'Logs', { retention: RetentionDays.SIX_MONTHS, removalPolicy: RemovalPolicy.DESTROY });
    this.role = this.makeRole(logGroup);
    this.function = this.makeFunction(props, logGroup);
    for (const [name, rights] of Object.entries(this.access.buckets)) this.grantBucket(props.buckets[name as BucketName], rights);
    this.grantOthers(props);
  }

  private makeRole(logGroup: LogGroup): Role {
    const role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    role.addToPolicy(new PolicyStatement({ actions: ['logs:CreateLogStream', 'logs:PutLogEvents'], resources: [logGroup.logGroupArn] }));
    return role;
  }

  private makeFunction(props: StageFunctionProps, logGroup: LogGroup): LambdaFunction {
    const { name, stage, memoryMb, timeoutS, architecture, reservedConcurrency } = props;
    const made = new LambdaFunction(this, 'Function', {
      functionName: `kashi-${stage}-${name}`,
      description: props.description,
      runtime: Runtime.NODEJS_24_X,
      architecture: architecture === 'arm64' ? Architecture.ARM_64 : Architecture.X86_64,
      code: Code.fromAsset(props.prints === true ? props.bundles.printing : props.bundles.plain),
      handler: `functions/handlers/${name}.handler`,
      memorySize: memoryMb,
      timeout: Duration.seconds(timeoutS),
      ephemeralStorageSize: Size.mebibytes(props.diskMb ?? 512),
      role: this.role,
      logGroup,
      loggingFormat: LoggingFormat.JSON,
      tracing: Tracing.ACTIVE,
      environment: this.environment(props),
      ...(reservedConcurrency === undefined ? {} : { reservedConcurrentExecutions: reservedConcurrency }),
    });
    acknowledge(
      this.role,
      'IAM5[Resource::*]',
      'X-Ray has no resources: PutTraceSegments and PutTelemetryRecords can only be allowed on *.',
    );
    return made;
  }

  private environment({
    stage,
    memoryMb,
    buckets,
    signingKey,
    queue,
    deadLetters,
    tokens,
    catalog,
  }: StageFunctionProps): Record<string, string> {
    const { signing, buckets: rights } = this.access;
    const named = (name: BucketName, key: string): Record<string, string> =>
      rights[name] === undefined ? {} : { [key]: buckets[name].bucketName };
    return {
      [ENV.config]: 'centre/kashi.yaml',
      [ENV.engineMemory]: `${Math.floor(memoryMb * ENGINE_SHARE)}MB`,
      ...named('landing', ENV.landingBucket),
      // A function without rights there never asks it; its store is the other bucket.
      [ENV.warehouseBucket]: buckets.warehouse.bucketName,
      ...named('bills', ENV.billsBucket),
      ...named('export', ENV.exportBucket),
      ...(signing === undefined ? {} : { [ENV.signingKey]: signingKey.keyArn }),
      ...(queue === undefined ? {} : { [ENV.ingestQueue]: queue.queueUrl }),
      ...(deadLetters === undefined ? {} : { [ENV.deadLetters]: deadLetters.queueUrl }),
      ...(tokens === undefined ? {} : { [ENV.tokensSecret]: tokens.secretArn }),
      ...(catalog === undefined ? {} : { [ENV.catalog]: catalog }),
      POWERTOOLS_SERVICE_NAME: stage,
      POWERTOOLS_LOG_LEVEL: 'INFO',
    };
  }

  private grantBucket(bucket: Bucket, rights: BucketRights): void {
    for (const [right, actions] of Object.entries(ACTIONS)) {
      const prefixes = rights[right as keyof typeof ACTIONS] ?? [];
      if (prefixes.length === 0) continue;
      const resources = prefixes.map((prefix) => bucket.arnForObjects(`${prefix}*`));
      this.allow([...actions], resources);
      for (const prefix of prefixes) this.explainPrefix(bucket, prefix, right);
    }
    // Also for a right to get: without it a missing object, which is an everyday answer, would look forbidden.
    const listed = rights.list ?? [];
    if (listed.length > 0 || rights.get !== undefined) {
      const prefixes = [...new Set([...listed, ...(rights.get ?? [])])].map((prefix) => `${prefix}*`);
      this.allow(['s3:ListBucket'], [bucket.bucketArn], { StringLikeIfExists: { 's3:prefix': prefixes } });
    }
    this.grantKey(bucket, rights);
  }

  private grantKey(bucket: Bucket, { get, put }: BucketRights): void {
    const actions = [...(get === undefined ? [] : ['kms:Decrypt']), ...(put === undefined ? [] : ['kms:GenerateDataKey'])];
    if (actions.length > 0 && bucket.encryptionKey !== undefined) this.allow(actions, [bucket.encryptionKey.keyArn]);
  }

  private grantOthers({ signingKey, queue, deadLetters, tokens, catalog }: StageFunctionProps): void {
    const { signing } = this.access;
    if (signing !== undefined) this.allow(['kms:GetPublicKey', ...(signing === 'sign' ? ['kms:Sign'] : [])], [signingKey.keyArn]);
    if (this.access.queue === 'send' && queue !== undefined) this.allow(['sqs:SendMessage'], [queue.queueArn]);
    if (this.access.deadLetters === true && deadLetters !== undefined) this.allow(['sqs:GetQueueAttributes'], [deadLetters.queueArn]);
    if (this.access.tokens === true && tokens !== undefined) this.allow(['secretsmanager:GetSecretValue'], [tokens.secretArn]);
    if (this.access.catalog === true && catalog !== undefined)
      allowOnDatabase(
        this.role,
        catalog,
        ['glue:GetTable', 'glue:UpdateTable'],
        'Points the tables of this one database at another snapshot.',
      );
  }

  /** A right that ACCESS names and another stack's part is needed for. */
  allow(actions: string[], resources: string[], conditions: Record<string, unknown> = {}): void {
    this.role.addToPolicy(new PolicyStatement({ effect: Effect.ALLOW, actions, resources, conditions }));
  }

  /** The keys below a prefix are the unit of a right: their names are hashes and dates. */
  private explainPrefix(bucket: Bucket, prefix: string, right: string): void {
    const name = bucket.node.id;
    const keys = prefix === '' ? 'all objects' : `objects under ${prefix}`;
    const reason = `${right}: ${keys} of the ${name} bucket, whose names are not known beforehand.`;
    acknowledgeWildcard(this.role, bucket, bucket.bucketArn, `/${prefix}*`, reason);
  }
}
