/** From a registered version to an attested image in the staging repository. Every step may be repeated; the same inputs give the same digest. */
import { PREFIX } from '../contract.ts';
import { canonicalJson } from '../domain/canonical-json.ts';
import { KashiError } from '../domain/errors.ts';
import { type Release, releaseTag, STAGING_PREFIX, serviceRepository } from '../domain/image-release.ts';
import type { ModelVersion } from '../domain/model-version.ts';
import { type ImageManifest, MEDIA, parseImageReference } from '../domain/oci.ts';
import { putAnyhow } from '../ledger/patient.ts';
import { corrupt } from '../ledger/sealed.ts';
import type { ArtifactFile, Clock, ImageLayout, ImageRegistry, ObjectStore, RecipeRunner, Signer } from '../ports.ts';
import { attachAttestation, type Material, signStatement, statementOf, verifyAttestation } from './attest.ts';
import { type Copied, copyImage } from './copy-image.ts';
import { buildImage, type ImageBase } from './image.ts';
import { type Recipe, type RecipeRecord, runRecipe } from './recipe.ts';
import { noteAttested, noteBuilt, notePushed } from './release-log.ts';

/** Named in attestations. */
const BUILDER = 'https://kashi.dev/release-build/v1';

export interface BuildDependencies {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly runner: RecipeRunner;
  readonly layout: ImageLayout;
  /** The registry of a base image. */
  readonly baseRegistry: (host: string) => ImageRegistry;
  readonly onStep?: (step: string) => void;
}

export interface BuildInputs {
  readonly version: ModelVersion;
  readonly recipe: Recipe;
  readonly artifacts: readonly ArtifactFile[];
  readonly serverFiles: readonly ArtifactFile[];
}

function recordKey(digest: string): string {
  return `${PREFIX.objects}${digest}`;
}

/** Runs the recipe, builds the image into the layout, notes the release. Errors: those of the recipe and the image; KashiError conflict for a version that would get a second image. */
export async function buildRelease(dependencies: BuildDependencies, inputs: BuildInputs): Promise<Release> {
  const { store, clock, runner, layout, baseRegistry, onStep = () => {} } = dependencies;
  const { version: facts, recipe, artifacts, serverFiles } = inputs;
  const { model, version } = facts;
  const requested_at_ms = clock.now();
  onStep(`recipe ${recipe.name}`);
  const { record, digest: recipe_digest, files } = await runRecipe(runner, recipe, artifacts);
  const optimised_at_ms = clock.now();
  await putAnyhow(store, recordKey(recipe_digest), Buffer.from(canonicalJson(record)));
  onStep('image');
  const repository = serviceRepository(STAGING_PREFIX, model);
  const tag = releaseTag(version, recipe.variant.name);
  const { training_job } = facts.provenance;
  const base = recipe.base === null ? null : await pullBase(recipe.base, baseRegistry, layout);
  const image = await buildImage(
    layout,
    {
      model,
      version,
      variant: recipe.variant,
      trainingJob: training_job,
      recipeDigest: recipe_digest,
      modelFiles: files,
      serverFiles,
      entrypoint: recipe.entrypoint,
      environment: recipe.imageEnvironment,
      architecture: recipe.architecture,
      base,
    },
    repository,
    tag,
  );
  const { variant } = recipe;
  const built = { model, version, variant, image_digest: image.digest, image_bytes: image.bytes, recipe_digest, training_job };
  return await noteBuilt(store, clock, { ...built, repository, tag, requested_at_ms, optimised_at_ms });
}

async function pullBase(reference: string, baseRegistry: (host: string) => ImageRegistry, layout: ImageLayout): Promise<ImageBase> {
  const { host, repository, reference: digest } = parseImageReference(reference);
  await copyImage({ from: baseRegistry(host), repository, to: layout, digest, tag: null });
  const manifest = await layout.manifest(repository, digest);
  if (manifest === null || manifest.mediaType === MEDIA.index)
    throw new KashiError('config_invalid', 'a base is one image, not a list of images', {
      where: reference,
      allowed: 'the digest of one platform',
    });
  const { config, layers } = JSON.parse(Buffer.from(manifest.bytes).toString('utf8')) as ImageManifest;
  const pieces: Uint8Array[] = [];
  for await (const piece of layout.readBlob(repository, config)) pieces.push(piece);
  const { rootfs } = JSON.parse(Buffer.concat(pieces).toString('utf8')) as { rootfs: { diff_ids: string[] } };
  return { layers, diffIds: rootfs.diff_ids };
}

