/** `kashi model`: versions of models, who let them through, and what is in production. */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Command } from 'commander';
import { approve, moveVersion, type Outcome, register, setAlias } from '../distribution/model-registry.ts';
import { type Judgement, promote } from '../distribution/promotion.ts';
import { KashiError } from '../domain/errors.ts';
import { parseModelVersion } from '../domain/model-version.ts';
import { type CommonOptions, withCentreOptions } from './centre-options.ts';
import { ensureKey } from './close.ts';
import { showModels } from './model-show.ts';
import { EXIT, printJson, printLines, visible } from './output.ts';
import { reachable } from './reachable.ts';
import { type Centre, openCentre, trustedKey } from './wiring.ts';
import { openModels, openRegistry } from './wiring-models.ts';

interface ActOptions extends CommonOptions {
  readonly by: string;
  readonly reason: string;
  readonly models?: string;
  readonly registry?: string;
}

interface RegisterOptions extends CommonOptions {
  readonly by: string;
  readonly script: string;
  readonly codeRevision: string;
  readonly dataSet: string;
  readonly trainingJob: string;
  readonly artifacts: string;
  readonly hyperparameter: Record<string, string>;
  readonly metric: Record<string, string>;
  readonly environment: Record<string, string>;
}

const EXAMPLES = `
Examples:
  kashi model register llama3-8b-sft:v2.1.0 --artifacts ./out --training-job job-7781 --metric accuracy=0.8125 --by "Li Wei"
  kashi model promote llama3-8b-sft:v2.1.0 --to staging --by "Li Wei" --reason "evaluation passed"
  kashi model approve llama3-8b-sft:v2.1.0 --by "Zhao Min" --reason "red team passed"
  kashi model promote llama3-8b-sft:v2.1.0 --by "Li Wei" --reason "weekly train"
  kashi model show llama3-8b-sft

Gates of a promotion to production: the stage, the metrics and approvals that models.yaml wants, an attested image, a token price in force.
Going back to an older version is the same command, and a new generation.`;

export function modelCommand(): Command {
  const command = new Command('model')
    .description('versions of models: where they come from, how good they are, how far they are let through')
    .addHelpText('after', EXAMPLES);
  command.addCommand(registerCommand());
  const act = (name: string, description: string): Command =>
    withCentreOptions(
      new Command(name)
        .description(description)
        .argument('<model:version>')
        .requiredOption('--by <name>', 'who does it')
        .requiredOption('--reason <text>', 'why'),
    );
  command.addCommand(
    act('promote', 'to production through its gates, or to staging')
      .option('--to <stage>', 'production or staging', 'production')
      .option('--models <file>', 'models.yaml (default: beside kashi.yaml)')
      .option('--registry <url>', 'registry at headquarters (default: that of models.yaml)')
      .action(async (name: string, options: ActOptions & { to: string }) => {
        process.exitCode = await reachable(() => promoteTo(openCentre(options), name, options));
      }),
  );
  command.addCommand(
    act('approve', 'one pair of eyes for production').action(async (name: string, options: ActOptions) => {
      const { model, version } = parseModelVersion(name);
      const centre = openCentre(options);
      said(options, name, 'approved', await approve(centre, model, version, 'production', options));
    }),
  );
  for (const [verb, to, description] of [
    ['archive', 'archived', 'take a version out of use; its releases stay'],
    ['reject', 'rejected', 'never let a version through'],
  ] as const)
    command.addCommand(
      act(verb, description).action(async (name: string, options: ActOptions) => {
        const { model, version } = parseModelVersion(name);
        said(
          options,
          name,
          to,
          await moveVersion(openCentre(options), model, version, { to, by: options.by, reason: options.reason, evidence: null }),
        );
      }),
    );
  command.addCommand(aliasCommand());
  command.addCommand(
    withCentreOptions(
      new Command('show').description('all models, the versions of one, or one version').argument('[model[:version]]'),
    ).action(
      async (name: string | undefined, options: CommonOptions) => await showModels(openCentre(options), name, options.json === true),
    ),
  );
  return command;
}

const pair = (text: string, earlier: Record<string, string>): Record<string, string> => {
  const [, name = '', value = ''] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (name === '') throw new KashiError('usage', 'not a pair', { allowed: 'name=value', found: text });
  return { ...earlier, [name]: value };
};

