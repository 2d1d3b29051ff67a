/** Releases of the supply side as what a rollout deploys. */
import { KashiError } from '../domain/errors.ts';
import type { Release } from '../domain/image-release.ts';
import type { ObjectStore } from '../ports.ts';
import type { DeployedRelease } from './fleet.ts';
import { admittedReleases } from './release-log.ts';

/** Errors: invariant of the supply side: an admitted release is attested. */
export function deployedRelease(release: Release): DeployedRelease {
  const { release_id: releaseId, model, version, repository, tag, image_digest: digest, image_bytes: bytes, at_ms: at } = release;
  return {
    releaseId,
    service: model,
    model,
    modelVersion: version,
    repository,
    tag,
    digest,
    attestationDigest: release.attestation_digest ?? '',
    bytes,
    trainingJob: release.training_job === '' ? null : release.training_job,
    optimisedAtMs: release.optimised_at_ms,
    builtAtMs: at.built ?? null,
    pushedAtMs: at.pushed ?? null,
    attestedAtMs: at.attested ?? null,
  };
}

/** The newest admitted release of a version (null: of any), by variant when there are several. Errors: KashiError not_found, usage. */
export async function releaseToRollOut(
  store: ObjectStore,
  model: string,
  version: string | null,
  variant: string | null,
): Promise<DeployedRelease> {
  const admitted = await admittedReleases(store, model);
  const wanted = version ?? admitted.at(-1)?.version;
  const found = admitted.filter((one) => one.version === wanted && (variant === null || one.variant.name === variant));
  const [release] = found;
  if (release === undefined)
    throw new KashiError('not_found', 'there is no admitted release', {
      where: `${model}${version === null ? '' : `:${version}`}`,
      allowed:
        admitted.length === 0
          ? 'a release in the production repository'
          : admitted.map((one) => `${one.version} ${one.variant.name}`).join(', '),
      hint: 'kashi release build, then kashi model promote',
    });
  if (found.length > 1)
    throw new KashiError('usage', 'the version has several variants', {
      where: '--variant',
      allowed: found.map((one) => one.variant.name).join(', '),
      found: 'none',
    });
  return deployedRelease(release);
}
