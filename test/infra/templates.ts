/** The templates of a stage as `cdk synth` makes them, without the code, and what cdk-nag says of them. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { makeApp, type Stacks } from '../../infra/make-app.ts';

export interface Resource {
  readonly Type: string;
  // biome-ignore lint/suspicious/noExplicitAny: a template is JSON of hundreds of shapes, and tests look into a few
  readonly Properties: any;
  readonly DeletionPolicy?: string;
}

export interface Finding {
  readonly rule: string;
  readonly path: string;
}

export interface Synthesised {
  readonly stacks: Stacks;
  /** Logical id → resource, of all stacks. */
  readonly resources: ReadonlyMap<string, Resource>;
  /** Resources of the stack kashi-<stage>-storage alone. */
  readonly storage: readonly Resource[];
  readonly findings: readonly Finding[];
}

const CDK_JSON = join(import.meta.dirname, '..', '..', 'cdk.json');

/** `alter` may add to the app before it is synthesised. */
export function synthesise(stage: string, alter: (app: App) => void = () => {}): Synthesised {
  const outdir = mkdtempSync(join(tmpdir(), 'kashi-synth-'));
  const { context } = JSON.parse(readFileSync(CDK_JSON, 'utf8')) as { context: Record<string, unknown> };
  try {
    const app = new App({
      outdir,
      context: { ...context, bundle: 'none', 'aws:cdk:disable-stack-trace': true },
      analyticsReporting: false,
    });
    const stacks = makeApp(app, stage);
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
    alter(app);
    const assembly = synth(app);
    const resources = assembly?.stacks.flatMap(({ template }) => Object.entries(template.Resources as Record<string, Resource>)) ?? [];
    const storage = assembly?.getStackByName(stacks.storage.stackName).template.Resources as Record<string, Resource> | undefined;
    return { stacks, resources: new Map(resources), storage: Object.values(storage ?? {}), findings: findingsOf(outdir) };
  } finally {
    rmSync(outdir, { recursive: true, force: true });
  }
}

/** Null when there are findings, which are for the test to judge. */
function synth(app: App): ReturnType<App['synth']> | null {
  try {
    return app.synth();
  } catch (error) {
    if ((error as Error).message.startsWith('Validation failed')) return null;
    throw error;
  }
}

interface Report {
  readonly pluginReports: readonly {
    readonly violations: readonly {
      readonly ruleName: string;
      readonly violatingConstructs: readonly { readonly constructPath: string }[];
    }[];
  }[];
}

function findingsOf(outdir: string): Finding[] {
  const report = JSON.parse(readFileSync(join(outdir, 'validation-report.json'), 'utf8')) as Report;
  return report.pluginReports.flatMap(({ violations }) =>
    violations.flatMap(({ ruleName: rule, violatingConstructs }) => violatingConstructs.map(({ constructPath: path }) => ({ rule, path }))),
  );
}
