/** The stacks of model distribution of a stage: headquarters, its registry, and one for each Region that edges pull from. */
import type { App } from 'aws-cdk-lib';
import { parseEcrHost } from '../functions/domain/ecr-host.ts';
import { makeBuildSource } from './build-source.ts';
import type { StageConfig } from './config.ts';
import type { StageParts } from './constructs/stage-function.ts';
import { ATTESTATION_ALIAS, BUS_NAME, DistributionStack } from './distribution-stack.ts';
import { EdgeStack } from './edge-stack.ts';
import { edgeRegions, refuseSharedRegistries } from './registries.ts';
import { RegistryStack } from './registry-stack.ts';

/** Stages of an app that distribute models: two of them must not share a registry. */
const distributing = new WeakMap<App, StageConfig[]>();

/**
 * Null for a stage without distribution. Edges first: templates there must stand before headquarters sends the first replica.
 * Errors: KashiError config_invalid for another stage of the app in the same registry.
 */
export function distribute(app: App, config: StageConfig, parts: StageParts): DistributionStack | null {
  const { stage, account, region, distribution } = config;
  if (distribution === null) return null;
  distributing.set(app, [...(distributing.get(app) ?? []), config]);
  refuseSharedRegistries(distributing.get(app) ?? []);
  const withCode = app.node.tryGetContext('bundle') !== 'none';
  const env = { ...(account === null ? {} : { account }), ...(region === null ? {} : { region }) };
  const hq = parseEcrHost(distribution.fleet.registryUrl);
  const name = (part: string): string => `kashi-${stage}-${part}`;
  const attestationKey = ATTESTATION_ALIAS(stage);
  const source = { stage, centre: config.centre, fleet: distribution.folder, attestationKey };
  const stack = new DistributionStack(app, name('distribution'), {
    env,
    config,
    distribution,
    parts,
    buildSource: withCode ? makeBuildSource(source) : parts.bundle,
    description: 'kashi: hooks, builds, rollouts to edges',
  });
  if (hq === null) return stack;
  const registry = new RegistryStack(app, name('registry'), { env, distribution, hq, description: 'kashi: the registry at headquarters' });
  for (const edge of edgeRegions(distribution)) {
    const busArn = `arn:${partitionOf(hq.region)}:events:${hq.region}:${hq.account}:event-bus/${BUS_NAME(stage)}`;
    const made = new EdgeStack(app, name(`edge-${edge}`), {
      stage,
      scan: distribution.scan,
      busArn,
      env: { account: hq.account, region: edge },
      description: `kashi: edges that pull from ${edge}`,
    });
    made.addStackDependency(stack);
    registry.addStackDependency(made);
  }
  return stack;
}

function partitionOf(region: string): string {
  return region.startsWith('cn-') ? 'aws-cn' : region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws';
}
