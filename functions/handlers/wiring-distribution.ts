/** fleet.yaml and models.yaml of the bundle → adapters of a deploy: ECR, Git over HTTPS, keys in KMS. What they name as files of secrets lies in Secrets Manager. */
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ECRClient } from '@aws-sdk/client-ecr';
import { gitHttpHost } from '../adapters/git-http.ts';
import { httpHookSender } from '../adapters/hook-http.ts';
import { ecrRegistry } from '../adapters/registry-ecr.ts';
import { ecrReplication } from '../adapters/registry-ecr-replication.ts';
import { ociRegistry } from '../adapters/registry-oci.ts';
import { kmsPublicKey, kmsSigner } from '../adapters/signer-kms.ts';
import { openSource } from '../cli/wiring-models.ts';
import type { EdgesAt } from '../cloud/rollout-message.ts';
import type { TurnParts } from '../cloud/rollout-turn.ts';
import { PREFIX } from '../contract.ts';
import { Coordinator, type CoordinatorOptions } from '../distribution/coordinator.ts';
import { xSignature } from '../distribution/edge-delivery.ts';
import type { Edge } from '../distribution/fleet.ts';
import { FleetLog } from '../distribution/fleet-log.ts';
import { directCopies, type ImageCopies } from '../distribution/image-copies.ts';
import type { TruthOptions } from '../distribution/intake-truth.ts';
import { type ModelsFile, NO_MODELS_FILE, parseModelsFile } from '../distribution/models-file.ts';
import type { RolloutWorld } from '../distribution/perform.ts';
import { type EcrAddress, isReplicaOf, parseEcrHost } from '../domain/ecr-host.ts';
import { KashiError } from '../domain/errors.ts';
import { type FleetFile, parseFleet } from '../domain/fleet-file.ts';
import { parseHookSecrets, signHook } from '../domain/hook-signature.ts';
import { parseOneYaml } from '../domain/yaml-config.ts';
import type { ImageRegistry } from '../ports.ts';
import { parseTokens } from '../receive/tokens.ts';
import { derived, fleetSecrets, hookSecrets, setting, systemClock, warehouse } from './wiring.ts';

/** Of the bundle. */
const FOLDER = 'fleet';
const FLEET_FILE = `${FOLDER}/fleet.yaml`;
const MODELS_FILE = `${FOLDER}/models.yaml`;
/** Name of the secret `user:token` for the Git host. */
const GIT_SECRET = 'git';
const COPIES = 4;
/** An edge is noted as heard of no more often. */
const HEARD_MS = 5 * 60_000;

type Secrets = Readonly<Record<string, string>>;

async function secretsOf(text: () => Promise<string>): Promise<Secrets> {
  try {
    return JSON.parse(await text()) as Secrets;
  } catch (error) {
    // Never the text itself.
    if (!(error instanceof SyntaxError)) throw error;
    throw new KashiError('config_invalid', 'the secret is not JSON', { allowed: '{"<file name>": "<its text>", …}' });
  }
}

function secret(secrets: Secrets, name: string, where: string): string {
  const text = secrets[name];
  if (text !== undefined) return text;
  throw new KashiError('config_missing', 'a secret is missing', { where, found: name, allowed: 'a member of the secret of that name' });
}

export async function deployedModels(): Promise<ModelsFile> {
  if (!existsSync(MODELS_FILE)) return NO_MODELS_FILE;
  const secrets = await secretsOf(hookSecrets);
  return parseModelsFile(parseOneYaml(readFileSync(MODELS_FILE, 'utf8'), MODELS_FILE), MODELS_FILE, (name) =>
    secret(secrets, name, MODELS_FILE),
  );
}

/** Where the truth of an endpoint's hooks is. Errors of the returned function: KashiError config_missing. */
export async function deployedTruths(): Promise<(endpoint: string) => TruthOptions> {
  const { endpoints } = await deployedModels();
  return (endpoint) => {
    const found = endpoints.find(({ name }) => name === endpoint);
    if (found === undefined)
      throw new KashiError('config_missing', 'the endpoint of this hook is not configured any more', {
        where: MODELS_FILE,
        found: endpoint,
      });
    return { source: openSource(found.source), models: found.models, staging: found.staging };
  };
}

export interface DeployedFleet {
  readonly file: FleetFile;
  readonly edges: readonly Edge[];
  readonly edgesAt: EdgesAt;
  readonly keyOf: (edge: string) => string | null;
  readonly registryTokens: (edge: string) => readonly Uint8Array[];
  readonly secrets: Secrets;
}

