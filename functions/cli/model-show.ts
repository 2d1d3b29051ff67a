/** How `kashi model show` prints models, versions and where they come from. */
import type { ModelState } from '../distribution/model-log.ts';
import { modelNames, readModel, readVersion } from '../distribution/model-registry.ts';
import { KashiError } from '../domain/errors.ts';
import { type ModelVersion, parseModelVersion } from '../domain/model-version.ts';
import { printJson, printLines, tableLines, visible } from './output.ts';
import type { Centre } from './wiring.ts';

const instant = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace('T', ' ');

/** All models, the versions of one, or one version. Errors: KashiError unknown_model. */
export async function showModels(centre: Centre, name: string | undefined, json: boolean): Promise<void> {
  if (name === undefined) {
    const states = await Promise.all(
      (await modelNames(centre.store)).map(async (model) => ({ model, state: await readModel(centre.store, model) })),
    );
    const rows = states.map(({ model, state }) => ({
      model,
      versions: state.versions.size,
      production: state.production,
      generation: state.generation,
    }));
    if (json) printJson({ models: rows });
    else if (rows.length === 0) printLines(['No model is registered. kashi model register --help']);
    else
      printLines(
        tableLines(
          ['model', 'versions', 'production', 'generation'],
          rows.map((row) => [row.model, `${row.versions}`, row.production ?? '–', `${row.generation}`]),
          new Set([1, 3]),
        ),
      );
  } else if (name.includes(':')) {
    const { model, version } = parseModelVersion(name);
    const found = await readVersion(centre.store, model, version);
    if (json) printJson(found.version);
    else printLines(versionLines(found.version, found.state));
  } else {
    const state = await readModel(centre.store, name);
    if (state.versions.size === 0) throw new KashiError('unknown_model', 'no such model', { found: name, hint: 'kashi model show' });
    if (json)
      printJson({
        model: name,
        production: state.production,
        generation: state.generation,
        versions: [...state.versions.values()],
        aliases: [...state.aliases.values()],
      });
    else
      printLines(
        tableLines(
          ['version', 'stage', 'registered', 'training job', 'aliases'],
          [...state.versions.values()].map((one) => versionRow(one, state)),
        ),
      );
  }
}

function aliasesOf(version: string, state: ModelState): string {
  return [...state.aliases.values()].flatMap((alias) => (alias.version === version ? [alias.alias] : [])).join(', ');
}

function versionRow({ version, stage, registered_at_ms, provenance }: ModelVersion, state: ModelState): string[] {
  return [version, stage, instant(registered_at_ms), provenance.training_job || '–', aliasesOf(version, state)];
}

function versionLines(version: ModelVersion, state: ModelState): string[] {
  const { model, version: name, stage, provenance, metrics, environment, approvals, history } = version;
  const pairs = (of: Readonly<Record<string, string>>): string =>
    Object.entries(of)
      .map(([key, value]) => `${key}=${value}`)
      .join('  ');
  const facts: readonly (readonly [string, string])[] = [
    ['stage', stage],
    ['aliases', aliasesOf(name, state)],
    ['training job', provenance.training_job],
    ['script', provenance.script],
    ['code', provenance.code_revision],
    ['data set', provenance.data_set],
    ['artefacts', provenance.artifacts],
    ['origin', [provenance.origin, provenance.origin_id].filter((part) => part !== '').join(' ')],
    ['hyperparameters', pairs(provenance.hyperparameters)],
    ['metrics', pairs(metrics)],
    ['environment', pairs(environment)],
  ];
  return [
    `${model}:${name}`,
    ...facts.filter(([, value]) => value !== '').map(([label, value]) => `  ${label.padEnd(16)} ${visible(value)}`),
    ...approvals.map((one) => `  approved for ${one.for} by ${visible(one.by)}, ${instant(one.at_ms)}: ${visible(one.reason)}`),
    ...history.map(
      (one) =>
        `  ${instant(one.at_ms)}  ${one.from ?? '–'} → ${one.to}${one.generation === null ? '' : ` (generation ${one.generation})`}  ${visible(one.by)}`,
    ),
  ];
}
