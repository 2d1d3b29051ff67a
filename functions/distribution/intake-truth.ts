/** What a hook pointed at, fetched from where it is kept, and what follows for kashi's own registry. Idempotent by model, version and alias. */
import { KashiError } from '../domain/errors.ts';
import { isVersionName, type ModelVersionFacts, type Provenance, type Stage } from '../domain/model-version.ts';
import { isDecimalText } from '../domain/money.ts';
import type { ExternalVersion, ModelSource } from '../ports.ts';
import type { AcceptedHook } from './intake-queue.ts';
import { moveVersion, type RegistryDependencies, readModel, register, setAlias } from './model-registry.ts';

export interface TruthOptions {
  readonly source: ModelSource;
  /** Name there → name here; a name that is missing is taken as it is when it may be. */
  readonly models: Readonly<Record<string, string>>;
  /** Aliases, stages and statuses there that ask for staging here. Production has gates, which no hook opens. */
  readonly staging: readonly string[];
}

export interface Applied {
  readonly model: string;
  readonly version: string;
  readonly did: readonly string[];
}

/** Looks at everything the hook points at. Errors: those of the source; KashiError not_found for a version that it does not have. */
export async function applyHook(dependencies: RegistryDependencies, options: TruthOptions, hook: AcceptedHook): Promise<Applied[]> {
  const applied: Applied[] = [];
  for (const pointer of hook.pointers) {
    const versions = await options.source.versions(pointer.model, pointer.version);
    if (versions.length === 0)
      throw new KashiError('not_found', 'the registry has no such version', {
        where: options.source.name,
        found: `${pointer.model}:${pointer.version}`,
      });
    for (const version of versions) applied.push(await applyVersion(dependencies, options, pointer.model, version));
  }
  return applied;
}

async function applyVersion(
  dependencies: RegistryDependencies,
  { source, models, staging }: TruthOptions,
  named: string,
  external: ExternalVersion,
): Promise<Applied> {
  const model = Object.hasOwn(models, named) ? (models[named] as string) : named;
  const { version } = external;
  const by = `hook of ${source.name}`;
  const did: string[] = [];
  const before = await readModel(dependencies.store, model);
  // A version never changes here, whatever is written beside it there later.
  if (!before.versions.has(version)) {
    await register(dependencies, factsOf(model, external, source.name), by);
    did.push('registered');
  }
  for (const alias of external.aliases.filter(isVersionName)) {
    if ((await setAlias(dependencies, model, alias, version, by)).outcome === 'new') did.push(`alias ${alias}`);
  }
  for (const { alias, version: at } of before.aliases.values()) {
    if (at !== version || external.aliases.includes(alias)) continue;
    await setAlias(dependencies, model, alias, null, by);
    did.push(`alias ${alias} removed`);
  }
  const to = wantedStage(external, staging);
  const stage = (await readModel(dependencies.store, model)).versions.get(version)?.stage;
  if (to !== null && (stage === 'registered' || (stage === 'staging' && to === 'rejected'))) {
    await moveVersion(dependencies, model, version, { to, by, reason: `${external.states.join(', ')} there`, evidence: null });
    did.push(`stage ${to}`);
  }
  return { model, version, did };
}

function wantedStage({ aliases, states }: ExternalVersion, staging: readonly string[]): Stage | null {
  const said = [...aliases, ...states].map((text) => text.toLowerCase());
  if (said.includes('rejected')) return 'rejected';
  return staging.some((name) => said.includes(name.toLowerCase())) ? 'staging' : null;
}

function factsOf(model: string, external: ExternalVersion, origin: string): ModelVersionFacts {
  const { version, metrics, environment, provenance, id } = external;
  const unknown: Provenance = {
    script: '',
    code_revision: '',
    data_set: '',
    hyperparameters: {},
    training_job: '',
    artifacts: '',
    origin,
    origin_id: id,
  };
  // A metric that is no number (NaN, Infinity) is not one that a gate could judge.
  const decimals = Object.fromEntries(Object.entries(metrics).filter(([, value]) => isDecimalText(value)));
  return { model, version, provenance: { ...unknown, ...provenance, origin, origin_id: id }, metrics: decimals, environment };
}
