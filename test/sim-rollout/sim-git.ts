/** A Git branch in memory that judges every move: what is committed must be proven at its edge, and no file goes back in generation. */

import { generationOf } from '../../functions/distribution/kustomization.ts';
import type { GitChange, GitHost } from '../../functions/ports.ts';

const BASE: Readonly<Record<string, string>> = {
  'services/chat/kustomization.yaml': 'kind: Kustomization\nresources: [deployment.yaml]\n',
  'services/chat/deployment.yaml': 'kind: Deployment\nspec: {template: {spec: {containers: [{name: chat, image: chat-service}]}}}\n',
};

interface Stored {
  readonly parent: string | null;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

export interface Deployed {
  readonly generation: number;
  readonly digest: string;
}

export class SimGit implements GitHost {
  readonly #commits = new Map<string, Stored>();
  #tip: string;
  commits = 0;
  /** Told of each file that a move changes; throws when it must not be. */
  readonly #judge: (edge: string, before: Deployed | null, after: Deployed) => void;

  constructor(judge: (edge: string, before: Deployed | null, after: Deployed) => void) {
    this.#judge = judge;
    this.#tip = 'c0';
    this.#commits.set('c0', { parent: null, files: new Map(Object.entries(BASE).map(([path, text]) => [path, Buffer.from(text)])) });
  }

  async tip(): Promise<string> {
    return this.#tip;
  }

  async read(commit: string, paths: readonly string[]): Promise<ReadonlyMap<string, Uint8Array | null>> {
    const { files } = this.#commits.get(commit)!;
    return new Map(paths.map((path) => [path, files.get(path) ?? null]));
  }

  async write({ parent, files }: GitChange): Promise<string> {
    const name = `c${this.#commits.size}`;
    const before = parent === null ? new Map<string, Uint8Array>() : this.#commits.get(parent)!.files;
    this.#commits.set(name, { parent, files: new Map([...before, ...files]) });
    return name;
  }

  async move(from: string | null, to: string): Promise<boolean> {
    if (from !== this.#tip) return false;
    const before = this.#commits.get(this.#tip)!.files;
    for (const [path, bytes] of this.#commits.get(to)!.files) {
      const [, edge] = /^edges\/([^/]+)\/chat\//.exec(path) ?? [];
      const was = before.get(path) ?? null;
      if (edge === undefined || (was !== null && Buffer.compare(was, bytes) === 0)) continue;
      this.#judge(edge, was === null ? null : deployedOf(was), deployedOf(bytes));
    }
    this.#tip = to;
    this.commits += 1;
    return true;
  }

  /** What the branch says for an edge now. */
  deployed(edge: string): Deployed | null {
    const bytes = this.#commits.get(this.#tip)!.files.get(`edges/${edge}/chat/kustomization.yaml`);
    return bytes === undefined ? null : deployedOf(bytes);
  }
}

function deployedOf(bytes: Uint8Array): Deployed {
  const text = Buffer.from(bytes).toString('utf8');
  return { generation: generationOf(text), digest: /digest: "(sha256:[0-9a-f]{64})/.exec(text)?.[1] ?? '' };
}
