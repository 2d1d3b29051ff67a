/** The model registry: one log a model in the store. Every act is decided on the log as it stands, and saying the same thing twice changes nothing. */
import { PREFIX } from '../contract.ts';
import { canonicalJson } from '../domain/canonical-json.ts';
import { KashiError } from '../domain/errors.ts';
import { isModelName, isVersionName, type ModelVersion, type ModelVersionFacts, type Stage } from '../domain/model-version.ts';
import { isDecimalText } from '../domain/money.ts';
import type { Clock, ObjectStore } from '../ports.ts';
import { appendDecided, readLog } from './event-log.ts';
import { foldModel, type ModelEvent, type ModelState } from './model-log.ts';

export interface RegistryDependencies {
  readonly store: ObjectStore;
  readonly clock: Clock;
}

export interface Actor {
  readonly by: string;
  readonly reason: string;
}

/** new: this call said it first. known: the log said so already. */
export interface Outcome {
  readonly outcome: 'new' | 'known';
  readonly state: ModelState;
}

function logOf(model: string): string {
  return `${PREFIX.models}${model}/`;
}

export async function readModel(store: ObjectStore, model: string): Promise<ModelState> {
  return foldModel((await readLog<ModelEvent>(store, logOf(model))).entries);
}

/** Names of the models that were ever registered, sorted. */
export async function modelNames(store: ObjectStore): Promise<string[]> {
  const names = new Set<string>();
  for await (const { key } of store.list(PREFIX.models)) names.add(key.slice(PREFIX.models.length).split('/')[0] ?? '');
  return [...names];
}

/** Errors: KashiError unknown_model for a model or version that was never registered. */
export async function readVersion(
  store: ObjectStore,
  model: string,
  version: string,
): Promise<{ version: ModelVersion; state: ModelState }> {
  const state = await readModel(store, model);
  return { version: versionIn(state, model, version), state };
}

/** The version in production and its generation, or null. */
export async function productionOf(
  store: ObjectStore,
  model: string,
): Promise<{ version: string; generation: number; promoted_at_ms: number } | null> {
  const { production, versions } = await readModel(store, model);
  const change = production === null ? undefined : versions.get(production)?.history.findLast(({ to }) => to === 'production');
  if (production === null || change === undefined) return null;
  return { version: production, generation: change.generation ?? 0, promoted_at_ms: change.at_ms };
}

/** Registers a version. Errors: KashiError usage for a wrong name or metric, conflict when it stands with other facts. */
export async function register(dependencies: RegistryDependencies, facts: ModelVersionFacts, by: string): Promise<Outcome> {
  checkFacts(facts);
  const { model, version } = facts;
  return await decide(dependencies, model, (state) => {
    const stands = state.versions.get(version);
    if (stands === undefined) return { kind: 'registered', facts, by };
    if (sameFacts(stands, facts)) return null;
    throw new KashiError('conflict', 'a version never changes', {
      where: `${model}:${version}`,
      allowed: 'the facts it was registered with',
      found: differences(stands, facts).join(', '),
      hint: 'register a new version',
    });
  });
}

/** An approval by a named person. The first of a person for a stage stands. Errors: KashiError usage, unknown_model. */
export async function approve(
  dependencies: RegistryDependencies,
  model: string,
  version: string,
  stage: Stage,
  actor: Actor,
): Promise<Outcome> {
  needActor(actor);
  return await decide(dependencies, model, (state) => {
    const { approvals } = versionIn(state, model, version);
    if (approvals.some((one) => one.by === actor.by && one.for === stage)) return null;
    return { kind: 'approved', version, for: stage, ...actor };
  });
}

/** Points an alias at a version, or nowhere. Errors: KashiError usage, unknown_model. */
export async function setAlias(
  dependencies: RegistryDependencies,
  model: string,
  alias: string,
  version: string | null,
  by: string,
): Promise<Outcome> {
  if (!isVersionName(alias)) throw new KashiError('usage', 'not an alias', { allowed: 'letters, digits, . _ -', found: alias });
  return await decide(dependencies, model, (state) => {
    if (version !== null) versionIn(state, model, version);
    if ((state.aliases.get(alias)?.version ?? '') === (version ?? '')) return null;
    return { kind: 'aliased', alias, version, by };
  });
}

