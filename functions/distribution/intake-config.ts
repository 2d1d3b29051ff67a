/** model-hooks.yaml: which registries may send hooks, how they sign, and where the truth is. */
import hooksSchema from '../../schemas/model-hooks.schema.json' with { type: 'json' };
import { KashiError } from '../domain/errors.ts';
import { parseInboundSecrets, type SignatureForm } from '../domain/hook-verify.ts';
import { isModelName } from '../domain/model-version.ts';
import { validate, type YamlDocument } from '../domain/yaml-config.ts';
import type { EventForm } from './hook-events.ts';
import type { Endpoint } from './intake.ts';

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

/** Errors: KashiError config_invalid: unknown keys, an endpoint named twice, a source without address, secrets that are none. `read`: text of a file that the YAML names. */
export function parseHookEndpoints(document: YamlDocument, fileName: string, read: (path: string) => string): HookEndpoint[] {
  const { endpoints } = validate<{ endpoints: readonly RawEndpoint[] }>(document, hooksSchema, fileName);
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
