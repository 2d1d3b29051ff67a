/** Registries by their address: an OCI registry's URL, or the host name of an ECR registry, whose SDK is loaded only then. */
import type { EcrPlace } from '../adapters/registry-ecr-replication.ts';
import { mountBlob, ociRegistry } from '../adapters/registry-oci.ts';
import { type EcrAddress, parseEcrHost } from '../domain/ecr-host.ts';
import type { ImageRegistry, ImageReplication, ReplicationSettings } from '../ports.ts';

/** Errors: those of the SDK when it is loaded. */
export async function openRegistryAt(address: string): Promise<ImageRegistry> {
  const ecr = parseEcrHost(address);
  if (ecr === null) return ociRegistry({ url: address });
  const { openEcr } = await import('../adapters/registry-ecr-client.ts');
  return openEcr(ecr.account, ecr.region, mountBlob);
}

async function placeOf({ account, region }: EcrAddress): Promise<EcrPlace> {
  const { openEcrPlace } = await import('../adapters/registry-ecr-client.ts');
  return openEcrPlace(account, region);
}

/** How the ECR registry at headquarters replicates. Destinations are Regions of its account. */
export async function openReplication(hq: EcrAddress): Promise<ImageReplication & ReplicationSettings> {
  const { ecrReplication, ecrReplicationSettings } = await import('../adapters/registry-ecr-replication.ts');
  const place = await placeOf(hq);
  return { ...ecrReplication(place, hq.account), ...ecrReplicationSettings(place) };
}

/** At an edge, before it is a destination. True when a template was made. */
export async function makeTemplate(edge: EcrAddress, prefix: string): Promise<boolean> {
  const { ensureCreationTemplate } = await import('../adapters/registry-ecr-replication.ts');
  return await ensureCreationTemplate(await placeOf(edge), prefix);
}
