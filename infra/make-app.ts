/** The stacks of a stage. By lifetime: what must survive is apart from what can be destroyed and made again. */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { App } from 'aws-cdk-lib';
import { parseEcrHost } from '../functions/domain/ecr-host.ts';
import { AnalystStack } from './analyst-stack.ts';
import { BillingStack } from './billing-stack.ts';
import { BudgetStack } from './budget-stack.ts';
import { makeBuildSource } from './build-source.ts';
import { makeBundle } from './bundle.ts';
import { type DistributionConfig, readStage, type StageConfig } from './config.ts';
import type { StageParts } from './constructs/stage-function.ts';
import { ATTESTATION_ALIAS, BUS_NAME, DistributionStack } from './distribution-stack.ts';
import { EdgeStack } from './edge-stack.ts';
import { IngestStack } from './ingest-stack.ts';
import { OperationsStack } from './operations-stack.ts';
import { edgeRegions, refuseSharedRegistries } from './registries.ts';
import { RegistryStack } from './registry-stack.ts';
import { StorageStack } from './storage-stack.ts';

export interface Stacks {
  readonly storage: StorageStack;
  readonly ingest: IngestStack;
  readonly billing: BillingStack;
  readonly operations: OperationsStack;
  readonly budget: BudgetStack;
  readonly analyst: AnalystStack;
  /** Null for a stage without distribution. */
  readonly distribution: DistributionStack | null;
}

/** Stages of an app that distribute models: two of them must not share a registry. */
const distributing = new WeakMap<App, StageConfig[]>();

/** Context `bundle=none` leaves the code out: for looking at templates only. Errors: KashiError, those of readStage and makeBundle. */
export function makeApp(app: App, stage: string, config: StageConfig = readStage(stage)): Stacks {
  const withCode = app.node.tryGetContext('bundle') !== 'none';
  const bundle = withCode ? makeBundle(config.architecture, config.centre, config.distribution?.folder ?? null) : emptyBundle();
  const env = {
    ...(config.account === null ? {} : { account: config.account }),
    ...(config.region === null ? {} : { region: config.region }),
  };
  const name = (part: string): string => `kashi-${stage}-${part}`;
  const storage = new StorageStack(app, name('storage'), {
    env,
    config,
    description: 'kashi: raw logs, warehouse, bills, keys',
    terminationProtection: true,
  });
  const parts: StageParts = { stage, architecture: config.architecture, bundle, buckets: storage.buckets, signingKey: storage.signingKey };
  const ingest = new IngestStack(app, name('ingest'), { env, config, parts, description: 'kashi: landed objects to snapshots' });
  const { deadLetters, undelivered } = ingest;
  const billing = new BillingStack(app, name('billing'), {
    env,
    config,
    parts,
    seal: ingest.functions.seal,
    deadLetters,
    undelivered,
    description: 'kashi: snapshots to bills',
  });
  const distribution = config.distribution === null ? null : distribute(app, config, config.distribution, parts, withCode);
  const operations = new OperationsStack(app, name('operations'), {
    env,
    config,
    ingest,
    billing,
    distribution,
    description: 'kashi: alarms, dashboard',
  });
  const budget = new BudgetStack(app, name('budget'), {
    env,
    config,
    people: operations.people,
    description: 'kashi: what a month may cost',
  });
  const analyst = new AnalystStack(app, name('analyst'), {
    env,
    config,
    parts,
    logs: storage.logs,
    description: 'kashi: closed bills for analysts',
  });
  return { storage, ingest, billing, operations, budget, analyst, distribution };
}

/** Edges first: templates there must stand before headquarters sends the first replica. */
function distribute(
  app: App,
  config: StageConfig,
  distribution: DistributionConfig,
  parts: StageParts,
  withCode: boolean,
): DistributionStack {
  const { stage, account, region } = config;
  distributing.set(app, [...(distributing.get(app) ?? []), config]);
  refuseSharedRegistries(distributing.get(app) ?? []);
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
    buildSource: withCode ? makeBuildSource(source) : emptyBundle(),
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

function emptyBundle(): string {
  const folder = fileURLToPath(new URL('../.cache/infra/no-bundle/', import.meta.url));
  mkdirSync(folder, { recursive: true });
  return folder;
}
