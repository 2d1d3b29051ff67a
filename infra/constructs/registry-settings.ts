/** Settings of a registry of ECR: how repositories are made there, and what is scanned. */
import { CfnRegistryScanningConfiguration, CfnRepositoryCreationTemplate } from 'aws-cdk-lib/aws-ecr';
import type { Construct } from 'constructs';

/** Images that recipes build on, such as a server without a model. */
export const BASE_PREFIX = 'base-models';

export interface TemplateOptions {
  readonly appliedFor: readonly ('REPLICATION' | 'CREATE_ON_PUSH')[];
  /** Images without a tag are deleted after so many days. @default never: rollouts go by digest, and a clash of tags leaves images without one */
  readonly untaggedDays?: number;
}

/**
 * Repositories below a prefix are made by themselves, with tags that never move. Repositories that are there already keep what they have. No rule
 * deletes images that have a tag: a count or an age knows nothing of an edge that still runs one by digest.
 */
export function repositoryTemplate(
  scope: Construct,
  prefix: string,
  { appliedFor, untaggedDays }: TemplateOptions,
): CfnRepositoryCreationTemplate {
  const rule = {
    rulePriority: 1,
    description: 'candidates that were replaced',
    selection: { tagStatus: 'untagged', countType: 'sinceImagePushed', countUnit: 'days', countNumber: untaggedDays },
    action: { type: 'expire' },
  };
  return new CfnRepositoryCreationTemplate(scope, `Template-${prefix}`, {
    prefix,
    description: `kashi: ${prefix}`,
    appliedFor: [...appliedFor],
    imageTagMutability: 'IMMUTABLE',
    encryptionConfiguration: { encryptionType: 'AES256' },
    ...(untaggedDays === undefined ? {} : { lifecyclePolicy: JSON.stringify({ rules: [rule] }) }),
  });
}

export function scanning(scope: Construct, scan: 'basic' | 'enhanced', prefixes: readonly string[]): void {
  const scanFrequency = scan === 'enhanced' ? 'CONTINUOUS_SCAN' : 'SCAN_ON_PUSH';
  new CfnRegistryScanningConfiguration(scope, 'Scanning', {
    scanType: scan.toUpperCase(),
    rules: [{ scanFrequency, repositoryFilters: prefixes.map((prefix) => ({ filter: `${prefix}/*`, filterType: 'WILDCARD' })) }],
  });
}
