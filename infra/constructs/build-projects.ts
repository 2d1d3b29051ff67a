/**
 * Builds in CodeBuild. `build`: recipe, image, attestation, push; kashi writes the image itself, without Docker. `base`: the server that recipes build on, from
 * deploy/release/Dockerfile. Each has a role of its own with exactly what it needs.
 */
import { CfnOutput, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { CfnProject } from 'aws-cdk-lib/aws-codebuild';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import { Construct } from 'constructs';
import { PREFIX } from '../../functions/contract.ts';
import { STAGING_PREFIX } from '../../functions/domain/image-release.ts';
import { acknowledge, acknowledgeWildcard } from '../acknowledge.ts';
import type { DistributionConfig } from '../config.ts';
import { BASE_PREFIX } from './registry-settings.ts';

export interface BuildProjectsProps {
  readonly stage: string;
  readonly account: string;
  readonly region: string;
  readonly build: DistributionConfig['build'];
  readonly warehouse: Bucket;
  readonly attestationKey: IKey;
  /** Folder that makeBuildSource made. */
  readonly source: string;
}

const IMAGE = 'aws/codebuild/amazonlinux-x86_64-standard:5.0';
const PULL = [
  'ecr:BatchCheckLayerAvailability',
  'ecr:BatchGetImage',
  'ecr:DescribeImages',
  'ecr:GetDownloadUrlForLayer',
  'ecr:ListImageReferrers',
];
const PUSH = ['ecr:CompleteLayerUpload', 'ecr:CreateRepository', 'ecr:InitiateLayerUpload', 'ecr:PutImage', 'ecr:UploadLayerPart'];

interface ProjectOptions {
  readonly description: string;
  readonly buildspec: string;
  readonly privileged: boolean;
  readonly compute: string;
  readonly hours: number;
  readonly environment: Readonly<Record<string, string>>;
}

export class BuildProjects extends Construct {
  readonly build: CfnProject;
  readonly base: CfnProject;
  private readonly props: BuildProjectsProps;
  private readonly source: Asset;

  constructor(scope: Construct, id: string, props: BuildProjectsProps) {
    super(scope, id);
    this.props = props;
    this.source = new Asset(this, 'Source', { path: props.source });
    this.build = this.makeBuild();
    this.base = this.makeBase();
    new CfnOutput(this, 'Project', { value: this.build.ref });
    new CfnOutput(this, 'BaseProject', { value: this.base.ref });
  }

  private makeBuild(): CfnProject {
    const { warehouse, build, attestationKey } = this.props;
    const role = this.makeRole('Build');
    const { models, releases, objects } = PREFIX;
    this.readObjects(role, warehouse, [models, releases, objects]);
    for (const prefix of [releases, objects]) {
      role.addToPolicy(new PolicyStatement({ actions: ['s3:PutObject'], resources: [warehouse.arnForObjects(`${prefix}*`)] }));
      acknowledgeWildcard(
        role,
        warehouse,
        warehouse.bucketArn,
        `/${prefix}*`,
        `Releases and what they are made of lie under ${prefix}, named by digests.`,
      );
    }
    if (warehouse.encryptionKey !== undefined)
      role.addToPolicy(
        new PolicyStatement({ actions: ['kms:Decrypt', 'kms:GenerateDataKey'], resources: [warehouse.encryptionKey.keyArn] }),
      );
    role.addToPolicy(new PolicyStatement({ actions: ['kms:GetPublicKey', 'kms:Sign'], resources: [attestationKey.keyArn] }));
    this.readArtifacts(role, build.artifact_buckets);
    this.useRepositories(role, STAGING_PREFIX, [...PULL, ...PUSH]);
    this.useRepositories(role, BASE_PREFIX, PULL);
    return this.makeProject('Build', role, {
      description: 'kashi: recipe, service image, attestation, push to the staging repository',
      buildspec: 'deploy/release/buildspec.yml',
      privileged: false,
      compute: build.compute,
      hours: build.hours,
      environment: { KASHI_WAREHOUSE: `s3://${warehouse.bucketName}`, KASHI_CONFIG: 'centre/kashi.yaml', RECIPE: 'recipes/plain.yaml' },
    });
  }

  private makeBase(): CfnProject {
    const { account, region } = this.props;
    const role = this.makeRole('Base');
    this.useRepositories(role, BASE_PREFIX, [...PULL, ...PUSH]);
    const project = this.makeProject('Base', role, {
      description: 'kashi: the server that recipes build on, from deploy/release/Dockerfile',
      buildspec: 'deploy/release/base-buildspec.yml',
      privileged: true,
      compute: 'MEDIUM',
      hours: 2,
      environment: { REGISTRY: `${account}.dkr.ecr.${region}.${Stack.of(this).urlSuffix}`, PREFIX: BASE_PREFIX },
    });
    acknowledge(
      project,
      'CB3',
      'docker build needs it; the project has no right but to push below base-models/, and runs only what is in the repository.',
    );
    return project;
  }

  private makeProject(
    id: string,
    role: Role,
    { description, buildspec, privileged, compute, hours, environment }: ProjectOptions,
  ): CfnProject {
    const { stage, build } = this.props;
    const name = `kashi-${stage}-${id.toLowerCase()}`;
    const logs = new LogGroup(this, `${id}Logs`, { retention: RetentionDays.SIX_MONTHS, removalPolicy: RemovalPolicy.DESTROY });
    role.addToPolicy(new PolicyStatement({ actions: ['logs:CreateLogStream', 'logs:PutLogEvents'], resources: [logs.logGroupArn] }));
    const project = new CfnProject(this, id, {
      name,
      description,
      serviceRole: role.roleArn,
      source: { type: 'S3', location: `${this.source.s3BucketName}/${this.source.s3ObjectKey}`, buildSpec: buildspec },
      artifacts: { type: 'NO_ARTIFACTS' },
      environment: {
        type: build.gpu && !privileged ? 'LINUX_GPU_CONTAINER' : 'LINUX_CONTAINER',
        computeType: `BUILD_GENERAL1_${compute}`,
        image: IMAGE,
        privilegedMode: privileged,
        environmentVariables: Object.entries(environment).map(([key, value]) => ({ name: key, value })),
      },
      logsConfig: { cloudWatchLogs: { status: 'ENABLED', groupName: logs.logGroupName } },
      timeoutInMinutes: hours * 60,
      concurrentBuildLimit: 4,
    });
    acknowledge(
      project,
      'CB4',
      'The key is for artifacts and caches of CodeBuild, and there are none: what is built is pushed to the registry.',
    );
    return project;
  }

  private makeRole(id: string): Role {
    const role = new Role(this, `${id}Role`, { assumedBy: new ServicePrincipal('codebuild.amazonaws.com') });
    const source = this.source.bucket.arnForObjects(this.source.s3ObjectKey);
    role.addToPolicy(new PolicyStatement({ actions: ['s3:GetObject', 's3:GetObjectVersion'], resources: [source] }));
    role.addToPolicy(new PolicyStatement({ actions: ['ecr:GetAuthorizationToken'], resources: ['*'] }));
    acknowledge(role, 'IAM5[Resource::*]', 'GetAuthorizationToken knows no resources; a token alone allows nothing.');
    return role;
  }

  private readObjects(role: Role, bucket: Bucket, prefixes: readonly string[]): void {
    role.addToPolicy(
      new PolicyStatement({ actions: ['s3:GetObject'], resources: prefixes.map((prefix) => bucket.arnForObjects(`${prefix}*`)) }),
    );
    const conditions = { StringLike: { 's3:prefix': prefixes.map((prefix) => `${prefix}*`) } };
    role.addToPolicy(new PolicyStatement({ actions: ['s3:ListBucket'], resources: [bucket.bucketArn], conditions }));
    for (const prefix of prefixes)
      acknowledgeWildcard(
        role,
        bucket,
        bucket.bucketArn,
        `/${prefix}*`,
        `Reads model versions and releases under ${prefix}, which are many.`,
      );
  }

  private readArtifacts(role: Role, buckets: readonly string[]): void {
    for (const name of buckets) {
      const arn = `arn:${Stack.of(this).partition}:s3:::${name}`;
      role.addToPolicy(new PolicyStatement({ actions: ['s3:GetObject'], resources: [`${arn}/*`] }));
      role.addToPolicy(new PolicyStatement({ actions: ['s3:ListBucket'], resources: [arn] }));
      acknowledge(
        role,
        `IAM5[Resource::arn:<AWS::Partition>:s3:::${name}/*]`,
        `Trained models lie anywhere in the bucket ${name}, which the stage names for that.`,
      );
    }
  }

  private useRepositories(role: Role, prefix: string, actions: readonly string[]): void {
    const { account, region } = this.props;
    const resource = `repository/${prefix}/*`;
    role.addToPolicy(new PolicyStatement({ actions: [...actions], resources: [Stack.of(this).formatArn({ service: 'ecr', resource })] }));
    acknowledge(
      role,
      `IAM5[Resource::arn:<AWS::Partition>:ecr:${region}:${account}:${resource}]`,
      `One repository a model below ${prefix}/, made on the first push.`,
    );
  }
}
