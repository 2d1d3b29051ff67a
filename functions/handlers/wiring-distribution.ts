/** fleet.yaml and models.yaml of the bundle, and the fleet's log. What they name as files of secrets lies in Secrets Manager. */
import { existsSync, readFileSync } from 'node:fs';
import { openSource } from '../cli/wiring-models.ts';
import type { EdgesAt } from '../cloud/rollout-message.ts';
import { PREFIX } from '../contract.ts';
import type { Edge } from '../distribution/fleet.ts';
import { FleetLog } from '../distribution/fleet-log.ts';
import type { TruthOptions } from '../distribution/intake-truth.ts';
import { edgesOf } from '../distribution/membership.ts';
import { type ModelsFile, NO_MODELS_FILE, parseModelsFile } from '../distribution/models-file.ts';
import { parseEcrHost } from '../domain/ecr-host.ts';
import { KashiError } from '../domain/errors.ts';
import { type FleetFile, parseFleet } from '../domain/fleet-file.ts';
import { parseOneYaml } from '../domain/yaml-config.ts';
import { parseTokens } from '../receive/tokens.ts';
import { derived, fleetSecrets, hookSecrets, warehouse } from './wiring.ts';

/** Of the bundle. */
const FOLDER = 'fleet';
export const FLEET_FILE = `${FOLDER}/fleet.yaml`;
const MODELS_FILE = `${FOLDER}/models.yaml`;
/** Name of the secret `user:token` for the Git host. */
const GIT_SECRET = 'git';
/** An edge is noted as heard of no more often. */
const HEARD_MS = 5 * 60_000;

export type Secrets = Readonly<Record<string, string>>;

async function secretsOf(text: () => Promise<string>): Promise<Secrets> {
  try {
    return JSON.parse(await text()) as Secrets;
  } catch (error) {
    // Never the text itself.
    if (!(error instanceof SyntaxError)) throw error;
    throw new KashiError('config_invalid', 'the secret is not JSON', { allowed: '{"<file name>": "<its text>", …}' });
  }
}

export function secret(secrets: Secrets, name: string, where: string): string {
  const text = secrets[name];
  if (text !== undefined) return text;
  throw new KashiError('config_missing', 'a secret is missing', { where, found: name, allowed: 'a member of the secret of that name' });
}

/** `user:token` for the Git host, as it is now; null for one that asks for none. */
export async function gitCredentials(): Promise<string | null> {
  return (await secretsOf(fleetSecrets))[GIT_SECRET] ?? null;
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
    edges: edgesOf(file),
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
