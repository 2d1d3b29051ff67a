/** `kashi release`: from the artefacts of a version to an attested image, and the proof of it. */
import { Command } from 'commander';
import type { Copied } from '../distribution/copy-image.ts';
import { modelNames, readVersion } from '../distribution/model-registry.ts';
import { buildRelease, pushRelease } from '../distribution/release.ts';
import { releasesOf } from '../distribution/release-log.ts';
import { KashiError } from '../domain/errors.ts';
import type { Release } from '../domain/image-release.ts';
import { parseModelVersion } from '../domain/model-version.ts';
import { type CommonOptions, withCentreOptions } from './centre-options.ts';
import { ensureKey } from './close.ts';
import { grouped, printJson, printLines, progressBar, stepNotes, tableLines } from './output.ts';
import { reachable } from './reachable.ts';
import { verifyReleases } from './release-verify.ts';
import { type Centre, openCentre, openSigner, trustedKey } from './wiring.ts';
import { openArtifacts, openLayout, openModels, openRecipe, openRegistry, openRunner } from './wiring-models.ts';

interface BuildOptions extends CommonOptions {
  readonly recipe: string;
  readonly artifacts?: string;
  readonly models?: string;
}

interface PushOptions extends CommonOptions {
  readonly models?: string;
  readonly registry?: string;
  readonly variant?: string;
}

interface VerifyOptions extends PushOptions {
  readonly deep?: boolean;
  readonly key?: string;
}

const EXAMPLES = `
Examples:
  kashi release build llama3-8b-sft:v2.1.0 --recipe awq.yaml --artifacts ./out
  kashi release push llama3-8b-sft:v2.1.0 --registry http://127.0.0.1:5101
  kashi release show llama3-8b-sft
  kashi release verify llama3-8b-sft:v2.1.0 --deep

The image is built without a daemon, as an OCI layout below the warehouse: <warehouse>/images/<model>/<tag>. The same inputs give the same digest.
A push goes to staging-models/<model>-service; kashi model promote mounts it into production-models/, which is what edges get.`;

export function releaseCommand(): Command {
  const command = new Command('release')
    .description('model version × variant = one image digest: build, attest, push, verify')
    .addHelpText('after', EXAMPLES);
  const place = (one: Command): Command =>
    withCentreOptions(
      one
        .option('--models <file>', 'models.yaml (default: beside kashi.yaml)')
        .option('--registry <url>', 'registry (default: that of models.yaml)'),
    );
  command.addCommand(
    withCentreOptions(
      new Command('build')
        .description('run the recipe and build the image')
        .argument('<model:version>')
        .requiredOption('--recipe <file>', 'what is run over the artefacts, and what the image is')
        .option('--artifacts <folder>', 'files of the version (default: where it was registered)')
        .option('--models <file>', 'models.yaml (default: beside kashi.yaml)'),
    ).action(async (name: string, options: BuildOptions) => {
      await reachable(() => build(openCentre(options), name, options));
    }),
  );
  command.addCommand(
    place(
      new Command('push')
        .description('send a built image and its attestation to the registry')
        .argument('<model:version>')
        .option('--variant <name>', 'one variant (default: all)'),
    ).action(async (name: string, options: PushOptions) => {
      await reachable(() => push(openCentre(options), name, options));
    }),
  );
  command.addCommand(
    withCentreOptions(new Command('show').description('releases by digest').argument('[model[:version]]')).action(
      async (name: string | undefined, options: CommonOptions) => await show(openCentre(options), name, options.json === true),
    ),
  );
  command.addCommand(
    place(
      new Command('verify')
        .description('is the image in the registry, whole, and attested by the centre’s key?')
        .argument('<model:version>')
        .option('--variant <name>', 'one variant (default: all)')
        .option('--deep', 'read every byte')
        .option('--key <file>', 'public key to trust (default: the centre’s)'),
    ).action(async (name: string, options: VerifyOptions) => {
      process.exitCode = await reachable(() => verify(openCentre(options), name, options));
    }),
  );
  return command;
}

async function build(centre: Centre, name: string, options: BuildOptions): Promise<void> {
  const { model, version } = parseModelVersion(name);
  const { recipe, serverFiles } = openRecipe(options.recipe);
  const { version: facts } = await readVersion(centre.store, model, version);
  const artifacts = openArtifacts(options.artifacts, facts.provenance.artifacts);
  const models = openModels(centre, options);
  // A base is pulled from the registry that it names; without credentials unless it is our own.
  const own = models.registry === null ? null : await openRegistry(centre, models, undefined);
  const layout = openLayout(centre, model, `${version}-${recipe.variant.name}`);
  const { runner, close } = openRunner(centre, options.recipe);
  const notes = stepNotes(options.json === true);
  try {
    const release = await buildRelease(
      { store: centre.store, clock: centre.clock, runner, layout, baseRegistry: (host) => baseRegistry(host, own), onStep: notes.step },
      { version: facts, recipe, artifacts, serverFiles },
    );
    notes.finish();
    if (options.json === true) printJson({ ...release, layout: layout.folder });
    else
      printLines([
        `Built ${name} ${release.variant.name}: ${release.image_digest}`,
        `  ${grouped(release.image_bytes)} bytes, recipe ${release.recipe_digest.slice(0, 16)}, layout ${layout.folder}`,
        `Next: kashi release push ${name}`,
      ]);
  } finally {
    notes.finish();
    close();
  }
}

