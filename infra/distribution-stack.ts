/** Model distribution at headquarters: hooks in, builds, the bus of registry events, rollouts, and what edges talk to. */
import { CfnOutput, Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import { EventBus, type IEventBus, Rule } from 'aws-cdk-lib/aws-events';
import { SqsQueue } from 'aws-cdk-lib/aws-events-targets';
import { ManagedPolicy, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Key, KeySpec, KeyUsage } from 'aws-cdk-lib/aws-kms';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import { Schedule, ScheduleExpression, ScheduleTargetInput } from 'aws-cdk-lib/aws-scheduler';
import { SqsSendMessage } from 'aws-cdk-lib/aws-scheduler-targets';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { ENV, type FunctionName, PREFIX } from '../functions/contract.ts';
import { type EcrAddress, parseEcrHost } from '../functions/domain/ecr-host.ts';
import { PRODUCTION_PREFIX } from '../functions/domain/image-release.ts';
import { ACCESS, type DistributionAccess } from './access.ts';
import { acknowledge, acknowledgeWildcard } from './acknowledge.ts';
import type { DistributionConfig, StageConfig } from './config.ts';
import { BuildProjects } from './constructs/build-projects.ts';
import { DistributionEndpoint } from './constructs/distribution-endpoint.ts';
import { StageFunction, type StageParts } from './constructs/stage-function.ts';
import { IMAGE_EVENTS } from './edge-stack.ts';
import { edgeRegions } from './registries.ts';

export interface DistributionStackProps extends StackProps {
  readonly config: StageConfig;
  readonly distribution: DistributionConfig;
  readonly parts: StageParts;
  /** Folder of the builds' source; null: no projects for builds. */
  readonly buildSource: string | null;
}

type Name = 'hook' | 'intake' | 'hub' | 'rollout';

const VISIBILITY_TIMEOUTS = 6;
const TRIES = 5;
const TURN_S = 900;
/** Two turns may overlap: an event is acted on while an image is being copied. */
const TURNS = 2;

export const ATTESTATION_ALIAS = (stage: string): string => `alias/kashi-${stage}-attestation`;
export const BUS_NAME = (stage: string): string => `kashi-${stage}-distribution`;

export class DistributionStack extends Stack {
  readonly queues: Readonly<Record<'intake' | 'rollout', Queue>>;
  readonly deadLetters: Queue;
  /** Events and scheduled messages that AWS could not deliver. */
  readonly undelivered: Queue;
  readonly functions: Readonly<Record<Name, StageFunction>>;
  readonly endpoint: DistributionEndpoint;
  readonly builds: BuildProjects | null;
  private readonly keys: Readonly<Record<'edge' | 'attestation', Key>>;
  private readonly secrets: Readonly<Record<DistributionAccess['secret'], Secret>>;
  private readonly hq: EcrAddress | null;

  constructor(scope: Construct, id: string, { config, distribution, parts, buildSource, ...props }: DistributionStackProps) {
    super(scope, id, props);
    this.hq = parseEcrHost(distribution.fleet.registryUrl);
    this.deadLetters = this.makeQueue('DeadLetters', { retentionPeriod: Duration.days(14) });
    this.undelivered = this.makeQueue('Undelivered', { retentionPeriod: Duration.days(14) });
    acknowledge(this.undelivered, 'SQS3', 'It takes the dead letters of EventBridge and Scheduler, of which cdk-nag does not know.');
    this.queues = { intake: this.makeWorkQueue('IntakeWork', 300), rollout: this.makeWorkQueue('RolloutWork', TURN_S) };
    this.keys = {
      edge: this.makeKey('Edge', 'messages to edges', config.stage),
      attestation: this.makeKey('Attestation', 'attestations of images', config.stage),
    };
    this.secrets = this.makeSecrets();
    this.functions = this.makeFunctions(parts);
    for (const [name, one] of Object.entries(this.functions)) this.grant(name as Name, one, distribution);
    this.feed();
    this.listen(config.stage);
    this.schedule();
    this.endpoint = new DistributionEndpoint(this, 'Endpoint', {
      stage: config.stage,
      requestsPerSecond: distribution.requests_per_second,
      hook: this.functions.hook,
      hub: this.functions.hub,
    });
    this.builds = this.makeBuilds(config.stage, distribution, parts, buildSource);
    this.operators(parts);
    new CfnOutput(this, 'rolloutQueueUrl', { value: this.queues.rollout.queueUrl });
    new CfnOutput(this, 'distributionDeadLettersUrl', { value: this.deadLetters.queueUrl });
  }

  private makeQueue(id: string, props: ConstructorParameters<typeof Queue>[2]): Queue {
    return new Queue(this, id, { encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true, ...props });
  }

  private makeWorkQueue(id: string, timeoutS: number): Queue {
    return this.makeQueue(id, {
      retentionPeriod: Duration.days(4),
      // A turn is level-triggered: while a message hides, the next minute's looks at the same state.
      visibilityTimeout: Duration.seconds(VISIBILITY_TIMEOUTS * timeoutS),
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: TRIES },
    });
  }

  private makeKey(id: string, what: string, stage: string): Key {
    const key = new Key(this, `${id}Key`, {
      description: `kashi ${stage}: signs ${what}`,
      keySpec: KeySpec.ECC_NIST_P256,
      keyUsage: KeyUsage.SIGN_VERIFY,
      alias: id === 'Attestation' ? ATTESTATION_ALIAS(stage) : `alias/kashi-${stage}-${id.toLowerCase()}`,
      // Edges trust its public half: a new key means new configuration at every edge.
      removalPolicy: RemovalPolicy.RETAIN,
    });
    new CfnOutput(this, `${id.toLowerCase()}KeyId`, { value: key.keyId });
    return key;
  }

  /** Each begins with a member that nothing names; `aws secretsmanager put-secret-value` brings the real ones. */
  private makeSecrets(): DistributionStack['secrets'] {
    const make = (id: string, description: string): Secret => {
      const secret = new Secret(this, id, {
        description,
        generateSecretString: { secretStringTemplate: '{}', generateStringKey: 'unused', excludePunctuation: true },
        removalPolicy: RemovalPolicy.RETAIN,
      });
      acknowledge(
        secret,
        'SMG4',
        'Model registries, the Git host and edges hold the other half, so nothing can rotate it alone; two secrets may stand side by side.',
      );
      new CfnOutput(this, `${id}Arn`, { value: secret.secretArn });
      return secret;
    };
    return {
      hooks: make('HookSecrets', 'JSON: what models.yaml names as secret_file and token_file, by name'),
      fleet: make('FleetSecrets', 'JSON: git (user:token), and what fleet.yaml names as registry_token_file and secret_file, by name'),
    };
  }

  private makeFunctions(parts: StageParts): DistributionStack['functions'] {
    const make = (name: Name, description: string, memoryMb: number, timeoutS: number): StageFunction => {
      const made = new StageFunction(this, { ...parts, name, description, memoryMb, timeoutS });
      for (const [setting, value] of Object.entries(this.environmentOf(name))) made.function.addEnvironment(setting, value);
      return made;
    };
    return {
      hook: make('hook', 'hooks of model registries → a queue on the disk', 512, 20),
      intake: make('intake', 'hooks → what they point at → model registry', 512, 300),
      hub: make('hub', 'polls and reports of edges', 512, 20),
      rollout: make('rollout', 'registry events and time → proof, commits, messages', 1769, TURN_S),
    };
  }

  private environmentOf(name: FunctionName): Record<string, string> {
    const { secret, sends, rollsOut } = ACCESS[name].distribution ?? {};
    return {
      ...(secret === undefined ? {} : { [secret === 'hooks' ? ENV.hooksSecret : ENV.fleetSecret]: this.secrets[secret].secretArn }),
      ...(sends === undefined ? {} : { [sends === 'intake' ? ENV.intakeQueue : ENV.rolloutQueue]: this.queues[sends].queueUrl }),
      ...(rollsOut === undefined ? {} : { [ENV.edgeKey]: this.keys.edge.keyArn, [ENV.attestationKey]: this.keys.attestation.keyArn }),
    };
  }

  private grant(name: Name, one: StageFunction, distribution: DistributionConfig): void {
    const { secret, sends, rollsOut } = ACCESS[name].distribution ?? {};
    if (secret !== undefined) one.allow(['secretsmanager:GetSecretValue'], [this.secrets[secret].secretArn]);
    if (sends !== undefined) one.allow(['sqs:SendMessage'], [this.queues[sends].queueArn]);
    if (rollsOut === undefined) return;
    one.allow(['kms:GetPublicKey', 'kms:Sign'], [this.keys.edge.keyArn]);
    one.allow(['kms:GetPublicKey'], [this.keys.attestation.keyArn]);
    if (this.hq === null) return;
    const read = ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer', 'ecr:ListImageReferrers'];
    const write = ['ecr:CompleteLayerUpload', 'ecr:CreateRepository', 'ecr:InitiateLayerUpload', 'ecr:PutImage', 'ecr:UploadLayerPart'];
    this.useImages(one, this.hq.region, [...read, 'ecr:DescribeImageReplicationStatus']);
    one.allow(['ecr:ListReplicationBackfills', 'ecr:StartReplicationBackfill'], ['*']);
    acknowledge(one.role, 'IAM5[Resource::*]', 'X-Ray, and backfills of ECR: both are of the account and Region, and know no resources.');
    // What ECR does not bring, kashi copies: to the edges, never to headquarters.
    for (const region of edgeRegions(distribution)) this.useImages(one, region, [...read, ...write]);
  }

  private useImages(one: StageFunction, region: string, actions: string[]): void {
    const resource = `repository/${PRODUCTION_PREFIX}/*`;
    one.allow(actions, [this.formatArn({ service: 'ecr', region, account: this.hq?.account ?? '', resource })]);
    const reason = 'Production images of every model: their repositories are made when a model is first promoted.';
    acknowledge(one.role, `IAM5[Resource::arn:<AWS::Partition>:ecr:${region}:${this.hq?.account}:${resource}]`, reason);
  }

  private feed(): void {
    this.functions.intake.function.addEventSource(new SqsEventSource(this.queues.intake, { batchSize: 10, maxConcurrency: 2 }));
    this.functions.rollout.function.addEventSource(
      new SqsEventSource(this.queues.rollout, { batchSize: 10, reportBatchItemFailures: true, maxConcurrency: TURNS }),
    );
  }

  /** Events of the own registry, and those that edges forward to the bus. */
  private listen(stage: string): void {
    const bus = new EventBus(this, 'Bus', { eventBusName: BUS_NAME(stage), description: 'kashi: events of registries at the edges' });
    const rule = (id: string, eventBus: IEventBus | undefined, description: string): void => {
      new Rule(this, id, {
        ...(eventBus === undefined ? {} : { eventBus }),
        description,
        eventPattern: {
          source: ['aws.ecr'],
          detailType: IMAGE_EVENTS,
          detail: { 'repository-name': [{ prefix: `${PRODUCTION_PREFIX}/` }] },
        },
        targets: [
          new SqsQueue(this.queues.rollout, { deadLetterQueue: this.undelivered, retryAttempts: 185, maxEventAge: Duration.hours(24) }),
        ],
      });
    };
    rule('ImagesHere', undefined, 'what happened to production images at headquarters');
    rule('ImagesAtEdges', bus, 'what happened to production images at the edges');
    new CfnOutput(this, 'busArn', { value: bus.eventBusArn });
  }

  /** Events are hints; these looks are what makes a lost one harmless. */
  private schedule(): void {
    const every = (id: string, queue: Queue, minutes: number, description: string): void => {
      new Schedule(this, id, {
        description,
        schedule: ScheduleExpression.rate(Duration.minutes(minutes)),
        target: new SqsSendMessage(queue, {
          input: ScheduleTargetInput.fromObject({ look: 'schedule' }),
          deadLetterQueue: this.undelivered,
          maxEventAge: Duration.minutes(5),
          retryAttempts: 2,
        }),
      });
    };
    every('RolloutEveryMinute', this.queues.rollout, 1, 'what is due in rollouts');
    every('IntakeEvery5Minutes', this.queues.intake, 5, 'hooks that are due again');
  }

  private makeBuilds(stage: string, { build }: DistributionConfig, { buckets }: StageParts, source: string | null): BuildProjects | null {
    if (source === null || this.hq === null) return null;
    const { account, region } = this.hq;
    const { attestation: attestationKey } = this.keys;
    return new BuildProjects(this, 'Builds', { stage, account, region, build, warehouse: buckets.warehouse, attestationKey, source });
  }

  /** For people who register, approve, promote, pause and roll back with `kashi --warehouse s3://…`: to be attached to their roles. */
  private operators({ buckets: { warehouse } }: StageParts): void {
    const policy = new ManagedPolicy(this, 'Operators', { description: 'kashi: models, releases, rollouts, hooks' });
    const prefixes = [PREFIX.models, PREFIX.releases, PREFIX.objects, PREFIX.fleet, PREFIX.hooks];
    const keys = prefixes.map((prefix) => warehouse.arnForObjects(`${prefix}*`));
    policy.addStatements(
      new PolicyStatement({ actions: ['s3:GetObject', 's3:PutObject'], resources: keys }),
      new PolicyStatement({
        actions: ['s3:ListBucket'],
        resources: [warehouse.bucketArn],
        conditions: { StringLike: { 's3:prefix': prefixes.map((prefix) => `${prefix}*`) } },
      }),
      new PolicyStatement({ actions: ['kms:GetPublicKey'], resources: [this.keys.edge.keyArn, this.keys.attestation.keyArn] }),
    );
    if (warehouse.encryptionKey !== undefined)
      policy.addStatements(
        new PolicyStatement({ actions: ['kms:Decrypt', 'kms:GenerateDataKey'], resources: [warehouse.encryptionKey.keyArn] }),
      );
    for (const prefix of prefixes)
      acknowledgeWildcard(
        policy,
        warehouse,
        warehouse.bucketArn,
        `/${prefix}*`,
        `People read and add entries under ${prefix}; the bucket lets nobody replace or delete one.`,
      );
    new CfnOutput(this, 'operatorsPolicy', { value: policy.managedPolicyArn });
  }
}
