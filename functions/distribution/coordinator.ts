/**
 * Keeps doing what is due. Any number of coordinators may run on one store: the log decides what happened, Git's compare-and-set and the numbered
 * messages decide between two that do the same thing, and doing it twice changes nothing.
 */
import { KashiError } from '../domain/errors.ts';
import { TransientStoreError } from '../ports.ts';
import { due } from './due.ts';
import type { Fleet } from './fleet.ts';
import { type Command, commandKey, type FleetEvent } from './fleet-event.ts';
import type { FleetLog } from './fleet-log.ts';
import { unrecordedCommits } from './gitops.ts';
import { perform, type RolloutWorld } from './perform.ts';

export interface CoordinatorOptions {
  /** Images on their way at once. */
  readonly copies: number;
  /** Told of what kashi cannot mend itself; the act is tried again later. */
  readonly onFault: (command: Command, error: unknown) => void;
  /** Told of every event that was recorded here. */
  readonly onEvent?: (event: FleetEvent) => void;
}

/** Git is compared with the log so often. */
const LOOK_AT_GIT_MS = 60_000;
const FIRST_WAIT_MS = 1_000;
const LAST_WAIT_MS = 300_000;

export class Coordinator {
  readonly #world: RolloutWorld;
  readonly #log: FleetLog;
  readonly #options: CoordinatorOptions;
  readonly #underWay = new Map<string, Promise<number>>();
  #lookedMs = 0;
  readonly #faults = new Map<string, { readonly count: number; readonly untilMs: number }>();

  constructor(world: RolloutWorld, log: FleetLog, options: CoordinatorOptions) {
    this.#world = world;
    this.#log = log;
    this.#options = options;
  }

  get state(): Fleet {
    return this.#log.state;
  }

  /** Begins everything that is due and not under way. Returns what was begun: each resolves to how many events it recorded. */
  async begin(): Promise<readonly Promise<number>[]> {
    await this.#log.refresh();
    await this.#lookAtGit();
    const fleet = this.#log.state;
    const nowMs = this.#world.clock.now();
    const begun: Promise<number>[] = [];
    for (const command of due(fleet, nowMs)) {
      const key = commandKey(command);
      if (
        this.#underWay.has(key) ||
        (this.#faults.get(key)?.untilMs ?? 0) > nowMs ||
        (isCopy(command) && this.#copying() >= this.#options.copies)
      )
        continue;
      const work = this.#do(fleet, command, key).finally(() => this.#underWay.delete(key));
      this.#underWay.set(key, work);
      begun.push(work);
    }
    return begun;
  }

  /** Git may say more than the log: a commit and its record are two steps. */
  async #lookAtGit(): Promise<void> {
    const nowMs = this.#world.clock.now();
    if (nowMs - this.#lookedMs < LOOK_AT_GIT_MS) return;
    this.#lookedMs = nowMs;
    try {
      for (const event of await unrecordedCommits(this.#world.git, this.#log.state, nowMs)) await this.#tell(event);
    } catch (error) {
      // The next look may find it; a commit fails by itself when Git is not there.
      if (!(error instanceof KashiError || error instanceof TransientStoreError)) throw error;
    }
  }

  /** Does everything that is due until nothing more comes of it. Returns the events recorded. For one round from a scheduler, and for tests. */
  async settle(rounds = 1_000): Promise<number> {
    let recorded = 0;
    for (let round = 0; round < rounds; round += 1) {
      const counts = await Promise.all(await this.begin());
      const now = counts.reduce((sum, count) => sum + count, 0);
      recorded += now;
      if (now === 0) break;
    }
    return recorded;
  }

  /** Runs until the signal. A finished act begins what follows from it at once; otherwise every `tickMs` is looked what time has brought. */
  async run(signal: AbortSignal, tickMs: number): Promise<void> {
    let broken: { readonly error: unknown } | null = null;
    signal.addEventListener('abort', () => this.#wake(), { once: true });
    while (!signal.aborted && broken === null) {
      const ready = this.#nextLook(tickMs);
      for (const work of await this.#beginPatiently()) {
        work.then(
          (events) => (events > 0 ? this.#wake() : undefined),
          (error: unknown) => {
            broken = { error };
            this.#wake();
          },
        );
      }
      if (!signal.aborted) await ready;
    }
    await Promise.allSettled(this.#underWay.values());
    if (broken !== null) throw (broken as { readonly error: unknown }).error;
  }

  async #beginPatiently(): Promise<readonly Promise<number>[]> {
    try {
      return await this.begin();
    } catch (error) {
      if (error instanceof TransientStoreError) return [];
      throw error;
    }
  }

  /** Resolves when somebody wakes it, or after `tickMs`. */
  async #nextLook(tickMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, tickMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #wake: () => void = () => {};

  /** Something happened outside, such as an event of a registry: look now. */
  wake(): void {
    this.#wake();
  }

  /** Records an event from outside; true when it said something new. */
  async record(event: FleetEvent): Promise<boolean> {
    const isNew = await this.#tell(event);
    if (isNew) this.#wake();
    return isNew;
  }

  async #tell(event: FleetEvent): Promise<boolean> {
    const isNew = await this.#log.record(event);
    if (isNew) this.#options.onEvent?.(event);
    return isNew;
  }

  #copying(): number {
    return [...this.#underWay.keys()].filter((key) => key.startsWith('copy|')).length;
  }

  async #do(fleet: Fleet, command: Command, key: string): Promise<number> {
    try {
      if (command.kind === 'replicate') await this.#started(command);
      const events = await perform(this.#world, fleet, command);
      let recorded = 0;
      for (const event of events) if (await this.#tell(event)) recorded += 1;
      this.#faults.delete(key);
      return recorded;
    } catch (error) {
      // Anything else is a fault of kashi itself.
      if (!(error instanceof KashiError || error instanceof TransientStoreError)) throw error;
      this.#postpone(key);
      this.#options.onFault(command, error);
      return 0;
    }
  }

  async #started({ edge, release }: Extract<Command, { kind: 'replicate' }>): Promise<void> {
    const { repository, digest } = release;
    await this.record({ type: 'replicating', atMs: this.#world.clock.now(), edge, repository, digest, by: 'kashi' });
  }

  #postpone(key: string): void {
    const count = (this.#faults.get(key)?.count ?? 0) + 1;
    const untilMs = this.#world.clock.now() + Math.min(LAST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(count - 1, 12));
    this.#faults.set(key, { count, untilMs });
  }
}

function isCopy({ kind }: Command): boolean {
  return kind === 'replicate' || kind === 'copy' || kind === 'poll';
}
