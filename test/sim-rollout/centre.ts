/**
 * One simulated centre: two coordinators on one store, edges, a Git branch and a network that loses, doubles and delays. The product's own
 * modules run inside: log, reducer, coordinator, proof, Git commit, messages. Everything follows from the seed.
 */
import { memoryStore } from '../../functions/adapters/store-memory.ts';
import { Coordinator } from '../../functions/distribution/coordinator.ts';
import { copyImage } from '../../functions/distribution/copy-image.ts';
import { newestMessage } from '../../functions/distribution/edge-message.ts';
import type { DeployedRelease, Edge, EdgeState, Fleet } from '../../functions/distribution/fleet.ts';
import type { FleetEvent } from '../../functions/distribution/fleet-event.ts';
import { FleetLog } from '../../functions/distribution/fleet-log.ts';
import type { CopyState, ImageCopies } from '../../functions/distribution/image-copies.ts';
import type { RolloutWorld } from '../../functions/distribution/perform.ts';
import { KashiError } from '../../functions/domain/errors.ts';
import { type ObjectStore, TransientStoreError } from '../../functions/ports.ts';
import { Chance } from './chance.ts';
import type { Supply } from './releases.ts';
import type { SimEdge } from './sim-edge.ts';
import { type Deployed, SimGit } from './sim-git.ts';

/** A broken promise: what the simulator looks for. */
export class Violation extends Error {}

interface Step {
  readonly atMs: number;
  readonly n: number;
  readonly run: () => Promise<void> | void;
}

/** A coordinator process that can die at any of its operations. */
interface Process {
  life: { dead: boolean };
  coordinator: Coordinator | null;
}

export const START_MS = Date.UTC(2026, 0, 1);
const OFFLINE_AFTER_MS = 15 * 60_000;

export class SimCentre {
  readonly chance: Chance;
  readonly supply: Supply;
  readonly store = memoryStore({ now: () => this.nowMs });
  readonly git: SimGit;
  readonly edges = new Map<string, SimEdge>();
  readonly processes: Process[] = [
    { life: { dead: false }, coordinator: null },
    { life: { dead: false }, coordinator: null },
  ];
  nowMs = START_MS;
  faults = true;
  /** What was recorded, by type, to see that a seed did something. */
  readonly recorded = new Map<string, number>();
  violation: Violation | null = null;
  readonly #steps: Step[] = [];
  readonly #seenMs = new Map<string, number>();
  #n = 0;

