/** What a kashi tells another of its model versions: GET /v1/models/<model>/versions/<version>, to those who have a token. It decides; an adapter listens. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isModelName, isVersionName } from '../domain/model-version.ts';
import type { HttpAnswer, HttpRequestHead, HttpService, ObjectStore } from '../ports.ts';
import { readModel } from './model-registry.ts';

export const MODEL_PAGES = '/v1/models/';

export interface ModelPagesOptions {
  readonly store: ObjectStore;
  /** Digests (SHA-256) of the tokens that may read. */
  readonly readers: readonly Uint8Array[];
}

/** The document that the source `kashi` of models.yaml reads. */
export function makeModelPages({ store, readers }: ModelPagesOptions): HttpService {
  return {
    admit: (head) => {
      const [, model = '', version = ''] = /^\/v1\/models\/([^/]+)\/versions\/([^/]+)$/.exec(head.path) ?? [];
      if (!isModelName(model) || !isVersionName(version)) return refuse(404, 'no such address');
      if (head.method !== 'GET') return refuse(405, 'GET');
      if (!isReader(head, readers)) return refuse(401, 'token');
      return { maxBodyBytes: 0, refuse, accept: () => page(store, model, version) };
    },
  };
}

function isReader(head: HttpRequestHead, readers: readonly Uint8Array[]): boolean {
  const [, token = ''] = /^Bearer (\S+)$/.exec(head.header('authorization') ?? '') ?? [];
  const digest = createHash('sha256').update(token).digest();
  return readers.filter((known) => timingSafeEqual(known, digest)).length > 0;
}

async function page(store: ObjectStore, model: string, name: string): Promise<HttpAnswer> {
  const { versions, aliases } = await readModel(store, model);
  const version = versions.get(name);
  if (version === undefined) return refuse(404, 'no such version');
  const { provenance, metrics, environment, stage, history } = version;
  const own = [...aliases.values()].filter((one) => one.version === name).map(({ alias }) => alias);
  return json(200, { model, version: name, stage, aliases: own.sort(), metrics, environment, provenance, history });
}

function json(status: number, value: unknown): HttpAnswer {
  return { status, headers: { 'content-type': 'application/json; charset=utf-8' }, body: JSON.stringify(value) };
}

function refuse(status: number, message: string): HttpAnswer {
  return json(status, { error: message });
}
