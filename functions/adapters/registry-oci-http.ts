/** Requests to an OCI registry: its token dance, tries again when the network or the server fails, its errors in kashi's words. */
import { setTimeout as sleep } from 'node:timers/promises';
import { KashiError } from '../domain/errors.ts';
import { TransientStoreError } from '../ports.ts';

export interface RegistryCredentials {
  readonly user: string;
  readonly password: string;
}

export interface RegistryAddress {
  /** `https://host[:port]`, or http:// for a loopback address. */
  readonly url: string;
  readonly credentials?: RegistryCredentials;
}

export interface RegistryRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT';
  /** Path below the registry, or an absolute location that it gave. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Statuses that are answers; every other one is an error. */
  readonly expects: readonly number[];
  /** False for a request that must not be sent twice. */
  readonly repeats?: boolean;
}

const TRIES = 4;
const FIRST_WAIT_MS = 200;
/** Also of a chunk of 16 MiB on a slow line. */
const ANSWER_WAIT_MS = 120_000;
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Errors: KashiError config_invalid for an address that is none, or plain HTTP off this machine. */
function addressOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url !== null && (url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.has(url.hostname)))) return url;
  throw new KashiError('config_invalid', 'not the address of a registry', {
    allowed: 'https://host[:port], or http:// on this machine',
    found: text,
  });
}

export class RegistryHttp {
  readonly host: string;
  private readonly base: URL;
  private readonly credentials: RegistryCredentials | null;
  /** Authorization by scope: a token of one repository is of no use for another. */
  private readonly authorization = new Map<string, string>();

  constructor({ url, credentials }: RegistryAddress) {
    this.base = addressOf(url);
    this.host = this.base.host;
    this.credentials = credentials ?? null;
  }

  /** The location of an answer, absolute. Errors: KashiError store_unsuitable when it leads to another host, which would get our token. */
  locationOf(response: Response): string {
    const location = response.headers.get('location');
    const url = location === null ? null : new URL(location, this.base);
    if (url !== null && url.host === this.base.host) return url.href;
    throw new KashiError('store_unsuitable', 'the registry gave no place to upload to', {
      where: this.host,
      found: url?.host ?? 'nothing',
    });
  }

  /** Errors: TransientStoreError when it stays unreachable or keeps failing; KashiError for what it refuses. */
  async request(request: RegistryRequest): Promise<Response> {
    for (let tried = 1; ; tried += 1) {
      const last = tried >= TRIES || request.repeats === false;
      const outcome = await this.once(request).catch((error: unknown) => {
        if (error instanceof KashiError) throw error;
        if (last) throw new TransientStoreError(`registry ${this.host}: ${reasonOf(error)}`, { cause: error });
        return null;
      });
      if (outcome !== null) {
        if (request.expects.includes(outcome.status)) return outcome;
        if (outcome.status < 500 && outcome.status !== 429) throw await this.refusal(request, outcome);
        await outcome.body?.cancel();
        if (last) throw new TransientStoreError(`registry ${this.host}: HTTP ${outcome.status} to ${request.method} ${request.path}`);
      }
      await sleep(FIRST_WAIT_MS * 2 ** (tried - 1));
    }
  }

  private async once(request: RegistryRequest): Promise<Response> {
    const scope = /\/v2\/(.+?)\/(?:manifests|blobs|referrers|tags)\//.exec(request.path)?.[1] ?? '';
    const first = await this.send(request, this.authorization.get(scope));
    if (first.status !== 401) return first;
    await first.body?.cancel();
    const fresh = await this.authorize(first.headers.get('www-authenticate') ?? '');
    this.authorization.set(scope, fresh);
    const second = await this.send(request, fresh);
    if (second.status === 401 || second.status === 403) throw await this.refusal(request, second);
    return second;
  }

  private async send({ method, path, headers, body }: RegistryRequest, authorization: string | undefined): Promise<Response> {
    return await fetch(new URL(path, this.base), {
      method,
      headers: { ...headers, ...(authorization === undefined ? {} : { authorization }) },
      ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> }),
      signal: AbortSignal.timeout(ANSWER_WAIT_MS),
    });
  }

  /** What to send for a challenge. Source: distribution docs/content/spec/auth/token.md. */
  private async authorize(challenge: string): Promise<string> {
    const basic = this.credentials === null ? null : basicOf(this.credentials);
    if (/^basic\b/i.test(challenge) && basic !== null) return basic;
    const fields = Object.fromEntries([...challenge.matchAll(/(\w+)="([^"]*)"/g)].map((match) => [match[1] ?? '', match[2] ?? '']));
    if (!/^bearer\b/i.test(challenge) || fields['realm'] === undefined)
      throw new KashiError('config_invalid', 'the registry asks for credentials', { where: this.host, found: challenge || 'no challenge' });
    const realm = addressOf(fields['realm']);
    for (const name of ['service', 'scope']) if (fields[name] !== undefined) realm.searchParams.set(name, fields[name]);
    const response = await fetch(realm, {
      headers: basic === null ? {} : { authorization: basic },
      signal: AbortSignal.timeout(ANSWER_WAIT_MS),
    });
    if (response.status >= 500) throw new Error(`HTTP ${response.status} of the token service`);
    const answer = response.ok ? ((await response.json()) as { token?: string; access_token?: string }) : {};
    const token = answer.token ?? answer.access_token;
    if (token !== undefined) return `Bearer ${token}`;
    throw new KashiError('config_invalid', 'the registry gives no token for these credentials', {
      where: realm.host,
      found: `HTTP ${response.status}`,
    });
  }

  private async refusal(request: RegistryRequest, response: Response): Promise<KashiError> {
    const body = await response.text();
    const named = /"code"\s*:\s*"([A-Z_]+)"/.exec(body)?.[1] ?? `HTTP ${response.status}`;
    const code =
      named === 'DIGEST_INVALID'
        ? 'store_corrupt'
        : [401, 403].includes(response.status)
          ? 'config_invalid'
          : response.status === 404
            ? 'not_found'
            : 'store_unsuitable';
    return new KashiError(code, 'the registry refuses', {
      where: `${this.host} ${request.method} ${new URL(request.path, this.base).pathname}`,
      found: named,
    });
  }
}

function basicOf({ user, password }: RegistryCredentials): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

function reasonOf(error: unknown): string {
  const { cause, message } = error as Error;
  return cause instanceof Error && cause.message !== '' ? cause.message : message;
}