  constructor(seed: number, supply: Supply) {
    this.chance = new Chance(seed);
    this.supply = supply;
    this.git = new SimGit((edge, before, after) => this.#judgeCommit(edge, before, after));
  }

  /** Later, in virtual time; equal instants in the order in which they were asked for. */
  after(ms: number, run: Step['run']): void {
    const step = { atMs: this.nowMs + ms, n: this.#n++, run };
    let at = this.#steps.length;
    while (at > 0 && this.#steps[at - 1]!.atMs < step.atMs) at -= 1;
    while (at > 0 && this.#steps[at - 1]!.atMs === step.atMs && this.#steps[at - 1]!.n < step.n) at -= 1;
    this.#steps.splice(at, 0, step);
  }

  /** Plays until the instant. Errors: the first violation. */
  async playUntil(untilMs: number): Promise<void> {
    for (let next = this.#steps.at(-1); next !== undefined && next.atMs <= untilMs; next = this.#steps.at(-1)) {
      this.#steps.pop();
      this.nowMs = Math.max(this.nowMs, next.atMs);
      void Promise.resolve(next.run()).catch((error: unknown) => this.#fail(error));
      // Everything that can go on without the clock does so now.
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (this.violation !== null) throw this.violation;
    }
    this.nowMs = untilMs;
  }

  #fail(error: unknown): void {
    this.violation ??= error instanceof Violation ? error : new Violation(`unexpected: ${(error as Error).stack}`);
  }

  #judgeCommit(name: string, before: Deployed | null, after: Deployed): void {
    const edge = this.edges.get(name);
    const release = this.supply.releases.find(({ digest }) => digest === after.digest);
    if (before !== null && after.generation < before.generation)
      this.#fail(new Violation(`${name}: Git goes back from generation ${before.generation} to ${after.generation}`));
    if (edge === undefined || release === undefined) {
      this.#fail(new Violation(`${name}: Git names an unknown image`));
      return;
    }
    // What is committed is checked against the truth, not against what kashi believes.
    edge
      .isWhole(release)
      .then((whole) =>
        whole ? undefined : this.#fail(new Violation(`${name}: ${release.modelVersion} was committed and is not whole there`)),
      )
      .catch((error: unknown) => this.#fail(error));
  }

  /** A hint that may be lost, doubled, late, out of order; it reaches whichever coordinator is alive. */
  send(event: FleetEvent): void {
    const lost = this.faults && this.chance.in10000(1_500);
    const copies = this.faults && this.chance.in10000(1_500) ? 2 : 1;
    for (let copy = 0; copy < (lost ? 0 : copies); copy += 1) {
      this.after(this.faults ? this.chance.below(120_000) : 10, () => this.record(event));
    }
  }

  async record(event: FleetEvent): Promise<void> {
    const coordinator = this.chance.one(this.processes).coordinator ?? this.processes.find((one) => one.coordinator !== null)?.coordinator;
    try {
      await coordinator?.record(event);
    } catch (error) {
      if (!(error instanceof TransientStoreError)) throw error;
    }
  }

  /** A coordinator looks around: after a death it first opens the log anew. */
  async tick(process: Process): Promise<void> {
    if (process.life.dead) {
      if (this.faults && this.chance.in10000(5_000)) return;
      process.coordinator = null;
    }
    try {
      const coordinator = process.coordinator ?? (await this.#start(process));
      for (const event of this.#presence(coordinator.state)) await coordinator.record(event);
      const begun = await coordinator.begin();
      for (const work of begun) work.catch((error: unknown) => this.#fail(error));
    } catch (error) {
      if (!(error instanceof TransientStoreError)) throw error;
    }
  }

  async #start(process: Process): Promise<Coordinator> {
    // A new process: operations of the one before never come back.
    const life = { dead: false };
    process.life = life;
    const world = this.#world(life);
    const log = await FleetLog.open(world.store);
    const coordinator = new Coordinator(world, log, {
      copies: 4,
      onFault: () => {},
      onEvent: ({ type }) => void this.recorded.set(type, (this.recorded.get(type) ?? 0) + 1),
    });
    // Unless it took so long that another was started meanwhile.
    if (process.life === life) process.coordinator = coordinator;
    return coordinator;
  }

  #presence(fleet: Fleet): FleetEvent[] {
    return Object.values(fleet.edges).flatMap(({ edge, offlineSinceMs }): FleetEvent[] => {
      const silent = this.nowMs - (this.#seenMs.get(edge) ?? START_MS) > OFFLINE_AFTER_MS;
      if (silent === (offlineSinceMs !== null)) return [];
      return [{ type: silent ? 'edge_offline' : 'edge_online', atMs: this.nowMs, edge }];
    });
  }

  /** One operation of a process: it may die before or after, wait long, or fail with or without effect. */
  async #operation<T>(process: { dead: boolean }, weight: number, fault: () => Error, run: () => Promise<T>): Promise<T> {
    const hang = (): Promise<never> => new Promise<never>(() => {});
    if (process.dead) return await hang();
    if (!this.faults) return await run();
    const dies = this.chance.in10000(weight);
    if (dies && this.chance.in10000(5_000)) process.dead = true;
    if (process.dead) return await hang();
    if (this.chance.in10000(3 * weight)) await new Promise<void>((resolve) => this.after(this.chance.between(1_000, 900_000), resolve));
    if (process.dead) return await hang();
    if (this.chance.in10000(4 * weight)) throw fault();
    const result = await run();
    if (dies) process.dead = true;
    if (process.dead) return await hang();
    if (this.chance.in10000(4 * weight)) throw fault();
    return result;
  }

  #world(process: { dead: boolean }): RolloutWorld {
    const lost = (): Error => new TransientStoreError('no answer');
    const store: ObjectStore = {
      ...this.store,
      putIfAbsent: (key, body) => this.#operation(process, 20, lost, () => this.store.putIfAbsent(key, body)),
      get: (key) => this.#operation(process, 2, lost, () => this.store.get(key)),
    };
    const unreachable = (): Error => new KashiError('store_unsuitable', 'git cannot be reached');
    const { git } = this;
    return {
      store,
      clock: { now: () => this.nowMs },
      git: {
        tip: () => this.#operation(process, 10, unreachable, () => git.tip()),
        read: (commit, paths) => this.#operation(process, 10, unreachable, () => git.read(commit, paths)),
        write: (change) => this.#operation(process, 40, unreachable, () => git.write(change)),
        move: (from, to) => this.#operation(process, 60, unreachable, () => git.move(from, to)),
      },
      copies: this.#copies(process),
      registryOf: ({ edge }: EdgeState) => this.edges.get(edge)!.registry,
      attestationKey: this.supply.signer.publicKey,
      proofDepth: 'read',
      signer: this.supply.signer,
      hooks: {
        send: async ({ url, body }) => {
          const edge = this.edges.get(url)!;
          if (!edge.online || (this.faults && this.chance.in10000(4_000))) return { accepted: false, text: 'unreachable' };
          edge.take(Buffer.from(body), this.supply.signer.publicKey, this.nowMs);
          return { accepted: !(this.faults && this.chance.in10000(2_000)), text: '' };
        },
      },
      hookHeaders: () => ({}),
    };
  }

  /** A registry that replicates by itself, badly: slow, failing, corrupt, without the attestation, and its events get lost. */
  #copies(process: { dead: boolean }): ImageCopies {
    const down = (): Error => new Error('the registry does not answer');
    const here = <T>(run: (edge: SimEdge, release: DeployedRelease) => Promise<T>) => {
      return (edge: Edge, release: DeployedRelease): Promise<T> =>
        this.#operation(process, 30, down, async () => {
          const simulated = this.edges.get(edge.edge)!;
          if (!simulated.online) throw down();
          return await run(simulated, release);
        });
    };
    const state = async (edge: SimEdge, release: DeployedRelease): Promise<CopyState> => {
      const transfer = edge.transfers.get(release.digest);
      const status = transfer?.state ?? 'in_progress';
      return { status, bytesMoved: 0, fault: status === 'failed' ? 'the registry gives no reason' : null };
    };
    return {
      start: here(async (edge, release) => {
        const transfer = edge.transfers.get(release.digest);
        const whole = transfer?.state === 'complete' && (await edge.isWhole(release));
        if (transfer === undefined || transfer.state === 'failed' || (transfer.state === 'complete' && !whole))
          this.#transfer(edge, release);
        return await state(edge, release);
      }),
      state: here(state),
      copy: here(async (edge, release) => {
        await this.#deliver(edge, release);
        return { status: 'complete', bytesMoved: release.bytes, fault: null };
      }),
    };
  }

  #transfer(edge: SimEdge, release: DeployedRelease): void {
    const transfer = { release, state: 'in_progress' as 'in_progress' | 'complete' | 'failed' };
    edge.transfers.set(release.digest, transfer);
    const slow = this.faults && this.chance.in10000(300);
    this.after(slow ? 4 * 3_600_000 : this.chance.between(2_000, 400_000), async () => {
      if (this.faults && this.chance.in10000(800)) {
        transfer.state = 'failed';
        return;
      }
      await this.#deliver(edge, release);
      transfer.state = 'complete';
      const { repository, digest } = release;
      this.send({ type: 'replicated', atMs: this.nowMs, edge: edge.name, repository, digest, by: 'event', bytesMoved: release.bytes });
    });
  }