function baseRegistry(host: string, own: Awaited<ReturnType<typeof openRegistry>> | null): Awaited<ReturnType<typeof openRegistry>> {
  if (own?.host === host) return own;
  throw new KashiError('config_invalid', 'a base comes from the registry at headquarters', {
    where: 'recipe base',
    allowed: own?.host ?? 'a registry in models.yaml',
    found: host,
  });
}

/** Releases of a version, one or all variants. Errors: KashiError not_found when none was built. */
async function chosen(centre: Centre, name: string, variant: string | undefined): Promise<Release[]> {
  const { model, version } = parseModelVersion(name);
  const found = (await releasesOf(centre.store, model)).filter(
    (one) => one.version === version && (variant === undefined || one.variant.name === variant),
  );
  if (found.length > 0) return found;
  throw new KashiError('not_found', 'no release was built', {
    where: name,
    found: variant ?? 'any variant',
    hint: `kashi release build ${name} --recipe <file>`,
  });
}

async function push(centre: Centre, name: string, options: PushOptions): Promise<void> {
  const { model, version } = parseModelVersion(name);
  const releases = await chosen(centre, name, options.variant);
  const registry = await openRegistry(centre, openModels(centre, options), options.registry);
  await ensureKey(centre);
  const { version: facts } = await readVersion(centre.store, model, version);
  const done: { release: Release; copied: Copied }[] = [];
  for (const release of releases) {
    const bar = progressBar(options.json === true, centre.clock.now);
    let sent = 0;
    const onBlob = ({ bytes, digest }: { bytes: number; digest: string }): void => {
      sent += bytes;
      bar.update(sent, release.image_bytes, digest.slice(0, 19));
    };
    const layout = openLayout(centre, model, `${version}-${release.variant.name}`);
    done.push(
      await pushRelease({ store: centre.store, clock: centre.clock, layout, registry, signer: openSigner(centre), onBlob }, facts, release),
    );
    bar.finish();
  }
  if (options.json === true)
    printJson({
      releases: done.map(({ release, copied }) => ({
        ...release,
        bytes_moved: copied.bytesMoved,
        bytes_total: copied.bytesTotal,
        blobs: copied.blobs,
      })),
    });
  else
    printLines(
      done.flatMap(({ release, copied }) => [
        `Pushed ${registry.host}/${release.repository}:${release.tag}`,
        `  ${release.image_digest}`,
        `  moved ${grouped(copied.bytesMoved)} of ${grouped(copied.bytesTotal)} bytes; attested by ${release.attestation_digest}`,
      ]),
    );
}

async function show(centre: Centre, name: string | undefined, json: boolean): Promise<void> {
  const wanted = name?.includes(':') === true ? parseModelVersion(name) : { model: name, version: undefined };
  const models = wanted.model === undefined ? await modelNames(centre.store) : [wanted.model];
  const all = (await Promise.all(models.map((model) => releasesOf(centre.store, model)))).flat();
  const releases = all.filter((one) => wanted.version === undefined || one.version === wanted.version);
  if (json) printJson({ releases });
  else if (releases.length === 0) printLines(['No release. kashi release build --help']);
  else
    printLines(
      tableLines(
        ['model', 'version', 'variant', 'state', 'bytes', 'image digest', 'training job'],
        releases.map((one) => [
          one.model,
          one.version,
          one.variant.name,
          one.state,
          grouped(one.image_bytes),
          one.image_digest,
          one.training_job || '–',
        ]),
        new Set([4]),
        80,
      ),
    );
}

async function verify(centre: Centre, name: string, options: VerifyOptions): Promise<number> {
  const key = trustedKey(centre, options.key ?? null);
  if (key === null)
    throw new KashiError('config_missing', 'there is no key to trust', {
      allowed: '--key <file>, or the key of the centre',
      hint: 'kashi keys init',
    });
  const registry = await openRegistry(centre, openModels(centre, options), options.registry);
  const releases = await chosen(centre, name, options.variant);
  return await verifyReleases({ name, releases, registry, trustedKey: key, deep: options.deep === true, json: options.json === true });
}
