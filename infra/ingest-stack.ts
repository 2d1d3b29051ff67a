/** From landed objects to snapshots: S3 → EventBridge → SQS → ingest, what finds objects whose event was lost, and what keeps the warehouse in order. */
import { CfnOutput, Duration, Stack, type StackProps } from 'aws-cdk-lib';
import { Rule } from 'aws-cdk-lib/aws-events';
import { SqsQueue } from 'aws-cdk-lib/aws-events-targets';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { acknowledge } from './acknowledge.ts';
import type { StageConfig } from './config.ts';
import { deliveryStream } from './constructs/delivery-stream.ts';
import { ReceiveEndpoint } from './constructs/receive-endpoint.ts';
import { callOnSchedule, ScheduleExpression } from './constructs/schedule.ts';
import { StageFunction, type StageParts } from './constructs/stage-function.ts';

export interface IngestStackProps extends StackProps {
  readonly config: StageConfig;
  readonly parts: StageParts;
}

/** SQS hides a message for so many function timeouts; fewer would give it to a second run while the first is at it. */
const VISIBILITY_TIMEOUTS = 6;
/** Tries of a message before it lies with the dead letters. */
const TRIES = 5;

export class IngestStack extends Stack {
  readonly queue: Queue;
  /** Announcements that could not be ingested. */
  readonly deadLetters: Queue;
  /** Events and scheduled calls that were never delivered. */
  readonly undelivered: Queue;
  readonly functions: Readonly<Record<'ingest' | 'reconcile' | 'seal' | 'compact' | 'collect', StageFunction>>;
  readonly endpoint: ReceiveEndpoint | null;

  constructor(scope: Construct, id: string, { config, parts, ...props }: IngestStackProps) {
    super(scope, id, props);
    this.deadLetters = this.makeQueue('DeadLetters', { retentionPeriod: Duration.days(14) });
    this.undelivered = this.makeQueue('Undelivered', { retentionPeriod: Duration.days(14) });
    acknowledge(this.undelivered, 'SQS3', 'It takes the dead letters of EventBridge and Scheduler, of which cdk-nag does not know.');
    this.queue = this.makeQueue('Landed', {
      retentionPeriod: Duration.days(14),
      visibilityTimeout: Duration.seconds(VISIBILITY_TIMEOUTS * config.ingest.timeout_s),
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: TRIES },
    });
    this.functions = this.makeFunctions(config, parts);
    this.announce(parts);
    this.feed(config);
    this.schedule(config);
    this.endpoint = config.receive.enabled ? new ReceiveEndpoint(this, 'Endpoint', { parts, config }) : null;
    if (config.ingest.firehose) deliveryStream(this, config.stage, parts.buckets.landing);
    new CfnOutput(this, 'queueUrl', { value: this.queue.queueUrl });
    new CfnOutput(this, 'deadLettersUrl', { value: this.deadLetters.queueUrl });
  }

  private makeQueue(id: string, props: ConstructorParameters<typeof Queue>[2]): Queue {
    return new Queue(this, id, { encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true, ...props });
  }

  private makeFunctions({ ingest }: StageConfig, parts: StageParts): IngestStack['functions'] {
    const small = { ...parts, memoryMb: 1024, timeoutS: 300 };
    return {
      ingest: new StageFunction(this, {
        ...parts,
        name: 'ingest',
        description: 'landed objects → Parquet, quarantine, commit',
        memoryMb: ingest.memory_mb,
        timeoutS: ingest.timeout_s,
        diskMb: 4096,
        queue: this.queue,
      }),
      reconcile: new StageFunction(this, {
        ...small,
        name: 'reconcile',
        description: 'announces again what landed and is not in',
        queue: this.queue,
      }),
      seal: new StageFunction(this, { ...small, name: 'seal', description: 'new commits → next snapshot' }),
      compact: new StageFunction(this, {
        ...parts,
        name: 'compact',
        description: 'many small data files → few larger ones',
        memoryMb: 3072,
        timeoutS: 900,
        diskMb: 10240,
      }),
      collect: new StageFunction(this, {
        ...parts,
        name: 'collect',
        description: 'deletes data files that nothing needs',
        memoryMb: 1024,
        timeoutS: 900,
      }),
    };
  }

  /** Every object that lands in the bucket becomes a message. */
  private announce({ buckets }: StageParts): void {
    new Rule(this, 'ObjectLanded', {
      description: 'an object landed: to be ingested',
      eventPattern: { source: ['aws.s3'], detailType: ['Object Created'], detail: { bucket: { name: [buckets.landing.bucketName] } } },
      targets: [new SqsQueue(this.queue, { deadLetterQueue: this.undelivered, retryAttempts: 185, maxEventAge: Duration.hours(24) })],
    });
  }

  private feed({ ingest }: StageConfig): void {
    const source = new SqsEventSource(this.queue, {
      batchSize: ingest.batch,
      maxBatchingWindow: Duration.seconds(5),
      reportBatchItemFailures: true,
      maxConcurrency: ingest.max_concurrency,
    });
    this.functions.ingest.function.addEventSource(source);
  }

  private schedule({ ingest }: StageConfig): void {
    const { reconcile, seal, compact, collect } = this.functions;
    const { seal_minutes: minutes, window_days: days } = ingest;
    const call = (id: string, target: StageFunction, description: string, every: ScheduleExpression, input = {}): void =>
      callOnSchedule(this, id, target, this.undelivered, { description, every, input });
    call('SealRecent', seal, 'commits of the last two landed days', ScheduleExpression.rate(Duration.minutes(minutes)), { days: 2 });
    call('SealWindow', seal, `commits of the last ${days} landed days`, ScheduleExpression.rate(Duration.hours(1)), { days });
    call('SealAll', seal, 'all commits', ScheduleExpression.cron({ hour: '1', minute: '10' }));
    call('ReconcileWindow', reconcile, `the last ${days} landed days`, ScheduleExpression.rate(Duration.minutes(15)), { days });
    call('ReconcileAll', reconcile, 'everything that landed', ScheduleExpression.cron({ hour: '1', minute: '40' }));
    call('CompactDaily', compact, 'quiet days', ScheduleExpression.cron({ hour: '2', minute: '30' }));
    call('CollectDaily', collect, 'what nothing needs', ScheduleExpression.cron({ hour: '3', minute: '30' }));
  }
}
