/** What happened to the versions of one model, and what that adds up to. Pure: the log is read and written elsewhere. */
import { assert } from '../domain/errors.ts';
import type { Alias, Approval, ModelVersion, ModelVersionFacts, Stage } from '../domain/model-version.ts';
import type { LogEntry } from './event-log.ts';

export type ModelEvent =
  | { readonly kind: 'registered'; readonly facts: ModelVersionFacts; readonly by: string }
  | { readonly kind: 'approved'; readonly version: string; readonly for: Stage; readonly by: string; readonly reason: string }
  | {
      readonly kind: 'moved';
      readonly version: string;
      readonly from: Stage;
      readonly to: Stage;
      readonly by: string;
      readonly reason: string;
      readonly generation: number | null;
      /** SHA-256 of the judged gates; null where there are none. */
      readonly evidence: string | null;
      /** The version that was in production until now, and is archived by this. */
      readonly supersedes: string | null;
    }
  /** `version` null: the alias points nowhere. */
  | { readonly kind: 'aliased'; readonly alias: string; readonly version: string | null; readonly by: string };

export interface ModelState {
  readonly versions: ReadonlyMap<string, ModelVersion>;
  readonly aliases: ReadonlyMap<string, Alias>;
  /** Promotions to production so far. */
  readonly generation: number;
  /** The version in production; null before the first and after it was archived. */
  readonly production: string | null;
}

const EMPTY: ModelState = { versions: new Map(), aliases: new Map(), generation: 0, production: null };

/** The state after all entries. Errors: assertion on an entry that the writer could not have decided. */
export function foldModel(entries: readonly LogEntry<ModelEvent>[]): ModelState {
  return entries.reduce(apply, EMPTY);
}

function apply(state: ModelState, { event, at_ms }: LogEntry<ModelEvent>): ModelState {
  switch (event.kind) {
    case 'registered': {
      const version: ModelVersion = {
        ...event.facts,
        stage: 'registered',
        approvals: [],
        history: [{ from: null, to: 'registered', by: event.by, at_ms, generation: null, evidence: null }],
        registered_at_ms: at_ms,
      };
      return withVersion(state, version);
    }
    case 'approved': {
      const found = versionOf(state, event.version);
      const approval: Approval = { by: event.by, reason: event.reason, for: event.for, at_ms };
      return withVersion(state, { ...found, approvals: [...found.approvals, approval] });
    }
    case 'moved':
      return move(state, event, at_ms);
    case 'aliased': {
      const { alias, version, by } = event;
      const history = [...(state.aliases.get(alias)?.history ?? []), { version, by, at_ms }];
      return { ...state, aliases: new Map([...state.aliases, [alias, { alias, version: version ?? '', history }]]) };
    }
  }
}

function move(state: ModelState, event: Extract<ModelEvent, { kind: 'moved' }>, at_ms: number): ModelState {
  const { version, from, to, by, generation, evidence, supersedes } = event;
  const found = versionOf(state, version);
  assert(found.stage === from, `${version} is ${found.stage}, not ${from}`);
  let moved = withVersion(state, { ...found, stage: to, history: [...found.history, { from, to, by, at_ms, generation, evidence }] });
  if (supersedes !== null) {
    const old = versionOf(moved, supersedes);
    const change = { from: old.stage, to: 'archived' as const, by, at_ms, generation: null, evidence: null };
    moved = withVersion(moved, { ...old, stage: 'archived', history: [...old.history, change] });
  }
  const production = to === 'production' ? version : state.production === version ? null : state.production;
  return { ...moved, generation: generation ?? state.generation, production };
}

function withVersion(state: ModelState, version: ModelVersion): ModelState {
  return { ...state, versions: new Map([...state.versions, [version.version, version]]) };
}

function versionOf(state: ModelState, version: string): ModelVersion {
  const found = state.versions.get(version);
  assert(found !== undefined, `version ${version} was never registered`);
  return found;
}
