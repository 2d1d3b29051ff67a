/** A database, a workgroup and a role that see some prefixes of one bucket and nothing else. */
import { Stack } from 'aws-cdk-lib';
import { CfnWorkGroup } from 'aws-cdk-lib/aws-athena';
import { CfnDatabase, CfnTable } from 'aws-cdk-lib/aws-glue';
import { AccountRootPrincipal, PolicyStatement, Role } from 'aws-cdk-lib/aws-iam';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { acknowledgeWildcard } from '../acknowledge.ts';
import { allowOnDatabase } from './glue-rights.ts';

export interface AnalystRoomProps {
  /** Of workgroup and role; with '_' for '-' of the database. */
  readonly name: string;
  readonly description: string;
  readonly reads: Bucket;
  /** Each ends with '/'. */
  readonly prefixes: readonly string[];
  readonly tables: readonly CfnTable.TableInputProperty[];
  readonly results: Bucket;
  readonly scanLimitGb: number;
}

const GIB = 1024 ** 3;

/** The database of a room; names of databases have no '-'. */
export function databaseOf(room: string): string {
  return room.replaceAll('-', '_');
}

export class AnalystRoom extends Construct {
  readonly role: Role;
  private readonly props: AnalystRoomProps;
  private readonly database: string;

  constructor(scope: Construct, id: string, props: AnalystRoomProps) {
    super(scope, id);
    this.props = props;
    this.database = databaseOf(props.name);
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
    for (const tableInput of this.props.tables) {
      const made = new CfnTable(this, tableInput.name ?? '', { catalogId, databaseName: this.database, tableInput });
      made.addResourceDependency(database);
    }
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
    const { name, description, reads, prefixes, results } = this.props;
    const stack = Stack.of(this);
    const role = new Role(this, 'Role', {
      roleName: `${name}-analyst`,
      description: `kashi: ${description}`,
      assumedBy: new AccountRootPrincipal(),
    });
    const allow = (actions: string[], resources: string[], conditions = {}) =>
      role.addToPolicy(new PolicyStatement({ actions, resources, conditions }));
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
    const definitions = ['glue:GetDatabase', 'glue:GetTable', 'glue:GetTables', 'glue:GetPartitions'];
    allowOnDatabase(role, this.database, definitions, 'Reads the definitions of the tables of this one database.');
    allow(
      ['s3:GetObject'],
      prefixes.map((prefix) => reads.arnForObjects(`${prefix}*`)),
    );
    allow(['s3:GetObject', 's3:PutObject', 's3:AbortMultipartUpload'], [results.arnForObjects(`${name}/*`)]);
    allow(['s3:ListBucket'], [reads.bucketArn], { StringLike: { 's3:prefix': prefixes.map((prefix) => `${prefix}*`) } });
    allow(['s3:ListBucket'], [results.bucketArn], { StringLike: { 's3:prefix': [`${name}/*`] } });
    allow(['s3:GetBucketLocation'], [reads.bucketArn, results.bucketArn]);
    allow(['kms:Decrypt'], [reads.encryptionKey?.keyArn ?? '']);
    for (const prefix of prefixes)
      acknowledgeWildcard(
        role,
        reads,
        reads.bucketArn,
        `/${prefix}*`,
        `Reads the objects under ${prefix}, of which there are more every month.`,
      );
    acknowledgeWildcard(
      role,
      results,
      results.bucketArn,
      `/${name}/*`,
      'Reads and writes answers of queries of this workgroup, which Athena names.',
    );
    return role;
  }
}
