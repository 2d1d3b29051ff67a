/**
 * A branch of a Git repository over HTTPS, for where there is no git command: functions of a deploy. Speaks the smart protocol that every host has
 * (GitHub, GitLab, Gitea, CodeCommit, git http-backend). Source: git-scm.com/docs/http-protocol, gitprotocol-pack. SHA-1 repositories.
 */
import { KashiError } from '../domain/errors.ts';
import { type GitChange, type GitHost, TransientStoreError } from '../ports.ts';
import { FILE, FOLDER, type GitObject, oidOf, packOf, readPack, readTree, type TreeEntry, treeBytes } from './git-pack.ts';

export interface GitHttpOptions {
  /** https://host/path of the repository. */
  readonly url: string;
  readonly branch: string;
  /** Author and committer: `Name <address>`. */
  readonly author: string;
  /** `user:token`; null for a repository that asks for none. Asked for before each request. */
  readonly credentials: () => Promise<string | null>;
}

const NOTHING = '0'.repeat(40);
const WAIT_MS = 60_000;
const AGENT = 'kashi';

export function gitHttpHost(options: GitHttpOptions): GitHost {
  return new HttpRepository(options);
}

class HttpRepository implements GitHost {
  readonly #options: GitHttpOptions;
  readonly #url: string;
  /** Of the commit that was read last, and of commits that were moved to: the host has all of them. */
  #objects = new Map<string, GitObject>();
  /** Commits that were written and are on no branch yet → what a push of each has to send, by name. */
  readonly #written = new Map<string, ReadonlyMap<string, GitObject>>();

  constructor(options: GitHttpOptions) {
    this.#options = options;
    this.#url = options.url.replace(/\/$/, '');
  }

  async tip(): Promise<string | null> {
    return await this.#tipFor('git-upload-pack');
  }

