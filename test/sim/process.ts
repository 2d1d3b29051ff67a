/** One simulated process: its view of the store, in which every call is a scheduling point and may fail, stall, or be the last. */
import { KashiError } from '../../functions/domain/errors.ts';
import { type Clock, type ObjectBody, type ObjectInfo, type ObjectStore, TransientStoreError } from '../../functions/ports.ts';
import type { World } from './world.ts';

/**
 * What becomes of one call. lost: no effect, an error. landed: the effect, an error. late: an error, and the effect within a minute.
 * The three ways to die are SIGKILL before the effect, after it, and with the request still under way.
 */
export type Fate = 'ok' | 'lost' | 'landed' | 'late' | 'dies before' | 'dies after' | 'dies, late';

/** read: of the landing place, or another wait. point: a place that a module names, where nothing is called. */
export type Operation = 'put' | 'get' | 'head' | 'list' | 'delete' | 'read' | 'point';

/** ended: by itself. failed: with an error that the protocol allows. died: killed. */
export type Ending = 'ended' | 'failed' | 'died';

/** A request that nobody waits for any more takes effect within so long: connections end, and so do their retries. */
const LATEST_EFFECT_MS = 60_000;

/** Ends what the process was doing; nobody sees it. */
class Killed extends Error {}

export class SimProcess {
  readonly name: string;
  readonly startedMs: number;
  readonly store: ObjectStore;
  readonly ending: Promise<Ending>;
  /** Its own: wrong by as much as the weather allows, and set anew now and then. */
  readonly clock: Clock = { now: () => this.world.now() + this.skewMs };
  alive = true;
  calls = 0;
  private skewMs: number;
  private readonly world: World;
  private end: (ending: Ending) => void = () => {};

  constructor(world: World, name: string) {
    this.world = world;
    this.name = name;
    this.startedMs = world.now();
    this.skewMs = world.drawnSkewMs();
    this.ending = new Promise((resolve) => {
      this.end = resolve;
    });
    this.store = this.storeOf(world);
  }

  get ageMs(): number {
    return this.world.now() - this.startedMs;
  }

  finish(ending: Ending): void {
    this.alive = false;
    this.world.note(this, ending);
    this.end(ending);
  }

  /** A step outside the store at which others may come in between, or this process may die. */
  async point(what: string): Promise<void> {
    await this.call('read', what, () => null);
  }

  /** A place named by a module: it may die here, and only where a crash point is aimed at. Errors: Killed. */
  reach(name: string): void {
    if (!this.alive || this.world.aim?.(this, 'point', name)?.startsWith('dies') !== true) return;
    this.world.note(this, 'point', name, 'dies before');
    this.finish('died');
    throw new Killed(name);
  }

  private async call<T>(operation: Operation, key: string, effect: () => T): Promise<T> {
    const { world } = this;
    if (!this.alive) return await never();
    this.calls += 1;
    if (world.isClockSet()) this.skewMs = world.drawnSkewMs();
    const fate = world.fateOf(this, operation, key);
    await world.sleep(world.latencyOf(this, operation, key));
    if (!this.alive) return await never();
    world.note(this, operation, key, fate);
    switch (fate) {
      case 'ok':
        return effect();
      case 'lost':
        throw new TransientStoreError(`lost: ${operation} ${key}`);
      case 'landed':
        effect();
        throw new TransientStoreError(`landed without an answer: ${operation} ${key}`);
      case 'late':
        this.later(effect);
        throw new TransientStoreError(`timed out: ${operation} ${key}`);
      case 'dies after':
        effect();
        break;
      case 'dies, late':
        this.later(effect);
        break;
      case 'dies before':
    }
    this.finish('died');
    return await never();
  }

  private later(effect: () => unknown): void {
    void this.world.sleep(this.world.faults.int(1, LATEST_EFFECT_MS)).then(effect);
  }

  private storeOf(world: World): ObjectStore {
    const { disk, mutation } = world;
    const heldBack: (() => Promise<unknown>)[] = [];
    const put = async (key: string, body: ObjectBody): Promise<'created' | 'exists'> => {
      const bytes = body instanceof Uint8Array ? body.slice() : world.files.bytes(body.file);
      const isPlain = mutation.plainPuts?.some((prefix) => key.startsWith(prefix)) === true;
      try {
        return await this.call('put', key, () => {
          if (!isPlain) return disk.putIfAbsent(key, bytes);
          disk.overwrite(key, bytes);
          return 'created';
        });
      } catch (error) {
        if (mutation.unknownIsDone === true && error instanceof TransientStoreError) return 'created';
        throw error;
      }
    };
    return {
      putIfAbsent: async (key, body) => {
        if (mutation.dataAfterCommit !== true) return await put(key, body);
        if (key.startsWith('data/') || key.startsWith('_quarantine/')) {
          heldBack.push(() => put(key, body));
          return 'created';
        }
        const outcome = await put(key, body);
        if (key.startsWith('_commits/')) for (const write of heldBack.splice(0)) await write();
        return outcome;
      },
      get: (key) => this.call('get', key, () => disk.get(key)),
      head: (key) => this.call('head', key, () => disk.head(key)),
      delete: (key) => this.call('delete', key, () => disk.delete(key)),
      list: (prefix, after) => this.list(prefix, after),
      localFile: async (key) => {
        throw new KashiError('store_unsuitable', 'the simulated store has no local files', { where: key });
      },
    };
  }

  /** Page by page: a listing of several pages is no one instant. */
  private async *list(prefix: string, after: string | undefined): AsyncGenerator<ObjectInfo> {
    const { disk, weather } = this.world;
    for (let last = after; ; ) {
      const from = last;
      const page = await this.call('list', prefix, () => disk.page(prefix, from, weather.pageKeys));
      yield* page;
      if (page.length < weather.pageKeys) return;
      last = page.at(-1)!.key;
    }
  }
}

/** What a killed process waits for. */
export function never(): Promise<never> {
  return new Promise(() => {});
}
