/** What analysts query: closed bills in Athena, all of them for finance, and each tenant's own under a prefix, a database, a workgroup and a role of its own. */
import { CfnOutput, Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import type { StageConfig } from './config.ts';
import { AnalystRoom } from './constructs/analyst-room.ts';
import { billTables } from './constructs/bill-tables.ts';
import type { StageParts } from './constructs/stage-function.ts';

export interface AnalystStackProps extends StackProps {
  readonly config: StageConfig;
  readonly parts: StageParts;
  /** Takes access logs. */
  readonly logs: Bucket;
}

/** Answers of queries are kept so long. */
const RESULT_DAYS = 7;

export class AnalystStack extends Stack {
  readonly rooms: readonly AnalystRoom[];
  /** Takes answers of queries. */
  readonly results: Bucket;

  constructor(scope: Construct, id: string, { config, parts, logs, ...props }: AnalystStackProps) {
    super(scope, id, props);
    const results = this.makeResults(logs);
    this.results = results;
    const { export: reads } = parts.buckets;
    const room = (name: string, prefix: string, description: string): AnalystRoom =>
      new AnalystRoom(this, `Room-${name}`, {
        name: `kashi-${config.stage}-${name}`,
        description,
        reads,
        prefixes: [prefix],
        tables: billTables(`s3://${reads.bucketName}/${prefix}`),
        results,
        scanLimitGb: config.analysts.scan_limit_gb,
      });
    this.rooms = [
      room('finance', 'closed/', 'closed bills of all tenants'),
      ...config.analysts.tenants.map((tenant) => room(`tenant-${tenant}`, `tenants/${tenant}/`, `closed bills of ${tenant}`)),
    ];
    for (const { role } of this.rooms)
      new CfnOutput(this, `${role.node.path.split('/')[1]}Role`.replaceAll(/[^A-Za-z0-9]/g, ''), { value: role.roleArn });
  }

  private makeResults(serverAccessLogsBucket: Bucket): Bucket {
    return new Bucket(this, 'Results', {
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      versioned: true,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      lifecycleRules: [{ expiration: Duration.days(RESULT_DAYS), noncurrentVersionExpiration: Duration.days(1) }],
      serverAccessLogsBucket,
      serverAccessLogsPrefix: 'results/',
      removalPolicy: RemovalPolicy.DESTROY,
    });
  }
}