  /** Puts the image into the edge's registry, sometimes not quite. What is whole there stays so. */
  async #deliver(edge: SimEdge, release: DeployedRelease): Promise<void> {
    if (await edge.isWhole(release)) return;
    edge.whole.clear();
    const { repository, digest } = release;
    const manifest = await this.supply.hq.manifest(repository, digest);
    const { config, layers } = JSON.parse(Buffer.from(manifest!.bytes).toString('utf8')) as {
      config: { digest: string };
      layers: { digest: string }[];
    };
    for (const blob of [config, ...layers]) edge.registry.dropBlob(blob.digest);
    await copyImage({ from: this.supply.hq, repository, to: edge.registry, digest, tag: null });
    edge.whole.clear();
    if (!this.faults || !this.chance.in10000(1_200)) return;
    const weights = layers[1]!.digest;
    if (this.chance.in10000(5_000)) edge.registry.corruptBlob(weights, Buffer.from(`weights ?? ${release.modelVersion}`));
    else edge.registry.dropBlob(weights);
  }

  /** The edge's controller follows Git, its agent asks headquarters and reports. */
  async edgeStep(edge: SimEdge): Promise<void> {
    if (!edge.online) return;
    this.#seenMs.set(edge.name, this.nowMs);
    const message = await newestMessage(this.store, edge.name, edge.trusted.sequence + 1);
    if (message !== null && !(this.faults && this.chance.in10000(2_000)))
      edge.take(message.bytes, this.supply.signer.publicKey, this.nowMs);
    const deployed = this.git.deployed(edge.name);
    if (deployed === null) return;
    const release = this.supply.releases.find(({ digest }) => digest === deployed.digest)!;
    if (!(await edge.isWhole(release))) throw new Violation(`${edge.name} would pull a broken ${release.modelVersion}`);
    if (edge.running !== null && deployed.generation < edge.running.generation) throw new Violation(`${edge.name} goes back`);
    edge.running = deployed;
    if (edge.told?.generation !== deployed.generation || edge.told.digest !== deployed.digest) return;
    const about = { atMs: this.nowMs, service: 'chat', edge: edge.name, ...deployed };
    this.send({ ...about, type: 'synced' });
    if (edge.bad.has(deployed.digest)) this.send({ ...about, type: 'unhealthy', reason: 'it does not answer' });
    else this.send({ ...about, type: 'live' });
  }
}
