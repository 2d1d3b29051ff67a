/** A Region where edges pull from: how replicas are kept there, who may pull, and what happens there told to headquarters. */
import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import { EventBus, Rule } from 'aws-cdk-lib/aws-events';
import { EventBus as BusTarget } from 'aws-cdk-lib/aws-events-targets';
import { AccountRootPrincipal, PolicyStatement, Role } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import { PRODUCTION_PREFIX } from '../functions/domain/image-release.ts';
import { acknowledge } from './acknowledge.ts';
import { repositoryTemplate, scanning } from './constructs/registry-settings.ts';

export interface EdgeStackProps extends StackProps {
  readonly stage: string;
  readonly scan: 'basic' | 'enhanced';
  /** Of the bus at headquarters. */
  readonly busArn: string;
  /** Account and Region, known at synth. */
  readonly env: { readonly account: string; readonly region: string };
}

/** What ECR tells of images; pushes are copies that kashi made itself. */
export const IMAGE_EVENTS = ['ECR Replication Action', 'ECR Image Action', 'ECR Referrer Action', 'ECR Image Scan'];

export class EdgeStack extends Stack {
  readonly puller: Role;

  constructor(scope: Construct, id: string, { stage, scan, busArn, env, ...props }: EdgeStackProps) {
    super(scope, id, { env, ...props });
    // Before the first replica comes: a template counts for repositories that are made later.
    repositoryTemplate(this, PRODUCTION_PREFIX, { appliedFor: ['REPLICATION', 'CREATE_ON_PUSH'] });
    scanning(this, scan, [PRODUCTION_PREFIX]);
    this.forward(busArn, env.region);
    this.puller = this.makePuller(stage, env);
  }

  /** Best effort, as events of ECR are: every minute the rollout asks the registries themselves. */
  private forward(busArn: string, region: string): void {
    new Rule(this, `Images-${region}`, {
      description: 'what happened to production images here, to headquarters',
      eventPattern: { source: ['aws.ecr'], detailType: IMAGE_EVENTS, detail: { 'repository-name': [{ prefix: `${PRODUCTION_PREFIX}/` }] } },
      targets: [new BusTarget(EventBus.fromEventBusArn(this, `Headquarters-${region}`, busArn))],
    });
  }

  /** Nodes of the edges assume it (EKS pod identity, IAM Roles Anywhere, an instance's role): whom the account lets. It reads, and nothing else. */
  private makePuller(stage: string, { account, region }: EdgeStackProps['env']): Role {
    const role = new Role(this, `Puller-${region}`, {
      roleName: `kashi-${stage}-pull-${region}`,
      description: `kashi: pulls production images in ${region}`,
      assumedBy: new AccountRootPrincipal(),
    });
    role.addToPolicy(new PolicyStatement({ actions: ['ecr:GetAuthorizationToken'], resources: ['*'] }));
    acknowledge(role, 'IAM5[Resource::*]', 'GetAuthorizationToken knows no resources; a token alone allows nothing.');
    const repositories = `repository/${PRODUCTION_PREFIX}/*`;
    role.addToPolicy(
      new PolicyStatement({
        actions: [
          'ecr:BatchCheckLayerAvailability',
          'ecr:BatchGetImage',
          'ecr:DescribeImages',
          'ecr:GetDownloadUrlForLayer',
          'ecr:ListImageReferrers',
        ],
        resources: [this.formatArn({ service: 'ecr', resource: repositories })],
      }),
    );
    const reason = 'Repositories of production models, one a model, are made by replication.';
    acknowledge(role, `IAM5[Resource::arn:<AWS::Partition>:ecr:${region}:${account}:${repositories}]`, reason);
    new CfnOutput(this, 'pullRole', { value: role.roleArn });
    return role;
  }
}
