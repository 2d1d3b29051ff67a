/** The stacks of a stage. By lifetime: what must survive is apart from what can be destroyed and made again. */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { App } from 'aws-cdk-lib';
import { AnalystStack } from './analyst-stack.ts';
import { BillingStack } from './billing-stack.ts';
import { BudgetStack } from './budget-stack.ts';
import { addFleet } from './build-source.ts';
import { type Bundles, makeBundles } from './bundle.ts';
import { CatalogStack } from './catalog-stack.ts';
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
  readonly catalog: CatalogStack;
}

/** Context `bundle=none` leaves the code out: for looking at templates only. Errors: KashiError, those of readStage and makeBundles. */
export function makeApp(app: App, stage: string, config: StageConfig = readStage(stage)): Stacks {
  const withCode = app.node.tryGetContext('bundle') !== 'none';
  const bundles = withCode ? makeBundles(config.architecture, config.centre) : emptyBundles();
  // Before any stack: the code is copied as it is when the first function names it.
  if (withCode && config.distribution !== null) addFleet(config.distribution.folder, bundles.plain);
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
  const parts: StageParts = { stage, architecture: config.architecture, bundles, buckets: storage.buckets, signingKey: storage.signingKey };
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
  const analyst = new AnalystStack(app, name('analyst'), {
    env,
    config,
    parts,
    logs: storage.logs,
    description: 'kashi: closed bills for analysts',
  });
  const catalog = new CatalogStack(app, name('catalog'), {
    env,
    config,
    parts,
    results: analyst.results,
    undelivered,
    description: 'kashi: the newest snapshot for analysts',
  });
  const operations = new OperationsStack(app, name('operations'), {
    env,
    config,
    distribution,
    ingest,
    billing,
    catalog,
    description: 'kashi: alarms, dashboard',
  });
  const budget = new BudgetStack(app, name('budget'), {
    env,
    config,
    people: operations.people,
    description: 'kashi: what a month may cost',
  });
  return { storage, ingest, billing, operations, budget, analyst, catalog };
}

function emptyBundles(): Bundles {
  const folder = fileURLToPath(new URL('../.cache/infra/no-bundle/', import.meta.url));
  mkdirSync(folder, { recursive: true });
  return { plain: folder, printing: folder };
}
