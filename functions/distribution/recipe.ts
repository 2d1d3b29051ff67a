/** How a version's artefacts become what is served: a declared command and variant, and a record of what went in and came out. */
import { createHash } from 'node:crypto';
import recipeSchema from '../../schemas/recipe.schema.json' with { type: 'json' };
import { canonicalJson, sha256Hex } from '../domain/canonical-json.ts';
import { KashiError } from '../domain/errors.ts';
import { isVariantName, type Variant } from '../domain/image-release.ts';
import { isDigest, parseImageReference } from '../domain/oci.ts';
import { validate, type YamlDocument } from '../domain/yaml-config.ts';
import type { ArtifactFile, RecipeRunner } from '../ports.ts';

export interface Recipe {
  readonly name: string;
  readonly variant: Variant;
  /** Commands, one after the other, each on what the one before made; none: the artefacts as they are. */
  readonly run: readonly (readonly string[])[];
  /** Of the commands; nothing else of the surroundings is passed on but PATH. */
  readonly environment: Readonly<Record<string, string>>;
  /** Folder of the server's files, from the folder of the recipe; null for none. */
  readonly server: string | null;
  readonly entrypoint: readonly string[];
  readonly imageEnvironment: Readonly<Record<string, string>>;
  readonly architecture: 'amd64' | 'arm64';
  /** Image by digest that comes first; null: from scratch. */
  readonly base: string | null;
}

interface RawRecipe {
  readonly name: string;
  readonly variant?: Partial<Variant>;
  readonly run?: readonly (readonly string[])[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly server?: string;
  readonly entrypoint: readonly string[];
  readonly image_environment?: Readonly<Record<string, string>>;
  readonly architecture?: 'amd64' | 'arm64';
  readonly base?: string;
}

/** Errors: KashiError config_invalid for unknown keys, a base without digest, a variant that cannot be part of a tag. */
export function parseRecipe(document: YamlDocument, fileName: string): Recipe {
  const raw = validate<RawRecipe>(document, recipeSchema, fileName);
  const { name = 'default', precision = '', engine = '', hardware = '' } = raw.variant ?? {};
  if (!isVariantName(name))
    throw new KashiError('config_invalid', 'not the name of a variant', {
      where: `${fileName} variant.name`,
      allowed: 'letters, digits, . _ -',
      found: name,
    });
  if (raw.base !== undefined && !isDigest(parseImageReference(raw.base).reference))
    throw new KashiError('config_invalid', 'a base is named by digest, because a tag may be another image tomorrow', {
      where: `${fileName} base`,
      allowed: 'host/repository@sha256:…',
      found: raw.base,
    });
  return {
    name: raw.name,
    variant: { name, precision, engine, hardware },
    run: raw.run ?? [],
    environment: raw.environment ?? {},
    server: raw.server ?? null,
    entrypoint: raw.entrypoint,
    imageEnvironment: raw.image_environment ?? {},
    architecture: raw.architecture ?? 'amd64',
    base: raw.base ?? null,
  };
}

export interface FileRecord {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** What a recipe did, without clocks and folders: the same inputs and outputs give the same record. */
export interface RecipeRecord {
  readonly format: 'kashi.recipe/1';
  readonly recipe: Recipe;
  readonly inputs: readonly FileRecord[];
  readonly outputs: readonly FileRecord[];
}

export interface RecipeResult {
  readonly record: RecipeRecord;
  /** SHA-256 of its canonical JSON. */
  readonly digest: string;
  readonly files: readonly ArtifactFile[];
}

/** Runs the commands over the artefacts. Errors: KashiError usage when one fails or makes nothing, with its last lines. */
export async function runRecipe(runner: RecipeRunner, recipe: Recipe, artifacts: readonly ArtifactFile[]): Promise<RecipeResult> {
  const inputs = await recordsOf(artifacts);
  let files = artifacts;
  for (const [index, command] of recipe.run.entries()) {
    const { exitCode, tail, output } = await runner.run(command, recipe.environment, files);
    const where = `recipe ${recipe.name}, command ${index + 1}: ${command.join(' ')}`;
    if (exitCode !== 0)
      throw new KashiError('usage', 'a command of the recipe failed', { where, found: `exit code ${exitCode}`, hint: tail });
    if (output.length === 0)
      throw new KashiError('usage', 'a command of the recipe made nothing', {
        where,
        allowed: 'files in {out}',
        found: 'none',
        hint: tail,
      });
    files = output;
  }
  const outputs = recipe.run.length === 0 ? inputs : await recordsOf(files);
  const record: RecipeRecord = { format: 'kashi.recipe/1', recipe, inputs, outputs };
  return { record, digest: sha256Hex(canonicalJson(record)), files };
}

async function recordsOf(files: readonly ArtifactFile[]): Promise<FileRecord[]> {
  const records: FileRecord[] = [];
  for (const file of files) {
    const hash = createHash('sha256');
    for await (const piece of file.open()) hash.update(piece);
    records.push({ path: file.path, bytes: file.bytes, sha256: hash.digest('hex') });
  }
  return records.sort((left, right) => (left.path < right.path ? -1 : 1));
}
