/** `kashi release verify`: whether a registry holds an image whole, with the attestation of the trusted key. */
import { verifyAttestation } from '../distribution/attest.ts';
import { blobsOf } from '../distribution/copy-image.ts';
import { KashiError } from '../domain/errors.ts';
import type { Release } from '../domain/image-release.ts';
import type { ImageRegistry } from '../ports.ts';
import { EXIT, printJson, printLines } from './output.ts';

export interface VerifyRequest {
  readonly name: string;
  readonly releases: readonly Release[];
  readonly registry: ImageRegistry;
  /** PEM. */
  readonly trustedKey: string;
  /** Read every byte. */
  readonly deep: boolean;
  readonly json: boolean;
}

/** Prints what was found; the exit code. Errors: those of the registry. */
export async function verifyReleases({ name, releases, registry, trustedKey, deep, json }: VerifyRequest): Promise<number> {
  const reports: { image: string; ok: boolean; findings: string[] }[] = [];
  for (const { image_digest: digest, repository } of releases) {
    const verdict = await verifyAttestation(registry, repository, digest, trustedKey);
    const image = await registry.manifest(repository, digest);
    const faults = image === null ? [] : await faultyBlobs(registry, repository, image, deep);
    const ok = verdict.verified && faults.length === 0;
    const attested = verdict.verified
      ? [
          `attested by key ${verdict.keyId}, training job ${verdict.statement.predicate.buildDefinition.internalParameters.training_job || '–'}`,
        ]
      : verdict.reasons;
    reports.push({ image: `${registry.host}/${repository}@${digest}`, ok, findings: [...attested, ...faults] });
  }
  const ok = reports.every((one) => one.ok);
  if (json) printJson({ name, verified: ok, images: reports });
  else
    printLines(
      reports.flatMap((one) => [`${one.ok ? 'OK    ' : 'FAILED'}  ${one.image}`, ...one.findings.map((finding) => `        ${finding}`)]),
    );
  return ok ? EXIT.ok : EXIT.checkFailed;
}

async function faultyBlobs(registry: ImageRegistry, repository: string, image: { bytes: Uint8Array }, deep: boolean): Promise<string[]> {
  const faults: string[] = [];
  for (const blob of blobsOf(image)) {
    const bytes = await registry.blobBytes(repository, blob.digest);
    if (bytes !== blob.size) faults.push(`${blob.digest}: ${bytes === null ? 'missing' : `${bytes} bytes instead of ${blob.size}`}`);
    else if (deep) {
      try {
        for await (const piece of registry.readBlob(repository, blob)) void piece;
      } catch (error) {
        if (!(error instanceof KashiError)) throw error;
        faults.push(`${blob.digest}: other bytes than its digest says`);
      }
    }
  }
  return faults;
}
