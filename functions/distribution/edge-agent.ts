/**
 * The agent of an edge: takes messages of headquarters (posted or polled), believes nothing that is not signed, for it, new and in time, proves the
 * image in its own registry byte by byte, lets the edge's own GitOps controller do its work, and reports what came of it.
 */
import { signRecord } from '../ledger/signed.ts';
import type { Clock, ImageRegistry, Signer } from '../ports.ts';
import type { EdgeMessage, EdgeService } from './edge-message.ts';
import type { EdgePoll, EdgeReport } from './edge-report.ts';
import { NOTHING_TRUSTED, type Refusal, type Trusted, verifyMessage } from './edge-verify.ts';
import type { Health } from './fleet.ts';
import { type Proof, proveImage } from './proof.ts';

/** What the agent keeps on its disk. */
export interface AgentMemory {
  readonly trusted: Trusted;
  /** The newest message that is trusted: worked on until every service of it is live. */
  readonly message: EdgeMessage | null;
  /** Service → generation that was reported as live. */
  readonly live: Readonly<Record<string, number>>;
  /** Reports that were sent. */
  readonly reports: number;
}

export const EMPTY_MEMORY: AgentMemory = { trusted: NOTHING_TRUSTED, message: null, live: {}, reports: 0 };

export interface StepResult {
  readonly ok: boolean;
  /** Last lines of what was printed. */
  readonly text: string;
}

export interface AgentPorts {
  readonly edge: string;
  /** Public key (PEM) of headquarters, and of whoever attests images. */
  readonly hqKey: string;
  readonly attestationKey: string;
  readonly registry: ImageRegistry;
  readonly signer: Signer;
  readonly clock: Clock;
  /** Posts to headquarters. Never throws; status 0 when it was not reached. */
  readonly post: (body: Uint8Array) => Promise<{ readonly status: number; readonly body: Uint8Array }>;
  readonly load: () => AgentMemory;
  /** On the disk when it returns. */
  readonly save: (memory: AgentMemory) => void;
  /** Waits until the edge's controller follows the commit. */
  readonly sync: (service: EdgeService) => Promise<StepResult>;
  /** Waits until the service answers. */
  readonly ready: (service: EdgeService) => Promise<StepResult>;
  /** Null where nothing is measured. */
  readonly health: (service: EdgeService) => Promise<Health | null>;
  readonly note: (line: string) => void;
}

export type Taken =
  | { readonly taken: true; readonly sequence: number }
  | { readonly taken: false; readonly why: Refusal; readonly found: string };

export class EdgeAgent {
  readonly #ports: AgentPorts;
  #memory: AgentMemory;

  constructor(ports: AgentPorts) {
    this.#ports = ports;
    this.#memory = ports.load();
  }

  get memory(): AgentMemory {
    return this.#memory;
  }

  /** A message from anywhere. It is on the disk before anything is done with it. */
  take(bytes: Uint8Array): Taken {
    const { edge, hqKey, clock, note } = this.#ports;
    const verdict = verifyMessage(bytes, edge, hqKey, this.#memory.trusted, clock.now());
    if (!verdict.accepted) {
      note(`refused a message: ${verdict.why} (${verdict.found})`);
      return { taken: false, why: verdict.why, found: verdict.found };
    }
    const { message, trusted } = verdict;
    this.#keep({ message, trusted });
    note(`message ${message.sequence}: ${message.services.map(({ service, model_version }) => `${service} ${model_version}`).join(', ')}`);
    return { taken: true, sequence: message.sequence };
  }

  /** Asks headquarters for something newer. False when it was not reached. */
  async poll(): Promise<boolean> {
    const { edge, clock, signer, post } = this.#ports;
    const poll: EdgePoll = { type: 'poll', edge, at_ms: clock.now(), after: this.#memory.trusted.sequence };
    const { status, body } = await post(await signRecord(signer, poll));
    if (status === 200) this.take(body);
    return status === 200 || status === 204;
  }

  /** Works on every service of the newest message that is not live yet, and measures the others. */
  async work(): Promise<void> {
    for (const service of this.#memory.message?.services ?? []) {
      if ((this.#memory.live[service.service] ?? 0) < service.generation) await this.#deploy(service);
      else await this.#measure(service);
    }
  }

  /** A bundle's image is in the edge's own registry, proven there: headquarters is told. */
  async importedDigest(name: string, digest: string, bytesMoved: number): Promise<void> {
    const service = this.#memory.message?.services.find((one) => one.service === name && one.image_digest === digest);
    if (service !== undefined && (this.#memory.live[name] ?? 0) < service.generation)
      await this.#report('imported', service, { bytesMoved });
  }

  /** Images of the newest message that the edge's registry has whole. Every byte is read. */
  async images(): Promise<{ readonly service: string; readonly digest: string }[]> {
    const proven: { service: string; digest: string }[] = [];
    for (const service of this.#memory.message?.services ?? [])
      if ((await this.#prove(service)).is === 'proven') proven.push({ service: service.service, digest: service.image_digest });
    return proven;
  }

  async #deploy(service: EdgeService): Promise<void> {
    const { sync, ready, note } = this.#ports;
    const proof = await this.#prove(service);
    if (proof.is === 'unreachable') return note(`${service.service}: ${proof.fault}; tried again`);
    if (proof.is !== 'proven') return await this.#fail(service, `${proof.is}: ${proof.fault}`);
    if (proof.attestationDigest !== service.attestation_digest)
      note(`${service.service}: another valid attestation, ${proof.attestationDigest}`);
    const synced = await sync(service);
    if (!synced.ok) return await this.#fail(service, `not synced: ${synced.text}`);
    await this.#report('synced', service);
    const answers = await ready(service);
    if (!answers.ok) return await this.#fail(service, `not ready: ${answers.text}`);
    if (!(await this.#report('live', service))) return;
    this.#keep({ live: { ...this.#memory.live, [service.service]: service.generation } });
    note(`${service.service} ${service.model_version} is live`);
    await this.#measure(service);
  }

  async #prove({ repository, image_digest: digest }: EdgeService): Promise<Proof> {
    const { registry, attestationKey: trustedKey } = this.#ports;
    return await proveImage({ registry, repository, digest, trustedKey, depth: 'read' });
  }

  async #fail(service: EdgeService, reason: string): Promise<void> {
    this.#ports.note(`${service.service} ${service.model_version}: ${reason}`);
    await this.#report('unhealthy', service, { reason });
  }

  async #measure(service: EdgeService): Promise<void> {
    const health = await this.#ports.health(service);
    if (health !== null) await this.#report('health', service, { health });
  }

  /** True when headquarters took it. */
  async #report(
    type: EdgeReport['type'],
    service: EdgeService,
    { reason = null, health = null, bytesMoved }: { reason?: string | null; health?: Health | null; bytesMoved?: number } = {},
  ): Promise<boolean> {
    const { edge, clock, signer, post } = this.#ports;
    const report: EdgeReport = {
      ...{ type, edge, at_ms: clock.now(), report: this.#memory.reports + 1 },
      ...{ service: service.service, generation: service.generation, digest: service.image_digest, reason, health },
      ...(bytesMoved === undefined ? {} : { bytes_moved: bytesMoved }),
    };
    // The number is used up whatever comes of it: an answer may be lost after the report was kept.
    this.#keep({ reports: report.report });
    const { status } = await post(await signRecord(signer, report));
    return status >= 200 && status < 300;
  }

  #keep(change: Partial<AgentMemory>): void {
    this.#memory = { ...this.#memory, ...change };
    this.#ports.save(this.#memory);
  }
}