/** Stages that a version may go to from each; production has gates, so promotion.ts goes there. */
const MOVES: Readonly<Record<Stage, readonly Stage[]>> = {
  registered: ['staging', 'rejected', 'archived'],
  staging: ['production', 'rejected', 'archived'],
  production: ['archived'],
  archived: ['production', 'staging'],
  rejected: [],
};

export interface Move extends Actor {
  readonly to: Stage;
  readonly evidence: string | null;
}

/** Moves a version. Errors: KashiError conflict for a way that does not exist, unknown_model, usage without a person. */
export async function moveVersion(dependencies: RegistryDependencies, model: string, version: string, move: Move): Promise<Outcome> {
  needActor(move);
  const { to, by, reason, evidence } = move;
  return await decide(dependencies, model, (state) => {
    const { stage: from } = versionIn(state, model, version);
    if (from === to) return null;
    if (!MOVES[from].includes(to))
      throw new KashiError('conflict', `a version does not go from ${from} to ${to}`, {
        where: `${model}:${version}`,
        allowed: MOVES[from].join(', ') || 'nowhere: register a new version',
        found: to,
      });
    const toProduction = to === 'production';
    const generation = toProduction ? state.generation + 1 : null;
    return { kind: 'moved', version, from, to, by, reason, generation, evidence, supersedes: toProduction ? state.production : null };
  });
}

async function decide(
  { store, clock }: RegistryDependencies,
  model: string,
  act: (state: ModelState) => ModelEvent | null,
): Promise<Outcome> {
  if (!isModelName(model))
    throw new KashiError('usage', 'not the name of a model', {
      allowed: 'lower-case letters and digits with . _ - between, at most 100',
      found: model,
    });
  const entry = await appendDecided<ModelEvent>(store, clock, logOf(model), (entries) => act(foldModel(entries)));
  return { outcome: entry === null ? 'known' : 'new', state: await readModel(store, model) };
}

function versionIn(state: ModelState, model: string, version: string): ModelVersion {
  const found = state.versions.get(version);
  if (found !== undefined) return found;
  const known = [...state.versions.keys()];
  throw new KashiError('unknown_model', state.versions.size === 0 ? 'no such model' : 'no such version', {
    where: `${model}:${version}`,
    allowed: known.length === 0 ? 'a registered model' : known.slice(-10).join(', '),
    hint: 'kashi model register',
  });
}

function checkFacts({ version, metrics }: ModelVersionFacts): void {
  if (!isVersionName(version))
    throw new KashiError('usage', 'not a version', {
      allowed: 'letters, digits, . _ - (it becomes an image tag), at most 60',
      found: version,
    });
  const wrong = Object.entries(metrics).find(([, value]) => !isDecimalText(value));
  if (wrong !== undefined)
    throw new KashiError('usage', 'a metric is a decimal', { where: `metric ${wrong[0]}`, allowed: 'such as 0.8125', found: wrong[1] });
}

function needActor({ by, reason }: Actor): void {
  for (const [name, text] of [
    ['--by', by],
    ['--reason', reason],
  ] as const)
    if (text.trim() === '')
      throw new KashiError('usage', 'who does this, and why, is part of the record', { where: name, found: 'nothing' });
}

const FACTS = ['model', 'version', 'provenance', 'metrics', 'environment'] as const;

function sameFacts(left: ModelVersionFacts, right: ModelVersionFacts): boolean {
  return differences(left, right).length === 0;
}

function differences(left: ModelVersionFacts, right: ModelVersionFacts): string[] {
  return FACTS.filter((name) => canonicalJson(left[name]) !== canonicalJson(right[name])).map((name) => `another ${name}`);
}
