/** Turns models.yaml into the adapters of the supply side: registry, recipes, layouts, sources of model versions. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { artifactFiles, artifactFolder } from '../adapters/artifact-files.ts';
import { imageLayout } from '../adapters/image-layout.ts';
import { sageMakerSource } from '../adapters/model-source-command.ts';
import { huggingFaceSource, kashiSource, mlflowSource } from '../adapters/model-source-http.ts';
import { localRecipeRunner } from '../adapters/recipe-local.ts';
import { mountBlob, ociRegistry } from '../adapters/registry-oci.ts';
import { fileUploadMemory } from '../adapters/registry-oci-upload.ts';
import { readTextFile } from '../adapters/text-file.ts';
import {
  type ModelsFile,
  NO_MODELS_FILE,
  parseModelsFile,
  type RegistrySettings,
  type SourceSettings,
} from '../distribution/models-file.ts';
import { parseRecipe, type Recipe } from '../distribution/recipe.ts';
import { KashiError } from '../domain/errors.ts';
import { parseOneYaml } from '../domain/yaml-config.ts';
import type { ArtifactFile, ImageLayout, ImageRegistry, ModelSource, RecipeRunner } from '../ports.ts';
import type { Centre } from './wiring.ts';

export interface ModelsOptions {
  readonly models?: string;
  readonly registry?: string;
}

/** `--models`, else models.yaml beside kashi.yaml, else here; without one the defaults hold. */
export function openModels(centre: Centre, options: ModelsOptions): ModelsFile {
  const places = [...(centre.configFile === null ? [] : [dirname(centre.configFile)]), '.'];
  const fileName = options.models ?? places.map((place) => resolve(place, 'models.yaml')).find((path) => existsSync(path));
  if (fileName === undefined) return NO_MODELS_FILE;
  const read = (path: string): string => readTextFile(path, fileName);
  return parseModelsFile(parseOneYaml(readTextFile(fileName), fileName), fileName, read);
}

/** The registry at headquarters: `--registry`, else that of models.yaml. Errors: KashiError config_missing without one. */
export async function openRegistry(centre: Centre, models: ModelsFile, given: string | undefined): Promise<ImageRegistry> {
  const settings: RegistrySettings | null = given === undefined ? models.registry : { kind: 'oci', url: given, credentials: null };
  if (settings === null)
    throw new KashiError('config_missing', 'there is no registry', {
      where: 'models.yaml registry.url',
      allowed: 'the address of a registry, or --registry <url>',
      found: 'none',
    });
  const uploads = fileUploadMemory(join(centre.warehouseDirectory, '.tmp', 'uploads'));
  if (settings.kind === 'oci')
    return ociRegistry({ url: settings.url, uploads, ...(settings.credentials === null ? {} : { credentials: settings.credentials }) });
  const { account, region } = settings;
  const { openEcr } = await import('../adapters/registry-ecr-client.ts');
  return openEcr(account, region, mountBlob);
}

/** The layout of an image that was built here. */
export function openLayout(centre: Centre, model: string, tag: string): ImageLayout & { readonly folder: string } {
  const folder = join(centre.warehouseDirectory, 'images', model, tag);
  return Object.assign(imageLayout(folder), { folder });
}

/** A layout in a folder of another tool. */
export function layoutAt(folder: string): ImageLayout {
  return imageLayout(resolve(folder));
}

/** Recipes run in folders that are gone when `close` was called. */
export function openRunner(centre: Centre, recipeFile: string): { readonly runner: RecipeRunner; close(): void } {
  const scratch = join(centre.warehouseDirectory, '.tmp');
  const folder = existsSync(scratch) ? mkdtempSync(join(scratch, 'build-')) : mkdtempSync(join(centre.warehouseDirectory, '.build-'));
  return { runner: localRecipeRunner(folder, dirname(resolve(recipeFile))), close: () => rmSync(folder, { recursive: true, force: true }) };
}

export interface OpenRecipe {
  readonly recipe: Recipe;
  readonly serverFiles: readonly ArtifactFile[];
}

export function openRecipe(file: string): OpenRecipe {
  const recipe = parseRecipe(parseOneYaml(readTextFile(file), file), file);
  return { recipe, serverFiles: recipe.server === null ? [] : artifactFiles(resolve(dirname(file), recipe.server)) };
}

/** Files of a folder, or of the place that the version was registered with. */
export function openArtifacts(given: string | undefined, registered: string): readonly ArtifactFile[] {
  return artifactFiles(given === undefined ? artifactFolder(registered, process.cwd()) : resolve(given));
}

export function openSource({ kind, url, token, command }: SourceSettings): ModelSource {
  if (kind === 'sagemaker') return sageMakerSource(command ?? undefined);
  const address = url ?? '';
  return kind === 'mlflow'
    ? mlflowSource(address, token)
    : kind === 'huggingface'
      ? huggingFaceSource(address, token)
      : kashiSource(address, token);
}
