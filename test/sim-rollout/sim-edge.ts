/** An edge of the simulation: its registry, its GitOps controller and its agent, which remembers what it trusted. */
import { MemoryRegistry } from '../../functions/adapters/registry-memory.ts';
import { NOTHING_TRUSTED, type Trusted, verifyMessage } from '../../functions/distribution/edge-verify.ts';
import type { DeployedRelease } from '../../functions/distribution/fleet.ts';
import type { ImageManifest } from '../../functions/domain/oci.ts';
import type { Deployed } from './sim-git.ts';

export interface Transfer {
  readonly release: DeployedRelease;
  state: 'in_progress' | 'complete' | 'failed';
}

export class SimEdge {
  readonly name: string;
  readonly registry: MemoryRegistry;
  readonly transfers = new Map<string, Transfer>();
  online = true;
  joined = true;
  trusted: Trusted = NOTHING_TRUSTED;
  /** What the agent believes it should run. */
  told: Deployed | null = null;
  running: Deployed | null = null;
  /** What was found since bytes last came. */
  readonly whole = new Map<string, boolean>();
  /** Digests that do not work here. */
  readonly bad = new Set<string>();

  constructor(name: string) {
    this.name = name;
    this.registry = new MemoryRegistry(`${name}:5000`);
  }

  /** The truth about an image here, every byte of it; nothing of the product's own proof is asked. */
  async isWhole({ repository, digest }: DeployedRelease): Promise<boolean> {
    const known = this.whole.get(digest);
    if (known !== undefined) return known;
    const whole = await this.#holds(repository, digest).catch(() => false);
    this.whole.set(digest, whole);
    return whole;
  }

  async #holds(repository: string, digest: string): Promise<boolean> {
    const manifest = await this.registry.manifest(repository, digest);
    if (manifest === null || (await this.registry.referrers(repository, digest)).length === 0) return false;
    const { config, layers } = JSON.parse(Buffer.from(manifest.bytes).toString('utf8')) as ImageManifest;
    // Reading a blob to its end fails when its bytes are not what its digest says.
    for (const blob of [config, ...layers]) for await (const _ of this.registry.readBlob(repository, blob));
    return true;
  }

  /** Takes a message, if it believes it. */
  take(bytes: Uint8Array, hqKey: string, nowMs: number): void {
    const verdict = verifyMessage(bytes, this.name, hqKey, this.trusted, nowMs);
    if (!verdict.accepted) return;
    this.trusted = verdict.trusted;
    const chat = verdict.message.services.find(({ service }) => service === 'chat');
    if (chat !== undefined) this.told = { generation: chat.generation, digest: chat.image_digest };
  }
}
