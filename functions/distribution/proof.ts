/** The proof: the image is in the edge's own registry, whole, under exactly this digest, with an attestation by the trusted key. */
import { KashiError } from '../domain/errors.ts';
import type { Descriptor } from '../domain/oci.ts';
import type { ImageRegistry } from '../ports.ts';
import { verifyAttestation } from './attest.ts';
import { blobsOf } from './copy-image.ts';

export type Proof =
  | { readonly is: 'proven'; readonly attestationDigest: string; readonly bytesTotal: number }
  | { readonly is: ProofFault; readonly fault: string };
/** unreachable says nothing about the image. */
export type ProofFault = 'absent' | 'corrupt' | 'attestation' | 'unreachable';

export interface ProofOrder {
  readonly registry: ImageRegistry;
  readonly repository: string;
  readonly digest: string;
  /** Public key (PEM) that signs attestations. */
  readonly trustedKey: string;
  /**
   * present: the registry says that it has every blob, with the right size; manifest and attestation are read and hashed. read: every byte is
   * read and hashed, which is for those to whom the registry is near.
   */
  readonly depth: 'present' | 'read';
}

/** Never throws for what a registry does or holds. */
export async function proveImage(order: ProofOrder): Promise<Proof> {
  try {
    return await prove(order);
  } catch (error) {
    const fault = error instanceof Error ? error.message : String(error);
    return { is: error instanceof KashiError && error.code === 'store_corrupt' ? 'corrupt' : 'unreachable', fault };
  }
}

async function prove({ registry, repository, digest, trustedKey, depth }: ProofOrder): Promise<Proof> {
  const manifest = await registry.manifest(repository, digest);
  if (manifest === null) return { is: 'absent', fault: `${registry.host} has no ${repository}@${digest}` };
  const blobs = blobsOf(manifest);
  const faults = await Promise.all(blobs.map((blob) => blobFault(registry, repository, blob, depth)));
  const fault = faults.find((one) => one !== null);
  if (fault !== undefined && fault !== null) return fault;
  const verdict = await verifyAttestation(registry, repository, digest, trustedKey);
  if (!verdict.verified) return { is: 'attestation', fault: verdict.reasons.join('; ') };
  const bytesTotal = blobs.reduce((sum, { size }) => sum + size, 0);
  return { is: 'proven', attestationDigest: verdict.attestationDigest, bytesTotal };
}

async function blobFault(
  registry: ImageRegistry,
  repository: string,
  blob: Descriptor,
  depth: ProofOrder['depth'],
): Promise<Extract<Proof, { fault: string }> | null> {
  const size = await registry.blobBytes(repository, blob.digest);
  if (size === null) return { is: 'absent', fault: `${registry.host} has no blob ${blob.digest}` };
  if (size !== blob.size) return { is: 'corrupt', fault: `blob ${blob.digest} has ${size} bytes at ${registry.host}, not ${blob.size}` };
  // The registry port hashes what it hands out whole.
  if (depth === 'read') for await (const _ of registry.readBlob(repository, blob));
  return null;
}