function registerCommand(): Command {
  return withCentreOptions(
    new Command('register').description('a new version; what is registered never changes').argument('<model:version>'),
  )
    .requiredOption('--by <name>', 'who registers it')
    .option('--artifacts <uri>', 'where its files are: a path or file:///…', '')
    .option('--script <name>', 'training script', '')
    .option('--code-revision <hash>', 'revision of the training code', '')
    .option('--data-set <name>', 'data set with its version', '')
    .option('--training-job <id>', 'workload of the training, as the scheduler names it: joins its GPU-hours', '')
    .option('--hyperparameter <name=value>', 'may be repeated', pair, {})
    .option('--metric <name=decimal>', 'may be repeated', pair, {})
    .option('--environment <name=value>', 'versions of the training environment; may be repeated', pair, {})
    .action(async (name: string, options: RegisterOptions) => {
      const { model, version } = parseModelVersion(name);
      const {
        script,
        codeRevision: code_revision,
        dataSet: data_set,
        trainingJob: training_job,
        artifacts,
        hyperparameter: hyperparameters,
      } = options;
      const provenance = {
        script,
        code_revision,
        data_set,
        hyperparameters,
        training_job,
        artifacts: absolute(artifacts),
        origin: '',
        origin_id: '',
      };
      const facts = { model, version, provenance, metrics: options.metric, environment: options.environment };
      said(options, name, 'registered', await register(openCentre(options), facts, options.by));
    });
}

/** A path is the same wherever the build is started; a URI is what it is. */
function absolute(artifacts: string): string {
  return artifacts === '' || /^[a-z][a-z0-9+.-]*:/i.test(artifacts) ? artifacts : pathToFileURL(resolve(artifacts)).href;
}

function aliasCommand(): Command {
  return withCentreOptions(
    new Command('alias')
      .description('point a name such as champion at a version')
      .argument('<model>')
      .argument('<alias>')
      .argument('<version>', '- for none'),
  )
    .requiredOption('--by <name>', 'who does it')
    .action(async (model: string, alias: string, version: string, options: ActOptions) => {
      said(
        options,
        `${model} ${alias}`,
        version,
        await setAlias(openCentre(options), model, alias, version === '-' ? null : version, options.by),
      );
    });
}

function said({ json }: CommonOptions, name: string, what: string, { outcome }: Outcome): void {
  if (json === true) printJson({ name, state: what, outcome });
  else printLines([`${outcome === 'new' ? '' : 'Already so: '}${name} is ${what}.`]);
}

async function promoteTo(centre: Centre, name: string, options: ActOptions & { to: string }): Promise<number> {
  const { model, version } = parseModelVersion(name);
  const { by, reason, to, json } = options;
  if (to === 'staging') {
    said(options, name, to, await moveVersion(centre, model, version, { to, by, reason, evidence: null }));
    return EXIT.ok;
  }
  if (to !== 'production')
    throw new KashiError('usage', 'not a stage to promote to', { where: '--to', allowed: 'staging, production', found: to });
  const models = openModels(centre, options);
  const registry = await openRegistry(centre, models, options.registry);
  await ensureKey(centre);
  const { metrics, approvals, pricedAs } = models.gates;
  const rules = { metrics, approvals, ...(Object.hasOwn(pricedAs, model) ? { pricedAs: pricedAs[model] as string } : {}) };
  const { store, clock, priceBook } = centre;
  const done = await promote({ store, clock, registry, trustedKey: trustedKey(centre, null) ?? '', priceBook, rules }, model, version, {
    by,
    reason,
  });
  if (json === true) printJson(promotionJson(name, done));
  else {
    printLines(judgementLines(done.judgements));
    if (!done.promoted) printLines(['', `Not promoted: ${done.judgements.filter(({ passed }) => !passed).length} gates are shut.`]);
    else
      printLines([
        '',
        `${name} is in production, generation ${done.outcome.state.generation}; images admitted: ${done.releases.length}, bytes moved: ${done.bytesMoved}.`,
      ]);
  }
  return done.promoted ? EXIT.ok : EXIT.checkFailed;
}

function promotionJson(name: string, done: Awaited<ReturnType<typeof promote>>): object {
  if (!done.promoted) return { name, promoted: false, judgements: done.judgements };
  const { judgements, evidence, releases, bytesMoved, outcome } = done;
  return { name, promoted: true, generation: outcome.state.generation, evidence, bytes_moved: bytesMoved, releases, judgements };
}

function judgementLines(judgements: readonly Judgement[]): string[] {
  return judgements.flatMap(({ gate, subject, passed, found, hint }) => [
    `${passed ? 'open' : 'SHUT'}  ${gate.padEnd(9)}  ${visible(subject)}: ${visible(found)}`,
    ...(hint === '' ? [] : [`      → ${visible(hint)}`]),
  ]);
}
