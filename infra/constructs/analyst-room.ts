/** A database, a workgroup and a role that see one prefix of the exports and nothing else. */
import { Stack, Token } from 'aws-cdk-lib';
import { CfnWorkGroup } from 'aws-cdk-lib/aws-athena';
import { CfnDatabase, CfnTable } from 'aws-cdk-lib/aws-glue';
import { AccountRootPrincipal, PolicyStatement, Role } from 'aws-cdk-lib/aws-iam';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { acknowledge, acknowledgeWildcard } from '../acknowledge.ts';
import { type BillTable, billTables, PARTITION } from './bill-tables.ts';

export interface AnalystRoomProps {
  /** Of workgroup and role; with '_' for '-' of the database. */
  readonly name: string;
  readonly description: string;
  readonly exports: Bucket;
  /** Ends with '/'. */
  readonly prefix: string;
  readonly results: Bucket;
  readonly scanLimitGb: number;
}

const GIB = 1024 ** 3;
/** Months that a query may name: partitions are computed, nobody has to add them. */
const MONTHS = '2024-01,NOW+1MONTHS';

export class AnalystRoom extends Construct {
  readonly role: Role;
  private readonly props: AnalystRoomProps;
  private readonly database: string;

  constructor(scope: Construct, id: string, props: AnalystRoomProps) {
    super(scope, id);
    this.props = props;
    this.database = props.name.replaceAll('-', '_');
    this.makeTables();
    this.makeWorkgroup();
    this.role = this.makeRole();
  }

  private makeTables(): void {
    const catalogId = Stack.of(this).account;
    const database = new CfnDatabase(this, 'Database', {
      catalogId,
      databaseInput: { name: this.database, description: `kashi: ${this.props.description}` },
    });
    for (const table of billTables()) {
      const made = new CfnTable(this, table.name, { catalogId, databaseName: this.database, tableInput: this.tableInput(table) });
      made.addResourceDependency(database);
    }
  }

  private tableInput({ name, description, columns }: BillTable): CfnTable.TableInputProperty {
    const location = `s3://${this.props.exports.bucketName}/${this.props.prefix}${name}/`;
    return {
      name,
      description,
      tableType: 'EXTERNAL_TABLE',
      partitionKeys: [{ name: PARTITION, type: 'string', comment: 'yyyy-mm' }],
      parameters: {
        EXTERNAL: 'TRUE',
        classification: 'parquet',
        'projection.enabled': 'true',
        [`projection.${PARTITION}.type`]: 'date',
        [`projection.${PARTITION}.format`]: 'yyyy-MM',
        [`projection.${PARTITION}.range`]: MONTHS,
        [`projection.${PARTITION}.interval`]: '1',
        [`projection.${PARTITION}.interval.unit`]: 'MONTHS',
        'storage.location.template': `${location}${PARTITION}=\${${PARTITION}}/`,
      },
      storageDescriptor: {
        columns: [...columns],
        location,
        inputFormat: 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat',
        outputFormat: 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat',
        serdeInfo: { serializationLibrary: 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe' },
      },
    };
  }

  /** Its settings hold whatever a client asks for: where answers go, and how much a query may read. */
  private makeWorkgroup(): void {
    const { name, description, results, scanLimitGb } = this.props;
    new CfnWorkGroup(this, 'Workgroup', {
      name,
      description: `kashi: ${description}`,
      recursiveDeleteOption: true,
      workGroupConfiguration: {
        enforceWorkGroupConfiguration: true,
        publishCloudWatchMetricsEnabled: true,
        bytesScannedCutoffPerQuery: scanLimitGb * GIB,
        engineVersion: { selectedEngineVersion: 'Athena engine version 3' },
        resultConfiguration: {
          outputLocation: `s3://${results.bucketName}/${name}/`,
          encryptionConfiguration: { encryptionOption: 'SSE_S3' },
        },
      },
    });
  }

  /** Whom the account lets assume it sees this room. */
  private makeRole(): Role {
    const { name, description, exports, prefix, results } = this.props;
    const stack = Stack.of(this);
    const role = new Role(this, 'Role', {
      roleName: `${name}-analyst`,
      description: `kashi: ${description}`,
      assumedBy: new AccountRootPrincipal(),
    });
    const allow = (actions: string[], resources: string[], conditions = {}) =>
      role.addToPolicy(new PolicyStatement({ actions, resources, conditions }));
    const glue = ['catalog', `database/${this.database}`, `table/${this.database}/*`].map((resource) =>
      stack.formatArn({ service: 'glue', resource }),
    );
    allow(
      [
        'athena:StartQueryExecution',
        'athena:StopQueryExecution',
        'athena:GetQueryExecution',
        'athena:GetQueryResults',
        'athena:GetWorkGroup',
      ],
      [stack.formatArn({ service: 'athena', resource: 'workgroup', resourceName: name })],
    );
    allow(['glue:GetDatabase', 'glue:GetTable', 'glue:GetTables', 'glue:GetPartitions'], glue);
    allow(['s3:GetObject'], [exports.arnForObjects(`${prefix}*`)]);
    allow(['s3:GetObject', 's3:PutObject', 's3:AbortMultipartUpload'], [results.arnForObjects(`${name}/*`)]);
    allow(['s3:ListBucket'], [exports.bucketArn], { StringLike: { 's3:prefix': [`${prefix}*`] } });
    allow(['s3:ListBucket'], [results.bucketArn], { StringLike: { 's3:prefix': [`${name}/*`] } });
    allow(['s3:GetBucketLocation'], [exports.bucketArn, results.bucketArn]);
    allow(['kms:Decrypt'], [exports.encryptionKey?.keyArn ?? '']);
    acknowledgeWildcard(
      role,
      exports,
      exports.bucketArn,
      `/${prefix}*`,
      `Reads the exports under ${prefix}, of which there are more every month.`,
    );
    acknowledgeWildcard(
      role,
      results,
      results.bucketArn,
      `/${name}/*`,
      'Reads and writes answers of queries of this workgroup, which Athena names.',
    );
    const own = (token: string, value: string): string => (Token.isUnresolved(value) ? `<AWS::${token}>` : value);
    const tables = `arn:<AWS::Partition>:glue:${own('Region', stack.region)}:${own('AccountId', stack.account)}:table/${this.database}/*`;
    acknowledge(role, `IAM5[Resource::${tables}]`, 'Reads the definitions of the tables of this one database.');
    return role;
  }
}
