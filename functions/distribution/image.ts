/**
 * A service image from files, without a daemon: one layer for the server, one for the small files of the model, one for each shard of weights.
 * Weights are stored as they are (quantised bytes do not compress), so a layer that did not change is a layer that does not travel.
 */
import { canonicalJson } from '../domain/canonical-json.ts';
import { KashiError } from '../domain/errors.ts';
import { ANNOTATION, type Variant } from '../domain/image-release.ts';
import { type Descriptor, type ImageManifest, MEDIA } from '../domain/oci.ts';
import type { ArtifactFile, ImageLayout } from '../ports.ts';
import { tarOf } from './tar.ts';

export interface ImageSpec {
  readonly model: string;
  readonly version: string;
  readonly variant: Variant;
  readonly trainingJob: string;
  readonly recipeDigest: string;
  /** Into /models. */
  readonly modelFiles: readonly ArtifactFile[];
  /** Into /srv. */
  readonly serverFiles: readonly ArtifactFile[];
  readonly entrypoint: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** `amd64` or `arm64`. */
  readonly architecture: string;
  /** An image whose layers come first; already in the layout. */
  readonly base: ImageBase | null;
}

export interface ImageBase {
  readonly layers: readonly Descriptor[];
  readonly diffIds: readonly string[];
}

export interface BuiltImage {
  readonly digest: string;
  /** Manifest, config and layers. */
  readonly bytes: number;
  readonly layers: readonly Descriptor[];
}

/** ModelPack's annotation of a layer: what file it holds. Source: modelpack/model-spec, docs/annotations.md. */
const FILE_PATH = 'org.cncf.model.filepath';
const WEIGHTS = /\.(safetensors|bin|gguf|ggml|pt|pth|onnx|om|engine|plan|npz)$/;
const SHARD_BYTES = 16 * 1024 * 1024;
/** Nobody of the image runs as root; the numbers need no /etc/passwd. */
const USER = '65532:65532';
/** Registries refuse more; measured, not documented. */
const MAX_LAYERS = 500;
const MAX_LAYER_BYTES = 52_000 * 1024 * 1024;

/** What each layer holds, in order: server, small files of the model, then one layer a shard. */
export function planLayers(
  spec: Pick<ImageSpec, 'modelFiles' | 'serverFiles'>,
): readonly { readonly title: string; readonly files: readonly (ArtifactFile & { at: string })[] }[] {
  const at = (folder: string) => (file: ArtifactFile) => ({ ...file, open: () => file.open(), at: `${folder}/${file.path}` });
  const models = [...spec.modelFiles].sort((left, right) => (left.path < right.path ? -1 : 1)).map(at('models'));
  const isShard = (file: ArtifactFile): boolean => WEIGHTS.test(file.path) || file.bytes >= SHARD_BYTES;
  const small = models.filter((file) => !isShard(file));
  const shards = models.filter(isShard);
  const layers = [
    ...(spec.serverFiles.length === 0 ? [] : [{ title: 'server', files: spec.serverFiles.map(at('srv')) }]),
    ...(small.length === 0 ? [] : [{ title: 'model files', files: small }]),
    ...shards.map((file) => ({ title: file.path, files: [file] })),
  ];
  const tooLarge = shards.find(({ bytes }) => bytes > MAX_LAYER_BYTES);
  if (tooLarge !== undefined)
    throw new KashiError('usage', 'a shard is larger than a layer may be', {
      where: tooLarge.path,
      allowed: `${MAX_LAYER_BYTES} bytes`,
      found: `${tooLarge.bytes}`,
      hint: 'save the model with smaller shards',
    });
  if (models.length === 0)
    throw new KashiError('usage', 'a model without files', { allowed: 'weights and configuration', found: 'nothing' });
  return layers;
}

/** Writes the image into the layout, tagged. The same inputs give the same digest. Errors: KashiError usage for what no registry takes. */
export async function buildImage(layout: ImageLayout, spec: ImageSpec, repository: string, tag: string): Promise<BuiltImage> {
  const plan = planLayers(spec);
  const baseLayers = spec.base?.layers ?? [];
  if (baseLayers.length + plan.length > MAX_LAYERS)
    throw new KashiError('usage', 'an image has too many layers', {
      allowed: `${MAX_LAYERS}`,
      found: `${baseLayers.length + plan.length}`,
      hint: 'save the model with larger shards',
    });
  const layers: Descriptor[] = [];
  for (const { title, files } of plan) {
    const { digest, size } = await layout.addBlob(tarOf(files.map((file) => ({ ...file, path: file.at }))));
    layers.push({ mediaType: MEDIA.layer, digest, size, annotations: { [FILE_PATH]: title } });
  }
  // Layers are stored as they are, so a layer's digest is its diff id.
  const diffIds = [...(spec.base?.diffIds ?? []), ...layers.map(({ digest }) => digest)];
  const config = await layout.addBlob([utf8(canonicalJson(configOf(spec, diffIds)))]);
  const manifest: ImageManifest = {
    schemaVersion: 2,
    mediaType: MEDIA.manifest,
    config: { mediaType: MEDIA.config, ...config },
    layers: [...baseLayers, ...layers],
    annotations: annotationsOf(spec),
  };
  const bytes = utf8(canonicalJson(manifest));
  const digest = await layout.putManifest(repository, { mediaType: MEDIA.manifest, bytes }, tag);
  const total = [...manifest.layers, manifest.config].reduce((sum, { size }) => sum + size, bytes.length);
  return { digest, bytes: total, layers: manifest.layers };
}

function annotationsOf({ model, version, variant, trainingJob, recipeDigest }: ImageSpec): Record<string, string> {
  return {
    [ANNOTATION.model]: model,
    [ANNOTATION.version]: version,
    [ANNOTATION.variant]: variant.name,
    [ANNOTATION.trainingJob]: trainingJob,
    [ANNOTATION.recipe]: recipeDigest,
  };
}

function configOf(spec: ImageSpec, diffIds: readonly string[]): Record<string, unknown> {
  const environment = Object.entries({ ...spec.environment, MODEL_PATH: '/models' }).sort(([left], [right]) => (left < right ? -1 : 1));
  return {
    architecture: spec.architecture,
    os: 'linux',
    // No clock in an image: its instant is the beginning of time.
    created: '1970-01-01T00:00:00Z',
    config: {
      User: USER,
      WorkingDir: '/srv',
      Entrypoint: spec.entrypoint,
      Env: environment.map(([name, value]) => `${name}=${value}`),
      Labels: annotationsOf(spec),
    },
    rootfs: { type: 'layers', diff_ids: diffIds },
  };
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
