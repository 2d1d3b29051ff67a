/** What both rollups work with. */
import { canonicalJson, sha256Hex } from '../domain/canonical-json.ts';
import type { ReferenceRows } from '../domain/reference.ts';
import type { SnapshotFile } from '../ledger/snapshot.ts';
import type { ObjectStore, Warehouse } from '../ports.ts';
import type { Model } from '../warehouse/model.ts';
import { planModels } from '../warehouse/plan.ts';
import type { Layer, Part } from './head.ts';

export interface RollupTools {
  readonly store: ObjectStore;
  readonly models: readonly Model[];
  readonly reference: ReferenceRows;
  /** The embedded engine over exactly these files, whose bytes were compared with their checksums. */
  readonly open: (files: readonly SnapshotFile[]) => Promise<Warehouse>;
  /** Words of the engine and its version: a rollup of another one is not used. */
  readonly engine: { readonly prelude: string; readonly version: string };
  /** A name that was never used. */
  readonly newName: () => string;
  /** Key of a stored part → its local path, for those that were taken. */
  readonly paths: Map<string, string>;
  /** Makes the parts of layers readable for the engine. */
  readonly take: <L extends Layer>(layers: readonly L[]) => Promise<readonly L[]>;
}

/** Raised when what is stored in a rollup changes its meaning. */
const ROLLUP_FORMAT = 1;

/** Names the rules by which cuts are made: the text of their models and of all below, the engine, and what else they depend on. */
export function rulesDigest({ models, engine }: RollupTools, cuts: readonly string[], rest: unknown): string {
  const texts = planModels(models, cuts).map(({ name, sql }) => [name, sql]);
  return sha256Hex(canonicalJson({ format: ROLLUP_FORMAT, engine, texts, rest })).slice(0, 32);
}

/** The model with its rows read from stored parts, each with a condition or none, instead of being computed; without parts it is empty. */
export function storedModel(
  model: Model,
  stored: readonly { readonly part: Part; readonly where: string }[],
  paths: ReadonlyMap<string, string>,
): Model {
  const names = model.columns.map(({ name }) => name).join(', ');
  const nothing = `select ${model.columns.map(({ name, type }) => `cast(null as ${type}) as ${name}`).join(', ')} where false`;
  const selects = stored.map(({ part, where }) => `select ${names} from read_parquet(${textOf(paths.get(part.key) ?? '')})${where}`);
  return { ...model, inputs: [], sql: [nothing, ...selects].join('\nunion all\n') };
}

/** The model over a part of one of its inputs: the same text, below a name that hides the input. */
export function narrowed(model: Model, input: string, condition: string): Model {
  const hiding = `${input} as (\n  select * from ${input} where ${condition}\n)`;
  const sql = model.sql.startsWith('with\n') ? `with\n${hiding},\n${model.sql.slice('with\n'.length)}` : `with\n${hiding}\n${model.sql}`;
  return { ...model, sql };
}

/** SQL text literal: only for paths, ids of contents and names of columns that kashi made itself. */
export function textOf(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

export function listOf(literals: readonly string[]): string {
  return `[${literals.join(', ')}]`;
}