export async function deployedFleet(): Promise<DeployedFleet> {
  const file = parseFleet(parseOneYaml(readFileSync(FLEET_FILE, 'utf8'), FLEET_FILE), FLEET_FILE);
  const secrets = await secretsOf(fleetSecrets);
  const { registryTokenFile } = file;
  const tokens = registryTokenFile === null ? [] : parseTokens(secret(secrets, registryTokenFile, FLEET_FILE), registryTokenFile);
  const keys = new Map(
    file.edges.map(({ edge, publicKey }) => [edge, publicKey === null ? null : readFileSync(`${FOLDER}/${publicKey}`, 'utf8')]),
  );
  const places = Map.groupBy(file.edges, ({ registryUrl }) => {
    const place = parseEcrHost(registryUrl);
    return place === null ? '' : `${place.account}/${place.region}`;
  });
  return {
    file,
    secrets,
    edges: file.edges.map(({ edge, site, pullFrom: registry, bandwidth, hook, order }) => ({
      edge,
      site,
      registry,
      bandwidth,
      hook,
      order,
    })),
    edgesAt: new Map([...places].map(([place, its]) => [place, its.map(({ edge }) => edge)])),
    keyOf: (edge) => keys.get(edge) ?? null,
    registryTokens: (edge) => tokens.filter(({ siteId }) => siteId === edge).map(({ digest }) => digest),
  };
}

let opened: Promise<FleetLog> | null = null;

/** Folded once in the life of an instance, then kept up with. */
export async function deployedLog(): Promise<FleetLog> {
  opened ??= FleetLog.open(warehouse()).catch((error: unknown) => {
    opened = null;
    throw error;
  });
  const log = await opened;
  await log.refresh();
  return log;
}

const heardMs = new Map<string, number>();

/** Notes on the disk that an edge was heard of. */
export async function heardOf(edge: string, atMs: number): Promise<void> {
  if (atMs - (heardMs.get(edge) ?? 0) < HEARD_MS) return;
  await derived.replace(`${PREFIX.heard}${edge}`, { edge });
  heardMs.set(edge, atMs);
}

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

async function openWorld({ file }: DeployedFleet): Promise<RolloutWorld> {
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
    git: gitHttpHost({ url: remote, branch, author, credentials: async () => (await secretsOf(fleetSecrets))[GIT_SECRET] ?? null }),
    copies: copiesOf(file, direct),
    registryOf,
    attestationKey: await kmsPublicKey(setting('attestationKey')),
    proofDepth: file.proof,
    signer: kmsSigner(signingKey, await kmsPublicKey(signingKey)),
    hooks: httpHookSender,
    hookHeaders: hookHeadersOf(file, await secretsOf(fleetSecrets)),
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

/** kashi copies, but for what ECR at headquarters replicates to other Regions by itself; what got stuck it copies all the same. */
function copiesOf(file: FleetFile, direct: ImageCopies): ImageCopies {
  const hq = parseEcrHost(file.registryUrl);
  if (hq === null) return direct;
  const regions = new Map(
    file.edges.flatMap(({ edge, registryUrl }) => {
      const its = parseEcrHost(registryUrl);
      return its !== null && isReplicaOf(its, hq) ? [[edge, its.region] as const] : [];
    }),
  );
  const replication = ecrReplication({ client: clientOf(hq), host: file.registryUrl }, hq.account);
  const state: ImageCopies['state'] = async ({ edge }, { repository, digest }) => {
    const here = (await replication.status(repository, digest)).find(({ destination }) => destination === regions.get(edge));
    const { status = 'in_progress', failureCode = null } = here ?? {};
    return { status, bytesMoved: 0, fault: status === 'failed' ? (failureCode ?? 'the registry gives no reason') : null };
  };
  return {
    start: async (edge, release) => {
      const region = regions.get(edge.edge);
      if (region === undefined) return await direct.start(edge, release);
      const known = (await replication.status(release.repository, release.digest)).some(({ destination }) => destination === region);
      // What says nothing about the Region was pushed before it was a destination: it is sent after it.
      if (!known) await replication.startBackfill(region);
      return await state(edge, release);
    },
    state: async (edge, release) => await (regions.has(edge.edge) ? state : direct.state)(edge, release),
    copy: (edge, release) => direct.copy(edge, release),
  };
}
