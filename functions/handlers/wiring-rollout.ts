/** What a turn of a rollout stands on in a deploy: ECR and other registries, Git over HTTPS, keys in KMS. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ECRClient } from '@aws-sdk/client-ecr';
import { gitHttpHost } from '../adapters/git-http.ts';
import { httpHookSender } from '../adapters/hook-http.ts';
import { ecrRegistry } from '../adapters/registry-ecr.ts';
import { ecrReplication } from '../adapters/registry-ecr-replication.ts';
import { ociRegistry } from '../adapters/registry-oci.ts';
import { kmsPublicKey, kmsSigner } from '../adapters/signer-kms.ts';
import type { TurnParts } from '../cloud/rollout-turn.ts';
import { Coordinator, type CoordinatorOptions } from '../distribution/coordinator.ts';
import { xSignature } from '../distribution/edge-delivery.ts';
import type { Edge } from '../distribution/fleet.ts';
import { copiesByRegion, directCopies, type ImageCopies } from '../distribution/image-copies.ts';
import type { RolloutWorld } from '../distribution/perform.ts';
import { type EcrAddress, parseEcrHost, replicaRegions } from '../domain/ecr-host.ts';
import { KashiError } from '../domain/errors.ts';
import type { FleetFile } from '../domain/fleet-file.ts';
import { parseHookSecrets, signHook } from '../domain/hook-signature.ts';
import type { ImageRegistry } from '../ports.ts';
import { setting, systemClock, warehouse } from './wiring.ts';
import { type DeployedFleet, deployedFleet, deployedLog, FLEET_FILE, gitCredentials, type Secrets, secret } from './wiring-distribution.ts';

const COPIES = 4;

let world: Promise<RolloutWorld> | null = null;

export async function deployedRollout(onFault: CoordinatorOptions['onFault']): Promise<TurnParts> {
  const [fleet, log] = await Promise.all([deployedFleet(), deployedLog()]);
  world ??= openWorld(fleet).catch((error: unknown) => {
    world = null;
    throw error;
  });
  const { edges, file } = fleet;
  const coordinator = new Coordinator(await world, log, { copies: COPIES, onFault });
  return { store: warehouse(), clock: systemClock, log, coordinator, edges, plan: file.rollout, offlineMs: file.offlineMs };
}

async function openWorld({ file, secrets }: DeployedFleet): Promise<RolloutWorld> {
  const { remote, branch, author } = file.git;
  if (remote === null || !/^https?:\/\//.test(remote))
    throw new KashiError('config_invalid', 'a deploy commits over HTTPS', {
      where: `${FLEET_FILE} git.remote`,
      allowed: 'https://…',
      found: remote ?? 'none',
    });
  const registries = new Map(file.edges.map(({ edge, registryUrl }) => [edge, openRegistry(registryUrl)]));
  const registryOf = ({ edge }: Edge): ImageRegistry => {
    const registry = registries.get(edge);
    if (registry !== undefined) return registry;
    throw new KashiError('config_missing', 'the edge is not in the fleet any more', { where: FLEET_FILE, found: edge });
  };
  const signingKey = setting('edgeKey');
  const direct = directCopies({ hq: openRegistry(file.registryUrl), registryOf, clock: systemClock, wait: (ms) => sleep(ms) });
  return {
    store: warehouse(),
    clock: systemClock,
    git: gitHttpHost({ url: remote, branch, author, credentials: gitCredentials }),
    copies: copiesOf(file, direct),
    registryOf,
    attestationKey: await kmsPublicKey(setting('attestationKey')),
    proofDepth: file.proof,
    signer: kmsSigner(signingKey, await kmsPublicKey(signingKey)),
    hooks: httpHookSender,
    hookHeaders: hookHeadersOf(file, secrets),
  };
}

function hookHeadersOf(file: FleetFile, secrets: Secrets): RolloutWorld['hookHeaders'] {
  const shared = new Map(
    file.edges.flatMap(({ edge, secretFile }) =>
      secretFile === null ? [] : [[edge, parseHookSecrets(secret(secrets, secretFile, FLEET_FILE), secretFile)] as const],
    ),
  );
  return ({ edge }, id, body, nowMs) => {
    const its = shared.get(edge);
    return its === undefined ? {} : { ...signHook(its, id, Math.floor(nowMs / 1_000), body), ...xSignature(its, body) };
  };
}

function openRegistry(address: string): ImageRegistry {
  const ecr = parseEcrHost(address);
  return ecr === null ? ociRegistry({ url: address }) : ecrRegistry({ client: clientOf(ecr), host: address });
}

function clientOf({ region }: EcrAddress): ECRClient {
  return new ECRClient({ region });
}

/** kashi copies, but for what ECR at headquarters replicates to other Regions by itself. */
function copiesOf(file: FleetFile, direct: ImageCopies): ImageCopies {
  const hq = parseEcrHost(file.registryUrl);
  if (hq === null) return direct;
  const replication = ecrReplication({ client: clientOf(hq), host: file.registryUrl }, hq.account);
  return copiesByRegion(replicaRegions(file.edges, hq), replication, direct);
}
