/** Turns fleet.yaml into the adapters of a rollout. */
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gitHost, initBareRepository } from '../adapters/git.ts';
import { httpHookSender } from '../adapters/hook-http.ts';
import { writeOutputFile } from '../adapters/output-file.ts';
import { createLocalKey, hasLocalKey, localSigner, publicKeyPath } from '../adapters/signer-local.ts';
import { readTextFile } from '../adapters/text-file.ts';
import { xSignature } from '../distribution/edge-delivery.ts';
import type { Edge, EdgeState } from '../distribution/fleet.ts';
import { copiesByRegion, directCopies, type ImageCopies } from '../distribution/image-copies.ts';
import { edgesOf } from '../distribution/membership.ts';
import type { RolloutWorld } from '../distribution/perform.ts';
import { parseEcrHost, replicaRegions } from '../domain/ecr-host.ts';
import { KashiError } from '../domain/errors.ts';
import { type FleetFile, parseFleet } from '../domain/fleet-file.ts';
import { type HookSecret, parseHookSecrets, signHook } from '../domain/hook-signature.ts';
import { parseOneYaml } from '../domain/yaml-config.ts';
import type { ImageRegistry, Signer } from '../ports.ts';
import { parseTokens, type Token } from '../receive/tokens.ts';
import { type Centre, systemClock } from './wiring.ts';
import { openRegistryAt, openReplication } from './wiring-registries.ts';

export interface OpenFleet {
  readonly file: FleetFile;
  readonly fileName: string;
  readonly edges: readonly Edge[];
  /** Public key of an edge's agent. */
  readonly keyOf: (edge: string) => string | null;
  readonly registryTokens: (edge: string) => readonly Uint8Array[];
  /** The registry at headquarters, and the key that signs messages, without anything else. */
  readonly office: () => Promise<{ readonly hq: ImageRegistry; readonly signer: Signer }>;
  /** Opens registries, Git and keys; makes the local repository when there is none. */
  readonly world: () => Promise<RolloutWorld>;
  readonly signingKeyPath: string;
}

/** `--fleet`, else fleet.yaml beside kashi.yaml, else here; null when there is none. */
export function findFleet(centre: Pick<Centre, 'configFile'>, given: string | undefined): string | null {
  if (given !== undefined) return resolve(given);
  const places = [...(centre.configFile === null ? [] : [dirname(centre.configFile)]), '.'];
  return places.map((place) => resolve(place, 'fleet.yaml')).find((path) => existsSync(path)) ?? null;
}

/** Errors: KashiError config_missing without a file, config_invalid for what is wrong in it. */
export function openFleet(centre: Centre, given: string | undefined): OpenFleet {
  const fileName = findFleet(centre, given);
  if (fileName === null)
    throw new KashiError('config_missing', 'there is no fleet', {
      where: 'fleet.yaml',
      allowed: '--fleet <file>, or fleet.yaml beside kashi.yaml',
    });
  const file = parseFleet(parseOneYaml(readTextFile(fileName), fileName), fileName);
  const beside = (path: string): string => resolve(dirname(fileName), path);
  const read = (path: string): string => readTextFile(path, fileName);
  const keys = new Map(file.edges.map(({ edge, publicKey }) => [edge, publicKey === null ? null : read(publicKey)]));
  const tokens: readonly Token[] = file.registryTokenFile === null ? [] : parseTokens(read(file.registryTokenFile), file.registryTokenFile);
  return {
    file,
    fileName,
    edges: edgesOf(file),
    keyOf: (edge) => keys.get(edge) ?? null,
    registryTokens: (edge) => tokens.filter(({ siteId }) => siteId === edge).map(({ digest }) => digest),
    office: async () => ({ hq: await openRegistryAt(file.registryUrl), signer: messageSigner(beside(file.signingKey)) }),
    world: () => openWorld(centre, file, beside, read),
    signingKeyPath: beside(file.signingKey),
  };
}

/** Makes the key that signs messages to edges, and its public half beside it, unless there is one. */
export function createFleetKey({ signingKeyPath }: Pick<OpenFleet, 'signingKeyPath'>): {
  readonly made: boolean;
  readonly publicKeyPath: string;
} {
  const made = createLocalKey(signingKeyPath, 'ecdsa-p256-sha256');
  const beside = publicKeyPath(signingKeyPath);
  if (!existsSync(beside)) writeOutputFile(beside, localSigner(signingKeyPath, 'ecdsa-p256-sha256').publicKey);
  return { made, publicKeyPath: beside };
}

/** Errors: KashiError config_missing. */
function messageSigner(key: string): Signer {
  if (!hasLocalKey(key))
    throw new KashiError('config_missing', 'there is no key that signs messages to edges', { where: key, hint: 'kashi fleet init' });
  return localSigner(key, 'ecdsa-p256-sha256');
}

async function openWorld(
  centre: Centre,
  file: FleetFile,
  beside: (path: string) => string,
  read: (path: string) => string,
): Promise<RolloutWorld> {
  const { repository, branch, author, remote } = file.git;
  await initBareRepository(beside(repository), branch);
  const registries = new Map<string, ImageRegistry>();
  for (const { edge, registryUrl } of file.edges) registries.set(edge, await openRegistryAt(registryUrl));
  const secrets = new Map<string, readonly HookSecret[]>(
    file.edges.map(({ edge, secretFile }) => [edge, secretFile === null ? [] : parseHookSecrets(read(secretFile), secretFile)]),
  );
  const registryOf = ({ edge }: Edge): ImageRegistry => {
    const registry = registries.get(edge);
    if (registry !== undefined) return registry;
    throw new KashiError('config_missing', 'the edge is not in the fleet any more', { where: 'fleet.yaml', found: edge });
  };
  const signer = messageSigner(beside(file.signingKey));
  return {
    store: centre.store,
    clock: systemClock,
    git: gitHost(beside(repository), { branch, author, remote }),
    copies: await copiesOf(file, registryOf),
    registryOf,
    attestationKey: read(file.attestationKey),
    proofDepth: file.proof,
    signer,
    hooks: httpHookSender,
    hookHeaders: (edge: EdgeState, id, body, nowMs) => {
      const its = secrets.get(edge.edge) ?? [];
      return its.length === 0 ? {} : { ...signHook(its, id, Math.floor(nowMs / 1_000), body), ...xSignature(its, body) };
    },
  };
}

/** kashi copies, but for what an ECR registry at headquarters replicates to ECR registries of its edges by itself. */
async function copiesOf(file: FleetFile, registryOf: (edge: Edge) => ImageRegistry): Promise<ImageCopies> {
  const direct = directCopies({
    ...{ hq: await openRegistryAt(file.registryUrl), registryOf, clock: systemClock },
    wait: (ms) => sleep(ms),
  });
  const hq = parseEcrHost(file.registryUrl);
  if (hq === null) return direct;
  return copiesByRegion(replicaRegions(file.edges, hq), await openReplication(hq), direct);
}
