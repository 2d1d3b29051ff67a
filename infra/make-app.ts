/** The stacks of a stage. By lifetime: what must survive is apart from what can be destroyed and made again. */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { App } from 'aws-cdk-lib';
import { AnalystStack } from './analyst-stack.ts';
import { BillingStack } from './billing-stack.ts';
import { BudgetStack } from './budget-stack.ts';
import { addFleet } from './build-source.ts';
import { makeBundle } from './bundle.ts';
import { readStage, type StageConfig } from './config.ts';
import type { StageParts } from './constructs/stage-function.ts';
import { distribute } from './distribution-app.ts';
import { IngestStack } from './ingest-stack.ts';
import { OperationsStack } from './operations-stack.ts';
import { StorageStack } from './storage-stack.ts';

export interface Stacks {
  readonly storage: StorageStack;
  readonly ingest: IngestStack;
  readonly billing: BillingStack;
  readonly operations: OperationsStack;
  readonly budget: BudgetStack;
  readonly analyst: AnalystStack;
}

/** Context `bundle=none` leaves the code out: for looking at templates only. Errors: KashiError, those of readStage and makeBundle. */
export function makeApp(app: App, stage: string, config: StageConfig = readStage(stage)): Stacks {
  const bundle = app.node.tryGetContext('bundle') === 'none' ? emptyBundle() : makeBundle(config.architecture, config.centre);
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
  // Before any function: the CDK looks at a folder once.
  const withCode = app.node.tryGetContext('bundle') !== 'none';
  if (withCode && config.distribution !== null) addFleet(config.distribution.folder, parts.bundle);
  const ingest = new IngestStack(app, name('ingest'), { env, config, parts, description: 'kashi: landed objects to snapshots' });
  const distribution = distribute(app, config, parts);
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
  const operations = new OperationsStack(app, name('operations'), {
    env,
    config,
    distribution,
    ingest,
    billing,
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
  return { storage, ingest, billing, operations, budget, analyst };
}

function emptyBundle(): string {
  const folder = fileURLToPath(new URL('../.cache/infra/no-bundle/', import.meta.url));
  mkdirSync(folder, { recursive: true });
  return folder;
}
