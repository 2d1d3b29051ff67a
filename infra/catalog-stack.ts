/** The newest snapshot for Athena: a database over the warehouse bucket, the function that keeps it fresh, and who may ask: people who may see all tenants. */
import { CfnOutput, Duration, Stack, type StackProps } from 'aws-cdk-lib';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { PREFIX } from '../functions/contract.ts';
import type { StageConfig } from './config.ts';
import { AnalystRoom, databaseOf } from './constructs/analyst-room.ts';
import { catalogTables } from './constructs/catalog-tables.ts';
import { callOnSchedule, ScheduleExpression } from './constructs/schedule.ts';
import { StageFunction, type StageParts } from './constructs/stage-function.ts';

export interface CatalogStackProps extends StackProps {
  readonly config: StageConfig;
  readonly parts: StageParts;
  /** Takes answers of queries. */
  readonly results: Bucket;
  readonly undelivered: Queue;
}

export class CatalogStack extends Stack {
  readonly publish: StageFunction;
  readonly room: AnalystRoom;

  constructor(scope: Construct, id: string, { config, parts, results, undelivered, ...props }: CatalogStackProps) {
    super(scope, id, props);
    const name = `kashi-${config.stage}-warehouse`;
    const { warehouse } = parts.buckets;
    this.room = new AnalystRoom(this, 'Room', {
      name,
      description: 'the newest snapshot: stored rows, facts, what they are rated to, checks',
      reads: warehouse,
      prefixes: [PREFIX.data, PREFIX.tables],
      tables: catalogTables(databaseOf(name), `s3://${warehouse.bucketName}/`),
      results,
      scanLimitGb: config.analysts.scan_limit_gb,
    });
    this.publish = new StageFunction(this, {
      ...parts,
      name: 'publish',
      description: 'the newest snapshot → what the tables of the catalog show',
      memoryMb: config.billing.memory_mb,
      diskMb: config.billing.disk_mb,
      timeoutS: 900,
      catalog: databaseOf(name),
    });
    callOnSchedule(this, 'PublishOften', this.publish, undelivered, {
      description: 'tables of the catalog',
      every: ScheduleExpression.rate(Duration.hours(config.analysts.publish_hours)),
    });
    new CfnOutput(this, 'warehouseRole', { value: this.room.role.roleArn });
  }
}