export interface PushDependencies {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly layout: ImageLayout;
  readonly registry: ImageRegistry;
  readonly signer: Signer;
  readonly onBlob?: (done: { readonly digest: string; readonly bytes: number; readonly how: string; readonly bytesMoved: number }) => void;
}

/** Pushes a built release and puts its attestation beside it. Errors: those of the registry; KashiError not_found when its layout is gone. */
export async function pushRelease(
  dependencies: PushDependencies,
  version: ModelVersion,
  release: Release,
): Promise<{ release: Release; copied: Copied }> {
  const { store, clock, layout, registry, signer, onBlob } = dependencies;
  const { image_digest: digest, tag } = release;
  const repository = serviceRepository(STAGING_PREFIX, release.model);
  if ((await layout.manifest(repository, digest)) === null)
    throw new KashiError('not_found', 'the image is not on this machine', {
      where: `release ${release.model}:${release.version} ${release.variant.name}`,
      allowed:
        'the layout that kashi release build leaves beside the warehouse; of one in a bucket, in the cache folder of the machine (KASHI_WORK)',
      found: digest,
      hint: 'build it here: the same inputs give the same digest',
    });
  const copied = await copyImage({ from: layout, repository, to: registry, digest, tag, ...(onBlob === undefined ? {} : { onBlob }) });
  await notePushed(store, clock, release, repository);
  const attestation = await attest({ store, registry, signer }, version, release, repository);
  return { release: await noteAttested(store, clock, release, attestation), copied };
}

/** The digest of the referrer. One that verifies is not made twice: not every signer gives the same bytes again. */
async function attest(
  { store, registry, signer }: Pick<PushDependencies, 'store' | 'registry' | 'signer'>,
  { provenance }: ModelVersion,
  release: Release,
  repository: string,
): Promise<string> {
  const { model, version, variant, image_digest: imageDigest, recipe_digest: recipeDigest, training_job: trainingJob } = release;
  const stands = await verifyAttestation(registry, repository, imageDigest, signer.publicKey);
  if (stands.verified) return stands.attestationDigest;
  const key = recordKey(recipeDigest);
  const bytes = await store.get(key);
  if (bytes === null) throw corrupt(key, 'the record of the recipe is gone');
  const { recipe, inputs } = JSON.parse(Buffer.from(bytes).toString('utf8')) as RecipeRecord;
  const materials: Material[] = [
    ...codeOf(provenance.script, provenance.code_revision),
    ...(recipe.base === null ? [] : [{ name: 'base', uri: recipe.base, digest: { sha256: recipe.base.split('@sha256:')[1] ?? '' } }]),
    ...inputs.map(({ path, sha256 }) => ({ name: `artefact/${path}`, digest: { sha256 } })),
  ];
  const statement = statementOf({
    repository,
    imageDigest,
    model,
    version,
    variant,
    trainingJob,
    recipe,
    recipeDigest,
    materials,
    builder: BUILDER,
  });
  const image = await registry.manifest(repository, imageDigest);
  if (image === null)
    throw new KashiError('not_found', 'the image is not where it was pushed', {
      where: `${registry.host}/${repository}`,
      found: imageDigest,
    });
  const subject = { mediaType: image.mediaType, digest: imageDigest, size: image.bytes.length };
  return await attachAttestation(registry, repository, subject, await signStatement(signer, statement));
}

/** Training code is a material when its revision is a commit. */
function codeOf(script: string, revision: string): Material[] {
  return /^[0-9a-f]{40}([0-9a-f]{24})?$/.test(revision) ? [{ name: 'training code', uri: script, digest: { gitCommit: revision } }] : [];
}
