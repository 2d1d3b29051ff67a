/** What hooks of model registries point at. A hook is a reason to look: only names are taken from it, and the registry is asked for the rest. */

/** mlflow: OSS webhooks. sagemaker: EventBridge events. huggingface: Hub webhooks. kashi: dev.kashi.model.* envelopes. */
export const EVENT_FORMS = ['mlflow', 'sagemaker', 'huggingface', 'kashi'] as const;
export type EventForm = (typeof EVENT_FORMS)[number];

/** Stands for a version where a hook names only the model. */
export const ALL_VERSIONS = '*';

/** A version of an external registry, in its own words. */
export interface ExternalPointer {
  readonly model: string;
  readonly version: string;
}

export type ReadHook =
  | { readonly is: 'pointers'; readonly type: string; readonly pointers: readonly ExternalPointer[] }
  /** Of a kind that says nothing about versions: taken and forgotten. */
  | { readonly is: 'ignored'; readonly type: string }
  /** Of a known kind, without what such a hook must name. */
  | { readonly is: 'refused'; readonly field: string; readonly found: string };

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

/** A name of at most 1,000 characters: text, or a whole number as some registries count versions. */
function nameOf(value: unknown): string | null {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return String(value);
  return typeof value === 'string' && value !== '' && value.length <= 1_000 ? value : null;
}

const READERS: Readonly<Record<EventForm, (body: Fields) => ReadHook>> = { mlflow, sagemaker, huggingface, kashi };

/** Reads a parsed body. */
export function readHook(form: EventForm, body: unknown): ReadHook {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    return { is: 'refused', field: 'body', found: Array.isArray(body) ? 'a list' : typeof body };
  return READERS[form](fieldsOf(body));
}

function pointer(type: string, names: Readonly<Record<string, unknown>>): ReadHook {
  const [[modelField, model], [versionField, version]] = Object.entries(names) as [[string, unknown], [string, unknown]];
  const [modelName, versionName] = [nameOf(model), nameOf(version)];
  if (modelName === null) return { is: 'refused', field: modelField, found: typeof model };
  if (versionName === null) return { is: 'refused', field: versionField, found: typeof version };
  return { is: 'pointers', type, pointers: [{ model: modelName, version: versionName }] };
}

const MLFLOW_ENTITIES = new Set(['model_version', 'model_version_tag', 'model_version_alias']);

/** `{entity, action, timestamp, data}`. Source: mlflow/webhooks/types.py. */
function mlflow({ entity, action, data }: Fields): ReadHook {
  const type = `${nameOf(entity) ?? '?'}.${nameOf(action) ?? '?'}`;
  if (!MLFLOW_ENTITIES.has(String(entity))) return { is: 'ignored', type };
  const { name, version } = fieldsOf(data);
  // An alias that was removed names no version any more: the whole model is looked at.
  if (type === 'model_version_alias.deleted') return pointer(type, { 'data.name': name, 'data.version': ALL_VERSIONS });
  return pointer(type, { 'data.name': name, 'data.version': version });
}

/**
 * EventBridge "SageMaker Model Package State Change". One change may send several events, and stamping metadata sends "Approved" again: an
 * event that lists what changed counts only when approval or life cycle is in the list.
 */
function sagemaker(body: Fields): ReadHook {
  const type = nameOf(body['detail-type']) ?? '?';
  if (body['source'] !== 'aws.sagemaker' || type !== 'SageMaker Model Package State Change') return { is: 'ignored', type };
  const detail = fieldsOf(body['detail']);
  const changed = detail['UpdatedModelPackageFields'];
  if (Array.isArray(changed) && !changed.some((name) => name === 'ModelApprovalStatus' || String(name).startsWith('ModelLifeCycle')))
    return { is: 'ignored', type: `${type}: ${changed.map(String).join(', ')}` };
  const { ModelPackageGroupName, ModelPackageArn } = detail;
  return pointer(type, { 'detail.ModelPackageGroupName': ModelPackageGroupName, 'detail.ModelPackageArn': ModelPackageArn });
}

const DELETED = '0'.repeat(40);

/** `{event:{action,scope}, repo:{type,name,headSha}, updatedRefs[]}`. Source: huggingface/hub-docs docs/hub/webhooks.md. */
function huggingface(body: Fields): ReadHook {
  const { action, scope } = fieldsOf(body['event']);
  const repo = fieldsOf(body['repo']);
  const type = `${nameOf(repo['type']) ?? '?'} ${nameOf(scope) ?? '?'}.${nameOf(action) ?? '?'}`;
  if (repo['type'] !== 'model' || action === 'delete' || !(scope === 'repo' || scope === 'repo.content')) return { is: 'ignored', type };
  const refs = body['updatedRefs'];
  if (!Array.isArray(refs)) return pointer(type, { 'repo.name': repo['name'], 'repo.headSha': repo['headSha'] });
  const model = nameOf(repo['name']);
  if (model === null) return { is: 'refused', field: 'repo.name', found: typeof repo['name'] };
  const shas = refs.map((ref: unknown) => fieldsOf(ref)['newSha']).filter((sha) => sha !== null && sha !== DELETED);
  const wrong = shas.findIndex((sha) => nameOf(sha) === null);
  if (wrong !== -1) return { is: 'refused', field: 'updatedRefs[].newSha', found: typeof shas[wrong] };
  return { is: 'pointers', type, pointers: [...new Set(shas.map(String))].map((version) => ({ model, version })) };
}

const KASHI_TYPES = new Set(['dev.kashi.model.registered.v1', 'dev.kashi.model.promoted.v1']);

/** A CloudEvents envelope as kashi itself sends it. */
function kashi(body: Fields): ReadHook {
  const type = nameOf(body['type']) ?? '?';
  if (body['specversion'] !== '1.0') return { is: 'refused', field: 'specversion', found: String(body['specversion']) };
  if (!KASHI_TYPES.has(type)) return { is: 'ignored', type };
  const { model, version } = fieldsOf(body['data']);
  return pointer(type, { 'data.model': model, 'data.version': version });
}
