/** External model registries over HTTP: MLflow, Hugging Face, and another kashi. Only GET; no redirects, because a token goes with the request. */
import { KashiError } from '../domain/errors.ts';
import { type ExternalVersion, type ModelSource, TransientStoreError } from '../ports.ts';

const WAIT_MS = 20_000;
const MAX_BYTES = 16 * 1024 * 1024;

type Fields = Readonly<Record<string, unknown>>;

export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

export function listOf(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.map(fieldsOf) : [];
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}

/** Parsed answer, or null for 404. Errors: TransientStoreError when it is unreachable or fails; KashiError when it refuses or answers no JSON. */
async function getJson(url: URL, token: string | null): Promise<Fields | null> {
  const headers = { accept: 'application/json', ...(token === null ? {} : { authorization: `Bearer ${token}` }) };
  const answer = await fetch(url, { headers, redirect: 'manual', signal: AbortSignal.timeout(WAIT_MS) }).catch((cause: unknown) => {
    throw new TransientStoreError(`${url.host} cannot be reached`, { cause });
  });
  const text = await answer.text();
  if (answer.status >= 500 || answer.status === 429) throw new TransientStoreError(`${url.host}: HTTP ${answer.status}`);
  // MLflow says that something is missing with 404 and RESOURCE_DOES_NOT_EXIST.
  if (answer.status === 404) return null;
  if (answer.status !== 200)
    throw new KashiError('store_unsuitable', 'a model registry refuses', {
      where: `${url.host}${url.pathname}`,
      found: `HTTP ${answer.status}`,
    });
  try {
    if (text.length > MAX_BYTES) throw new Error('too long');
    return fieldsOf(JSON.parse(text));
  } catch (cause) {
    throw new KashiError('store_unsuitable', 'a model registry answers no JSON', { where: `${url.host}${url.pathname}` }, { cause });
  }
}

/** Pairs of `{key, value}` lists. */
function pairsOf(value: unknown): Record<string, string> {
  return Object.fromEntries(listOf(value).map((pair) => [textOf(pair['key']), textOf(pair['value'])]));
}

/** MLflow's REST API 2.0. `token`: bearer token, or null. */
export function mlflowSource(url: string, token: string | null): ModelSource {
  const ask = (path: string, query: Readonly<Record<string, string>>): Promise<Fields | null> => {
    const address = new URL(`${url.replace(/\/$/, '')}/api/2.0/mlflow/${path}`);
    for (const [name, value] of Object.entries(query)) address.searchParams.set(name, value);
    return getJson(address, token);
  };
  const read = async (version: Fields): Promise<ExternalVersion> => {
    const runId = textOf(version['run_id']);
    const run = runId === '' ? null : fieldsOf((await ask('runs/get', { run_id: runId }))?.['run']);
    const data = fieldsOf(run?.['data']);
    const [tags, own] = [pairsOf(data['tags']), pairsOf(version['tags'])];
    const [input] = listOf(fieldsOf(run?.['inputs'])['dataset_inputs']);
    const dataSet = fieldsOf(input?.['dataset']);
    return {
      version: textOf(version['version']),
      id: runId,
      aliases: Array.isArray(version['aliases']) ? version['aliases'].map(textOf) : [],
      states: [textOf(version['current_stage'])].filter((stage) => stage !== '' && stage !== 'None'),
      metrics: pairsOf(data['metrics']),
      environment: tags['mlflow.docker.image.name'] === undefined ? {} : { image: tags['mlflow.docker.image.name'] },
      provenance: {
        script: tags['mlflow.source.name'] ?? '',
        code_revision: tags['mlflow.source.git.commit'] ?? '',
        data_set: [textOf(dataSet['name']), textOf(dataSet['digest'])].filter((part) => part !== '').join('@'),
        hyperparameters: pairsOf(data['params']),
        training_job: own['training_job'] ?? tags['training_job'] ?? '',
        artifacts: textOf(version['source']),
      },
    };
  };
  return {
    name: `mlflow:${url}`,
    versions: async (name, version) => {
      // A search gives versions without their aliases, so each is asked for.
      const filter = `name='${name.replaceAll("'", "\\'")}'`;
      const found = version === '*' ? await ask('model-versions/search', { filter, max_results: '200' }) : null;
      const numbers = version === '*' ? listOf(found?.['model_versions']).map((one) => textOf(one['version'])) : [version];
      const versions: ExternalVersion[] = [];
      for (const number of numbers) {
        const one = await ask('model-versions/get', { name, version: number });
        if (one !== null) versions.push(await read(fieldsOf(one['model_version'])));
      }
      return versions;
    },
  };
}

/** The Hub's API, or one that speaks it. A version is a commit, shortened to what is unique enough for a tag. */
export function huggingFaceSource(url: string, token: string | null): ModelSource {
  return {
    name: `huggingface:${url}`,
    versions: async (name, version) => {
      const path = name.split('/').map(encodeURIComponent).join('/');
      const found = await getJson(
        new URL(`${url.replace(/\/$/, '')}/api/models/${path}${version === '*' ? '' : `/revision/${encodeURIComponent(version)}`}`),
        token,
      );
      const sha = textOf(found?.['sha']);
      if (found === null || sha === '') return [];
      const card = fieldsOf(found['cardData']);
      const dataSets = Array.isArray(card['datasets']) ? card['datasets'].map(textOf) : [textOf(card['datasets'])];
      return [
        {
          version: sha.slice(0, 12),
          id: sha,
          aliases: [],
          states: [],
          metrics: {},
          environment: textOf(found['library_name']) === '' ? {} : { library: textOf(found['library_name']) },
          provenance: { code_revision: sha, data_set: dataSets.filter((one) => one !== '').join(', '), artifacts: `hf://${name}@${sha}` },
        },
      ];
    },
  };
}

/** Another kashi, or anything that serves the same document: GET <url>/v1/models/<model>/versions/<version>. */
export function kashiSource(url: string, token: string | null): ModelSource {
  return {
    name: `kashi:${url}`,
    versions: async (model, version) => {
      const address = new URL(`${url.replace(/\/$/, '')}/v1/models/${encodeURIComponent(model)}/versions/${encodeURIComponent(version)}`);
      const found = await getJson(address, token);
      if (found === null || textOf(found['version']) === '') return [];
      const texts = (value: unknown): Record<string, string> =>
        Object.fromEntries(Object.entries(fieldsOf(value)).map(([name, one]) => [name, textOf(one)]));
      const { hyperparameters, ...provenance } = fieldsOf(found['provenance']);
      return [
        {
          version: textOf(found['version']),
          id: `${model}:${version}`,
          aliases: Array.isArray(found['aliases']) ? found['aliases'].map(textOf) : [],
          states: [textOf(found['stage'])].filter((stage) => stage !== ''),
          metrics: texts(found['metrics']),
          environment: texts(found['environment']),
          provenance: { ...texts(provenance), hyperparameters: texts(hyperparameters) },
        },
      ];
    },
  };
}
