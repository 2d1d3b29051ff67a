/** An edge of the simulation: its registry, its GitOps controller and its agent, which remembers what it trusted. */
import { MemoryRegistry } from '../../functions/adapters/registry-memory.ts';
import { NOTHING_TRUSTED, type Trusted, verifyMessage } from '../../functions/distribution/edge-verify.ts';
import type { DeployedRelease } from '../../functions/distribution/fleet.ts';
import { proveImage } from '../../functions/distribution/proof.ts';
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

  /** The truth about an image here, every byte of it. */
  async isWhole(release: DeployedRelease, trustedKey: string): Promise<boolean> {
    const { repository, digest } = release;
    const known = this.whole.get(digest);
    if (known !== undefined) return known;
    const proof = await proveImage({ registry: this.registry, repository, digest, trustedKey, depth: 'read' });
    this.whole.set(digest, proof.is === 'proven');
    return proof.is === 'proven';
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