  async read(commit: string, paths: readonly string[]): Promise<ReadonlyMap<string, Uint8Array | null>> {
    if (paths.length === 0) return new Map();
    const root = await this.#treeOf(commit);
    return new Map(paths.map((path) => [path, this.#find(root, path.split('/'))]));
  }

  async write({ parent, files, message, atMs }: GitChange): Promise<string> {
    const made = new Map<string, GitObject>();
    const keep = (object: GitObject): string => {
      const oid = oidOf(object);
      if (!this.#objects.has(oid)) made.set(oid, object);
      return oid;
    };
    const changes = [...files].map(([path, bytes]) => [path.split('/'), keep({ type: 'blob', bytes })] as const);
    const tree = this.#changed(parent === null ? null : await this.#treeOf(parent), changes, keep);
    const who = `${this.#options.author} ${Math.floor(atMs / 1000)} +0000`;
    const head = [`tree ${tree}`, ...(parent === null ? [] : [`parent ${parent}`]), `author ${who}`, `committer ${who}`];
    const commit = keep({ type: 'commit', bytes: Buffer.from(`${head.join('\n')}\n\n${message}`) });
    this.#written.set(commit, made);
    return commit;
  }

  async move(from: string | null, to: string): Promise<boolean> {
    const made = this.#written.get(to) ?? new Map<string, GitObject>();
    this.#written.delete(to);
    if ((await this.#tipFor('git-receive-pack')) !== from) return false;
    const command = `${from ?? NOTHING} ${to} refs/heads/${this.#options.branch}\0 report-status agent=${AGENT}`;
    const body = Buffer.concat([line(command), FLUSH, packOf([...made.values()])]);
    const said = linesOf(await this.#post('git-receive-pack', body)).lines.map((one) => one.toString('utf8').trim());
    if (said.includes('unpack ok') && said.some((one) => one.startsWith('ok '))) {
      for (const [oid, object] of made) this.#objects.set(oid, object);
      return true;
    }
    // Somebody else may have moved it in between; what else the host refuses (a protected branch, a hook), a person has to mend.
    if ((await this.#tipFor('git-receive-pack')) !== from) return false;
    throw this.#refused('the host refuses the commit', said.join('; '));
  }

  async #tipFor(service: string): Promise<string | null> {
    const answer = await this.#ask(`/info/refs?service=${service}`, {});
    const { lines } = linesOf(answer);
    if (lines[0]?.toString('utf8').trim() !== `# service=${service}`)
      throw this.#refused('it is no Git repository', answer.toString('utf8', 0, 60));
    if (lines.some((one) => one.includes('object-format=sha256'))) throw this.#refused('the repository names objects by SHA-256', 'sha256');
    const ref = `refs/heads/${this.#options.branch}`;
    for (const one of lines.slice(1)) {
      const [oid = '', name = ''] = one.toString('utf8').split('\0')[0]!.trim().split(' ');
      if (name === ref) return oid;
    }
    return null;
  }

  /** Brings the commit with all its files, and nothing of its history. */
  async #treeOf(commit: string): Promise<string> {
    if (!this.#objects.has(commit)) {
      const want = [line(`want ${commit} shallow no-progress agent=${AGENT}\n`), line('deepen 1\n'), FLUSH, line('done\n')];
      const answer = await this.#post('git-upload-pack', Buffer.concat(want));
      const { lines, rest } = linesOf(answer, 'PACK');
      const error = lines.find((one) => one.toString('utf8').startsWith('ERR '));
      if (error !== undefined) throw this.#refused('the host does not give the commit', error.toString('utf8').trim());
      this.#objects = readPack(rest, this.#url);
    }
    const object = this.#objects.get(commit);
    const tree = /^tree ([0-9a-f]{40})\n/.exec(Buffer.from(object?.bytes ?? []).toString('utf8'))?.[1];
    if (tree === undefined) throw new KashiError('store_corrupt', 'the commit did not come', { where: this.#url, found: commit });
    return tree;
  }

  #entries(tree: string | null): TreeEntry[] {
    const object = tree === null ? undefined : this.#objects.get(tree);
    return object?.type === 'tree' ? readTree(object.bytes) : [];
  }

  #find(tree: string, [name, ...below]: readonly string[]): Uint8Array | null {
    const entry = this.#entries(tree).find((one) => one.name === name);
    if (entry === undefined) return null;
    if (below.length > 0) return entry.mode === FOLDER ? this.#find(entry.oid, below) : null;
    const object = this.#objects.get(entry.oid);
    return object?.type === 'blob' ? Uint8Array.from(object.bytes) : null;
  }

  /** Name of the tree with these files in place of its own. */
  #changed(tree: string | null, changes: readonly (readonly [readonly string[], string])[], keep: (object: GitObject) => string): string {
    const entries = new Map(this.#entries(tree).map((entry) => [entry.name, entry]));
    for (const name of new Set(changes.map(([[first = '']]) => first))) {
      const its = changes.filter(([[first]]) => first === name);
      const file = its.find(([path]) => path.length === 1);
      const known = entries.get(name);
      const oid =
        file?.[1] ??
        this.#changed(
          known?.mode === FOLDER ? known.oid : null,
          its.map(([path, blob]) => [path.slice(1), blob]),
          keep,
        );
      entries.set(name, { mode: file === undefined ? FOLDER : FILE, name, oid });
    }
    return keep({ type: 'tree', bytes: treeBytes([...entries.values()]) });
  }

  async #post(service: string, body: Uint8Array): Promise<Buffer> {
    const headers = { 'content-type': `application/x-${service}-request`, accept: `application/x-${service}-result` };
    return await this.#ask(`/${service}`, { method: 'POST', body, headers });
  }

  /** Errors: KashiError store_unsuitable for what a person has to mend, TransientStoreError for a host that does not answer. */
  async #ask(
    path: string,
    init: { readonly method?: string; readonly body?: Uint8Array; readonly headers?: Readonly<Record<string, string>> },
  ): Promise<Buffer> {
    const credentials = await this.#options.credentials();
    const authorization = credentials === null ? {} : { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` };
    const request = {
      ...init,
      headers: { ...init.headers, ...authorization },
      redirect: 'error',
      signal: AbortSignal.timeout(WAIT_MS),
    } as RequestInit;
    const answer = await fetch(`${this.#url}${path}`, request).catch((cause: Error) => {
      throw new TransientStoreError(`${this.#url}: ${String((cause.cause as Error | undefined)?.message ?? cause.message)}`, { cause });
    });
    if (answer.status >= 500 || answer.status === 429) throw new TransientStoreError(`${this.#url}: HTTP ${answer.status}`);
    if (answer.status !== 200) throw this.#refused('the host refuses', `HTTP ${answer.status}`);
    return Buffer.from(await answer.arrayBuffer());
  }

  #refused(message: string, found: string): KashiError {
    return new KashiError('store_unsuitable', message, { where: this.#url, found });
  }
}

const FLUSH = Buffer.from('0000');

/** A pkt-line: four hexadecimal digits of its length, themselves included. */
function line(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from((bytes.length + 4).toString(16).padStart(4, '0')), bytes]);
}

/** The pkt-lines, and what comes behind them once bytes begin with `until`. */
function linesOf(answer: Buffer, until?: string): { readonly lines: readonly Buffer[]; readonly rest: Buffer } {
  const lines: Buffer[] = [];
  let at = 0;
  while (at + 4 <= answer.length && answer.toString('latin1', at, at + 4) !== until) {
    const size = Number.parseInt(answer.toString('latin1', at, at + 4), 16);
    if (Number.isNaN(size)) break;
    if (size > 4) lines.push(answer.subarray(at + 4, at + size));
    at += Math.max(size, 4);
  }
  return { lines, rest: answer.subarray(at) };
}
