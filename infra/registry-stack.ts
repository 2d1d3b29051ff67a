/** The registry at headquarters: what it replicates, how its repositories are made, scanning, signing. One of a kind for an account and Region. */
import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import { CfnReplicationConfiguration, CfnSigningConfiguration } from 'aws-cdk-lib/aws-ecr';
import type { Construct } from 'constructs';
import type { EcrAddress } from '../functions/domain/ecr-host.ts';
import { PRODUCTION_PREFIX, STAGING_PREFIX } from '../functions/domain/image-release.ts';
import type { DistributionConfig } from './config.ts';
import { BASE_PREFIX, repositoryTemplate, scanning } from './constructs/registry-settings.ts';
import { desiredReplication } from './registries.ts';

export interface RegistryStackProps extends StackProps {
  readonly distribution: DistributionConfig;
  readonly hq: EcrAddress;
}

/** Candidates that nobody tagged are kept so long. */
const STAGING_DAYS = 30;

export class RegistryStack extends Stack {
  constructor(scope: Construct, id: string, { distribution, hq, ...props }: RegistryStackProps) {
    super(scope, id, props);
    repositoryTemplate(this, BASE_PREFIX, { appliedFor: ['CREATE_ON_PUSH'] });
    repositoryTemplate(this, STAGING_PREFIX, { appliedFor: ['CREATE_ON_PUSH'], untaggedDays: STAGING_DAYS });
    repositoryTemplate(this, PRODUCTION_PREFIX, { appliedFor: ['CREATE_ON_PUSH'] });
    scanning(this, distribution.scan, [STAGING_PREFIX, PRODUCTION_PREFIX]);
    this.replicate(distribution, hq);
    this.sign(distribution);
  }

  /** The quotas of AWS were asked before: what CloudFormation would take and ECR refuse, or silently not do, does not get this far. */
  private replicate(distribution: DistributionConfig, hq: EcrAddress): void {
    const rules = desiredReplication(hq, distribution).map(({ destinations, prefixes }) => ({
      destinations: destinations.map(({ region, registryId }) => ({ region, registryId })),
      repositoryFilters: prefixes.map((filter) => ({ filter, filterType: 'PREFIX_MATCH' })),
    }));
    new CfnReplicationConfiguration(this, 'Replication', { replicationConfiguration: { rules } });
    new CfnOutput(this, 'replicatedTo', {
      value: rules.flatMap(({ destinations }) => destinations.map(({ region }) => region)).join(' ') || 'nowhere',
    });
  }

  private sign({ signing_profile: profile }: DistributionConfig): void {
    if (profile === null) return;
    const repositoryFilters = [{ filter: `${PRODUCTION_PREFIX}/*`, filterType: 'WILDCARD_MATCH' }];
    new CfnSigningConfiguration(this, 'Signing', { rules: [{ signingProfileArn: profile, repositoryFilters }] });
  }
}
