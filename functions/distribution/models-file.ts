/** models.yaml: the registry at headquarters, the gates of a promotion, and which model registries may send hooks, how they sign, where the truth is. */
import modelsSchema from '../../schemas/models.schema.json' with { type: 'json' };
import { KashiError } from '../domain/errors.ts';
import { parseInboundSecrets, type SignatureForm } from '../domain/hook-verify.ts';
import { isModelName } from '../domain/model-version.ts';
import { validate, type YamlDocument } from '../domain/yaml-config.ts';
import type { EventForm } from './hook-events.ts';
import type { Endpoint } from './intake.ts';
import type { GateRules } from './promotion.ts';

export interface SourceSettings {
  readonly kind: EventForm;
  readonly url: string | null;
  readonly token: string | null;
  readonly command: readonly string[] | null;
}

export interface HookEndpoint extends Endpoint {
  readonly source: SourceSettings;
  readonly models: Readonly<Record<string, string>>;
  readonly staging: readonly string[];
}

interface RawEndpoint {
  readonly name: string;
  readonly signature: SignatureForm;
  readonly events: EventForm;
  readonly secret_file: string;
  readonly source: { readonly kind: EventForm; readonly url?: string; readonly token_file?: string; readonly command?: readonly string[] };
  readonly models?: Readonly<Record<string, string>>;
  readonly staging?: readonly string[];
}

/** Words that ask for staging unless the file says otherwise: MLflow's stages, usual aliases, SageMaker's approval. */
const STAGING: readonly string[] = ['Staging', 'Production', 'champion', 'Approved'];

interface RawModels {
  readonly registry?: { readonly url: string; readonly user?: string; readonly password_file?: string };
  readonly gates?: {
    readonly metrics?: GateRules['metrics'];
    readonly approvals?: number;
    readonly priced_as?: Readonly<Record<string, string>>;
  };
  readonly endpoints?: readonly RawEndpoint[];
}

/** Where images are pushed. */
export type RegistrySettings =
  | { readonly kind: 'oci'; readonly url: string; readonly credentials: { readonly user: string; readonly password: string } | null }
  | { readonly kind: 'ecr'; readonly account: string; readonly region: string };

export interface ModelsFile {
  readonly registry: RegistrySettings | null;
  readonly gates: Omit<GateRules, 'pricedAs'> & { readonly pricedAs: Readonly<Record<string, string>> };
  readonly endpoints: readonly HookEndpoint[];
}

/** A centre that wrote no models.yaml: no registry, one approval. */
export const NO_MODELS_FILE: ModelsFile = { registry: null, gates: { metrics: {}, approvals: 1, pricedAs: {} }, endpoints: [] };

/**
 * Errors: KashiError config_invalid: unknown keys, an endpoint named twice, a source without address, secrets that are none.
 * `read`: text of a file that the YAML names.
 */
export function parseModelsFile(document: YamlDocument, fileName: string, read: (path: string) => string): ModelsFile {
  const { registry, gates = {}, endpoints = [] } = validate<RawModels>(document, modelsSchema, fileName);
  return {
    registry: registry === undefined ? null : registrySettings(registry, fileName, read),
    gates: { metrics: gates.metrics ?? {}, approvals: gates.approvals ?? 1, pricedAs: gates.priced_as ?? {} },
    endpoints: readEndpoints(endpoints, fileName, read),
  };
}

function registrySettings(raw: NonNullable<RawModels['registry']>, fileName: string, read: (path: string) => string): RegistrySettings {
  const { url, user, password_file } = raw;
  const [, account, region] = /^ecr:\/\/([0-9]{12})\.([a-z0-9-]+)$/.exec(url) ?? [];
  if (account !== undefined && region !== undefined) return { kind: 'ecr', account, region };
  if (!/^https?:/.test(url) || !URL.canParse(url))
    throw new KashiError('config_invalid', 'not the address of a registry', {
      where: `${fileName} registry.url`,
      allowed: 'https://host[:port], http:// on this machine, ecr://<account>.<region>',
      found: url,
    });
  if ((user === undefined) !== (password_file === undefined))
    throw new KashiError('config_invalid', 'half of the credentials', {
      where: `${fileName} registry`,
      allowed: 'user and password_file, or neither',
      found: 'one',
    });
  return {
    kind: 'oci',
    url,
    credentials: user === undefined || password_file === undefined ? null : { user, password: read(password_file).trim() },
  };
}

function readEndpoints(endpoints: readonly RawEndpoint[], fileName: string, read: (path: string) => string): HookEndpoint[] {
  const names = endpoints.map(({ name }) => name);
  return endpoints.map((raw, index) => {
    const { name, signature, events, source, models = {}, staging = STAGING } = raw;
    const where = `${fileName} endpoint ${name}`;
    if (names.indexOf(name) !== index) throw new KashiError('config_invalid', 'an endpoint is named twice', { where, found: name });
    if ((source.url === undefined) !== (source.kind === 'sagemaker'))
      throw new KashiError('config_invalid', 'where is the truth?', {
        where: `${where} source`,
        allowed: 'url, or for sagemaker a command',
        found: source.url ?? 'no url',
      });
    if (source.url !== undefined && !URL.canParse(source.url))
      throw new KashiError('config_invalid', 'not an address', {
        where: `${where} source.url`,
        allowed: 'http:// or https://',
        found: source.url,
      });
    const wrong = Object.values(models).find((model) => !isModelName(model));
    if (wrong !== undefined)
      throw new KashiError('config_invalid', 'not the name of a model', {
        where: `${where} models`,
        allowed: 'lower-case letters and digits with . _ - between',
        found: wrong,
      });
    return {
      name,
      signature,
      events,
      secrets: parseInboundSecrets(read(raw.secret_file), signature, raw.secret_file),
      source: {
        kind: source.kind,
        url: source.url ?? null,
        token: source.token_file === undefined ? null : read(source.token_file).trim(),
        command: source.command ?? null,
      },
      models,
      staging,
    };
  });
}
